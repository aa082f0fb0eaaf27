import {
  epochKeyRows,
  networkKeyRow,
  type SharedKey,
  type SharingRow,
  sharedKeys,
  thresholdKeyOf,
} from '@concordat/governance';
import {
  combineDecryptionShares,
  createDecryptionShare,
  type DecryptionShare,
  decodeCiphertext,
  decodeDecryptionShare,
  decodeThresholdKey,
  type Element,
  isDecryptionShareValid,
  KeysError,
  networkIdentityLabel,
  publicKeyOf,
  type ShareRequest,
  sessionKeyLabel,
  type ThresholdKey,
  verificationKeyOf,
} from '@concordat/keys';
import type { ReadView } from '@concordat/kv';
import { type Epoch, equalBytes, fromHex, toDigest } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { ShareSource } from './key-sources.ts';
import { networkKeyPlace } from './network-key.ts';
import { ciphertextDigest } from './session-keys.ts';
import type { AskedKey, GivenForm, GivenShares } from './share-messages.ts';

/** A session key that is gathered: its ciphertext as the ledger has it, and what it is encrypted to. */
export interface WantedKey extends AskedKey {
  readonly digest: string;
  readonly request: ShareRequest;
  /** The shared key of that number as the ledger at hand knows it. */
  readonly shared: SharedKey;
}

/**
 * What has to be gathered for an epoch, as a state says.
 * @throws ManagerError EPOCH_NOT_COMMITTED when it says nothing of it; KeysError when what it says
 *   is no ciphertext
 */
export function wantedKey(
  view: ReadView,
  epoch: Epoch,
  bound: { readonly networkId: string; readonly requester: Uint8Array },
): WantedKey {
  const isNetworkKey = epoch === networkKeyPlace;
  const row = isNetworkKey ? networkKeyRow(view) : epochKeyRows(view, epoch).at(-1);
  const shared = row && sharedKeys(view).find(({ key }) => key.number === row.keyNumber);
  if (!row || !shared) {
    const why = `the ledger at hand has no key of ${isNetworkKey ? 'the network' : `epoch ${epoch}`}`;
    throw new ManagerError('EPOCH_NOT_COMMITTED', why, { epoch });
  }
  const keyId = toDigest(fromHex(shared.key.keyId) as Uint8Array);
  const { networkId } = bound;
  const label = isNetworkKey
    ? networkIdentityLabel({ networkId, keyId })
    : sessionKeyLabel({ networkId, epoch, keyId });
  const ciphertext = decodeCiphertext(row.ciphertext);
  const request = { ciphertext, label, requester: bound.requester };
  const digest = ciphertextDigest(row.ciphertext);
  return { epoch, key: row.keyNumber, digest, request, shared };
}

/** One way a key is shared, and the shares of that sharing; those of another do not go with them. */
interface Sharing {
  readonly key: number;
  readonly number: number;
  readonly form: ThresholdKey;
  readonly verificationKeys: Map<number, Element | undefined>;
  readonly shares: Map<Epoch, Map<number, DecryptionShare>>;
}

/**
 * Shares as they come in. The public side of a sharing is taken from the giver, who may know a newer one
 * than the ledger at hand: whatever it is, it has to be of the same public key, and verified shares on
 * a polynomial of that key combine to the right secret.
 */
export class ShareCollection {
  readonly #wanted: Map<Epoch, WantedKey>;
  readonly #vault: ShareSource;
  readonly #entropy: (bytes: number) => Uint8Array;
  readonly #sharings = new Map<string, Sharing>();
  /** Whose share a place on a polynomial holds. */
  readonly #givers = new Map<string, string>();

  constructor(
    wanted: readonly WantedKey[],
    own: { readonly vault: ShareSource; readonly entropy: (bytes: number) => Uint8Array },
  ) {
    this.#wanted = new Map(wanted.map((each) => [each.epoch, each]));
    this.#vault = own.vault;
    this.#entropy = own.entropy;
    for (const { shared } of wanted) this.#sharing(thresholdKeyOf(shared.sharing), shared.key);
  }

