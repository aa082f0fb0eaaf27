import { sha256 } from '@concordat/crypto';
import {
  currentEpoch,
  currentSharedKey,
  epochKeyRows,
  networkInfo,
  readConstitution,
  recordEpoch,
  recordKeyGrant,
} from '@concordat/governance';
import {
  encodeCiphertext,
  encryptToThreshold,
  publicKeyOf,
  SessionKeyring,
  sessionKeyLabel,
} from '@concordat/keys';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { eraseDerivedKeys, opensBlock, type SessionKey } from '@concordat/ledger';
import { type Epoch, type Height, toEpoch, toHex } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { EpochBeginner, EpochBeginning } from './key-sources.ts';

/** Keys nobody proved (drawn here, or sent by a leader) that wait for the ledger to name them. */
const maxUnproved = 16;
/** Such a key is given up after this. */
const unprovedForMs = 60_000;
/** However short the policy, what was opened can be used for this long. */
const shortestMs = 5_000;

/** How a key came here: a collected one was made of verified shares; a used one was sent, and opened a block. */
export type KeyOrigin = 'drawn' | 'sent' | 'used' | 'collected';

/** A session key and the ciphertext it is the content of. */
export interface KnownKey {
  readonly epoch: Epoch;
  /** 32 bytes, copied. */
  readonly key: Uint8Array;
  /** {@link ciphertextDigest} */
  readonly digest: string;
  readonly origin: KeyOrigin;
  /** When it came; milliseconds. */
  readonly nowMs: number;
}

/** A key's ciphertext by name: hex SHA-256 of its encoding. */
export const ciphertextDigest = (ciphertext: Uint8Array): string => toHex(sha256(ciphertext));

/**
 * The session keys in this enclave's memory; none is ever written anywhere. A key belongs to one
 * ciphertext: another block may announce another key under the same number when the first one is
 * taken back, so the key of an epoch is the one whose ciphertext the state at hand names, and all
 * others wait, as their block may return.
 */
export class SessionKeys implements EpochBeginner {
  readonly #ring = new SessionKeyring();
  /** What is known of each key of the ring beside its bytes. */
  readonly #named = new Map<Epoch, Omit<KnownKey, 'key'>>();
  /** Keys whose ciphertext the state does not name, by its digest. */
  readonly #waiting = new Map<string, KnownKey>();
  /** Since when an epoch of the ring is over. */
  readonly #overSinceMs = new Map<Epoch, number>();
  readonly #inUse = new Map<Epoch, number>();
  readonly #nextHeight: () => Height;
  #isClosed = false;

  /** @param nextHeight where the next block goes */
  constructor(nextHeight: () => Height) {
    this.#nextHeight = nextHeight;
  }

  /** The key of an epoch, when this enclave holds it. */
  get(epoch: Epoch): SessionKey | undefined {
    return this.#ring.get(epoch);
  }

  /** Epochs whose keys are held, ascending. */
  get epochs(): readonly Epoch[] {
    return this.#ring.epochs;
  }

  /**
   * The key new blocks are sealed with.
   * @throws ManagerError SESSION_KEY_MISSING
   */
  current(view: ReadView): SessionKey {
    const epoch = currentEpoch(view);
    const key = this.#ring.get(epoch);
    if (key) return key;
    throw new ManagerError('SESSION_KEY_MISSING', `no session key for epoch ${epoch}`, { epoch });
  }