  /** Keys that are not complete. */
  get wanted(): readonly WantedKey[] {
    return [...this.#wanted.values()];
  }

  /** Shares that are missing at least; 0 when all is complete. */
  get missing(): number {
    let most = 0;
    for (const { key, epoch } of this.#wanted.values()) {
      const lacks = [...this.#sharings.values()]
        .filter((sharing) => sharing.key === key)
        .map(({ form, shares }) => form.threshold - (shares.get(epoch)?.size ?? 0));
      most = Math.max(most, Math.min(...lacks));
    }
    return most;
  }

  /**
   * Takes up what an actor's node gave, share by share.
   * @throws KeysError INVALID_SHARE, DUPLICATE_SHARE, MALFORMED, INVALID_ELEMENT; ManagerError
   *   CHANNEL_FAILED when it answers something else than was asked
   */
  *add(actorId: string, { shares, forms }: GivenShares): Generator<void> {
    for (const { epoch, key, sharing: number, share } of shares) {
      const wanted = this.#wanted.get(epoch);
      if (!wanted) continue;
      const form = forms.find((each) => each.key === key && each.sharing === number);
      if (wanted.key !== key || !form) {
        throw new ManagerError('CHANNEL_FAILED', 'a share of something that was not asked for');
      }
      const sharing = this.#sharing(formOf(wanted, form), { number: key, sharing: number });
      this.#addShare(sharing, wanted, { actorId, share: decodeDecryptionShare(share) });
      yield;
    }
  }

  #addShare(
    sharing: Sharing,
    { epoch, request, shared }: WantedKey,
    { actorId, share }: { readonly actorId: string; readonly share: DecryptionShare },
  ): void {
    const { index } = share;
    const invalid = (why: string): KeysError => new KeysError('INVALID_SHARE', why, { index });
    const listed = holderOf(shared.sharing, index);
    const isOfListed = shared.key.sharing !== sharing.number || listed === actorId;
    if (!isOfListed) throw invalid(`place ${index} is not that of the actor who gave the share`);
    const place = `${sharing.key}/${sharing.number}/${index}`;
    const giver = this.#givers.get(place) ?? actorId;
    if (giver !== actorId) {
      throw new KeysError('DUPLICATE_SHARE', `two actors gave the share of ${index}`, { index });
    }
    let key = sharing.verificationKeys.get(index);
    if (!key) {
      key = verificationKeyOf(sharing.form, index);
      sharing.verificationKeys.set(index, key);
    }
    if (!key || !isDecryptionShareValid(request, share, key))
      throw invalid('a share that is not proved');
    this.#givers.set(place, actorId);
    const known = sharing.shares.get(epoch) ?? new Map<number, DecryptionShare>();
    sharing.shares.set(epoch, known.set(index, share));
  }

  /** The sharing with this public side; with this enclave's own shares, if it has any. */
  #sharing(
    form: ThresholdKey,
    named: { readonly number: number; readonly sharing: number },
  ): Sharing {
    const name = `${named.number}/${named.sharing}`;
    const known = this.#sharings.get(name);
    if (known) return known;
    const { number: key, sharing: number } = named;
    const sharing: Sharing = {
      key,
      number,
      form,
      verificationKeys: new Map(),
      shares: new Map(),
    };
    this.#sharings.set(name, sharing);
    const own = this.#vault.shareOf(key, number);
    if (!own) return sharing;
    for (const wanted of this.#wanted.values()) {
      if (wanted.key !== key) continue;
      const share = createDecryptionShare(wanted.request, own, this.#entropy(64));
      sharing.shares.set(wanted.epoch, new Map([[share.index, share]]));
    }
    return sharing;
  }

  /**
   * Keys of which enough shares are here now: each is handed out once.
   * @throws KeysError INVALID_CIPHERTEXT
   */
  *complete(): Generator<{ readonly wanted: WantedKey; readonly key: Uint8Array }> {
    for (const sharing of this.#sharings.values()) {
      for (const [epoch, shares] of sharing.shares) {
        const wanted = this.#wanted.get(epoch);
        const { form, verificationKeys } = sharing;
        if (!wanted || wanted.key !== sharing.key || shares.size < form.threshold) continue;
        const key = combineDecryptionShares(wanted.request, [...shares.values()], {
          threshold: form.threshold,
          verificationKey: (index) => verificationKeys.get(index) ?? verificationKeyOf(form, index),
        });
        this.#wanted.delete(epoch);
        yield { wanted, key };
      }
    }
  }
}

const holderOf = ({ holders }: SharingRow, index: number): string | undefined =>
  holders.find((holder) => holder.index === index)?.actorId;

/** @throws KeysError MALFORMED, INVALID_ELEMENT, INVALID_SHARE when it is not a sharing of that key */
function formOf({ shared }: WantedKey, { form }: GivenForm): ThresholdKey {
  const given = decodeThresholdKey(form);
  const known = thresholdKeyOf(shared.sharing);
  if (equalBytes(publicKeyOf(given), publicKeyOf(known)) && equalBytes(given.id, known.id)) {
    return given;
  }
  throw new KeysError('INVALID_SHARE', 'a share of another shared key');
}