  /**
   * Starts the next epoch in the open write set: draws its key, encrypts it to the shared key that
   * the set has, and grants it to every node that is learning or trusted.
   * @throws ManagerError SESSION_KEY_MISSING when there is no shared key
   */
  begin(set: TransactionSet, { reason, nowMs, entropy }: EpochBeginning): SessionKey {
    const shared = currentSharedKey(set);
    if (!shared || this.#isClosed) {
      throw new ManagerError('SESSION_KEY_MISSING', 'there is no shared key to encrypt it to');
    }
    const epoch = toEpoch(currentEpoch(set) + 1);
    const key = entropy(32);
    const entropy128 = entropy(128);
    const { networkId } = networkInfo(set);
    const ciphertext = encodeCiphertext(
      encryptToThreshold({
        publicKey: publicKeyOf(shared.key),
        label: sessionKeyLabel({ networkId, epoch, keyId: shared.key.id }),
        message32: key,
        entropy128,
      }),
    );
    const begun = { epoch, height: this.#nextHeight(), reason, timeMs: nowMs };
    recordEpoch(set, begun, { keyNumber: shared.number, ciphertext });
    const to = readConstitution(set)
      .nodes.filter(({ status }) => status === 'learning' || status === 'trusted')
      .map(({ nodeId }) => nodeId);
    recordKeyGrant(set, { epochs: [epoch, epoch], reason: 'begun', to });
    const digest = ciphertextDigest(ciphertext);
    this.#name({ epoch, key, digest, origin: 'drawn', nowMs });
    key.fill(0);
    entropy128.fill(0);
    return this.#ring.get(epoch) as SessionKey;
  }

  /** Takes up a key; it is the key of its epoch once a state names its ciphertext ({@link align}). */
  hold(known: KnownKey): void {
    if (this.#isClosed) return;
    const { epoch, digest, origin } = known;
    const named = this.#named.get(epoch);
    if (named?.digest === digest) {
      if (named.origin === 'collected' || origin !== 'collected') return;
      // What was only said before is proved now, or shown to be false.
      this.#forget(epoch);
      this.#name(known);
      return;
    }
    const waiting = this.#waiting.get(digest);
    if (waiting?.origin === 'collected') return;
    this.#wait({ ...known, key: Uint8Array.from(known.key) });
  }

  #wait(known: KnownKey): void {
    this.#dropWaiting(known.digest);
    this.#waiting.set(known.digest, known);
    const unproved = [...this.#waiting.values()].filter(({ origin }) => origin !== 'collected');
    if (unproved.length > maxUnproved) this.#dropWaiting((unproved[0] as KnownKey).digest);
  }

  #dropWaiting(digest: string): void {
    this.#waiting.get(digest)?.key.fill(0);
    this.#waiting.delete(digest);
  }

  /** A key as it is sent to those it is granted to; undefined when it is not held. */
  known(epoch: Epoch): Omit<KnownKey, 'nowMs'> | undefined {
    const named = this.#named.get(epoch);
    const held = this.#ring.get(epoch);
    const { digest, origin } = named ?? {};
    return held && digest && origin ? { epoch, key: held.key, digest, origin } : undefined;
  }

  /**
   * The state at hand is another one: keys whose ciphertext it does not name wait, and those that
   * waited and are named come into use. Whatever is taken back and announced anew under the same
   * number is another key.
   */
  align(view: ReadView): void {
    for (const epoch of this.#ring.epochs) {
      const digest = this.#named.get(epoch)?.digest;
      if (digest && !isNamed(view, epoch, digest)) this.#unname(epoch);
    }
    this.recognize(view);
  }

  /**
   * Keys that wait and that a state names come into use, where none is. The state may be another than
   * the one at hand (of a ledger that is only read so far), so it takes nothing out of use.
   */
  recognize(view: ReadView): void {
    for (const known of [...this.#waiting.values()]) {
      const { epoch, digest } = known;
      if (this.#named.has(epoch) || !isNamed(view, epoch, digest)) continue;
      this.#name(known);
      this.#dropWaiting(digest);
    }
  }

  #name({ key, ...named }: KnownKey): void {
    const { epoch } = named;
    if (this.#named.get(epoch)?.digest === named.digest) return;
    this.#unname(epoch);
    this.#ring.add({ epoch, key });
    this.#named.set(epoch, named);
  }

  #unname(epoch: Epoch): void {
    const named = this.#named.get(epoch);
    const held = this.#ring.get(epoch);
    if (named && held) this.#wait({ ...named, key: Uint8Array.from(held.key) });
    this.#forget(epoch);
  }

  #forget(epoch: Epoch): void {
    const held = this.#ring.get(epoch);
    if (held) eraseDerivedKeys(held);
    this.#ring.forget(epoch);
    this.#named.delete(epoch);
    this.#overSinceMs.delete(epoch);
  }

  /**
   * Whether the key of a block's epoch is at hand. One that was sent has to open the first block it is
   * used for: else it is dropped, and what shares make up takes its place.
   */
  opens(epoch: Epoch, block: Uint8Array): boolean {
    const key = this.#ring.get(epoch);
    const named = this.#named.get(epoch);
    if (!key || !named) return false;
    if (named.origin !== 'sent') return true;
    const isRight = opensBlock(block, key);
    if (isRight) this.#named.set(epoch, { ...named, origin: 'used' });
    else this.#forget(epoch);
    return isRight;
  }

  /** Keeps these epochs' keys from {@link sweep} while something is done with them. */
  async whileKept<Result>(
    epochs: readonly Epoch[],
    action: () => Promise<Result>,
  ): Promise<Result> {
    for (const epoch of epochs) this.#inUse.set(epoch, (this.#inUse.get(epoch) ?? 0) + 1);
    try {
      return await action();
    } finally {
      for (const epoch of epochs) {
        const left = (this.#inUse.get(epoch) ?? 1) - 1;
        if (left > 0) this.#inUse.set(epoch, left);
        else this.#inUse.delete(epoch);
      }
    }
  }

  /**
   * Zeroes keys of epochs before the one in force that have been over, and here, for their time to
   * live, and keys that no block named.
   * @param policy.ttlMs counted from the later of the two; at least five seconds
   */
  sweep(policy: { readonly inForce: Epoch; readonly ttlMs: number; readonly nowMs: number }): void {
    const { inForce, nowMs } = policy;
    const ttlMs = Math.max(policy.ttlMs, shortestMs);
    for (const epoch of this.#ring.epochs) {
      if (epoch >= inForce) {
        this.#overSinceMs.delete(epoch);
        continue;
      }
      const overSince = this.#overSinceMs.get(epoch) ?? nowMs;
      this.#overSinceMs.set(epoch, overSince);
      const sinceMs = Math.max(overSince, this.#named.get(epoch)?.nowMs ?? 0);
      if (nowMs - sinceMs >= ttlMs && !this.#inUse.has(epoch)) this.#forget(epoch);
    }
    for (const { epoch, digest, origin, nowMs: cameMs } of [...this.#waiting.values()]) {
      const age = nowMs - cameMs;
      const isOld = origin === 'collected' ? epoch < inForce && age >= ttlMs : age >= unprovedForMs;
      if (isOld) this.#dropWaiting(digest);
    }
  }

  /**
   * Zeroes every key and takes up none any more, whatever is still on its way here: what a node does
   * that ends, or that the network has removed.
   */
  close(): void {
    this.#isClosed = true;
    this.forgetAll();
  }

  /** Zeroes every key. */
  forgetAll(): void {
    for (const epoch of this.#ring.epochs) this.#forget(epoch);
    for (const digest of [...this.#waiting.keys()]) this.#dropWaiting(digest);
  }
}

const isNamed = (view: ReadView, epoch: Epoch, digest: string): boolean =>
  epochKeyRows(view, epoch).some(({ ciphertext }) => ciphertextDigest(ciphertext) === digest);
