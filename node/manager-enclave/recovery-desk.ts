import {
  maxRecoveryGiftBytes,
  type RecoveryOffer,
  type RecoveryState,
  recoveryGiftInfo,
} from '@concordat/api';
import { reportData } from '@concordat/attestation';
import { CryptoError, sha256 } from '@concordat/crypto';
import {
  actorIdOfFingerprint,
  canonicalJson,
  decodeMessage,
  recoveryStage,
  submitMessage,
} from '@concordat/governance';
import type { SessionKey } from '@concordat/ledger';
import {
  type ActorId,
  type Epoch,
  fromBase64,
  fromUtf8,
  toBase64,
  toDigest,
  toEpoch,
  toHex,
  utf8,
} from '@concordat/std';
import type { Survey } from './former-ledger.ts';
import type { NodeContext } from './node-context.ts';
import { type CheckedShares, RecoveryShares, refused } from './recovery-shares.ts';
import type { RestoredCounts } from './state-restoration.ts';

/** Members whose shares may wait to be checked. */
const maxWaiting = 16;

/**
 * Where the members of a lost network give the node that recovers it their decryption shares. Each
 * member gives for itself: over its own connection, with its signature, sealed to this node. What it
 * consented to is a transaction of the new ledger before its shares count.
 */
export class RecoveryDesk {
  readonly #node: NodeContext;
  readonly #survey: Survey;
  readonly #shares: RecoveryShares;
  readonly #complete = Promise.withResolvers<ReadonlyMap<Epoch, SessionKey>>();
  readonly #onChange: () => void;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #isComplete = false;
  /** What was taken over so far, once that has begun. */
  restoring: (() => RestoredCounts) | undefined;
  /** Why the state cannot be restored from the ledger at hand. */
  failure: string | undefined;

  /** @throws ManagerError LEDGER_CORRUPT, EPOCH_NOT_COMMITTED; KeysError */
  constructor(node: NodeContext, survey: Survey, onChange: () => void) {
    this.#node = node;
    this.#survey = survey;
    this.#shares = new RecoveryShares(survey, node.identity.nodeId);
    this.#onChange = onChange;
    this.#complete.promise.catch(() => undefined);
  }

  /** The former network's session keys, once enough members gave their shares. */
  get keys(): Promise<ReadonlyMap<Epoch, SessionKey>> {
    return this.#complete.promise;
  }

  /** What its operator and the members see. */
  state(): RecoveryState {
    const found = recoveryStage(this.#node.administration.committedState);
    const { former } = this.#survey;
    if (found && found.stage !== 'recovering') return { ...found, former };
    const { failure } = this;
    if (this.#isComplete) {
      return { stage: 'restoring', former, ...this.restoring?.(), ...(failure && { failure }) };
    }
    return { stage: 'shares', former, missing: this.#shares.missing() };
  }

  /** Whose shares are missing for which epochs, in a sentence. */
  get reason(): string {
    const runs = this.#shares.missing().map(({ from, to, needed, given, missing }) => {
      const which = from === to ? `epoch ${from}` : `epochs ${from} to ${to}`;
      const whose = given.length > 0 ? `, given by ${given.join(', ')}` : '';
      return `${which}: ${given.length} of ${needed}${whose}; could come from ${missing.join(', ')}`;
    });
    return `decryption shares are missing for ${runs.join(' | ')}`.slice(0, 2_000);
  }

  /** What this node is and will do, in evidence. @param nonce 64 hex digits, drawn by the caller */
  async offer(nonce: string): Promise<RecoveryOffer> {
    const { identity, network, control } = this.#node;
    const { signing, encryption, nodeId } = identity;
    const statement = {
      type: 'concordat.recovery-offer.v1',
      nonce,
      networkId: network.id,
      nodeId,
      publicKey: toHex(signing.publicKeySpki),
      encryptionKey: toHex(encryption.publicKey),
      former: this.#survey.former,
    } as const;
    const evidence = await control.attest(
      reportData({
        domain: 'node',
        networkId: network.id,
        publicKeySpki: signing.publicKeySpki,
        ledgerRoot: toDigest(sha256(utf8(canonicalJson(statement)))),
        epoch: toEpoch(0),
      }),
    );
    return { statement, evidence: toBase64(evidence) };
  }

  /**
   * Takes a member's shares.
   * @param actorId who is connected
   * @throws ManagerError RECOVERY_SHARES_REFUSED, NETWORK codes of governance for its message
   */
  async give(actorId: ActorId, body: Uint8Array): Promise<RecoveryState> {
    if (this.#waiting >= maxWaiting) throw refused('BUSY', 'others are giving theirs: try again');
    this.#waiting += 1;
    const turn = this.#turn.then(() => this.#take(actorId, body));
    this.#turn = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #take(actorId: ActorId, body: Uint8Array): Promise<RecoveryState> {
    if (this.#isComplete) throw refused('COMPLETE', 'enough members gave their shares already');
    const { message, sealed } = readGift(body);
    const { kid, type, payload } = decodeMessage(message);
    const signer = actorIdOfFingerprint(this.#node.administration.committedState, kid);
    if (signer !== actorId) throw refused('OTHER_ACTOR', 'the consent is signed by another actor');
    const named = payload as { readonly shares?: unknown; readonly epochs?: unknown };
    if (type !== 'recovery-consent' || named.shares !== toHex(sha256(sealed))) {
      throw refused('OTHER_SHARES', 'the signed message is no consent to these shares');
    }
    const { networkId } = this.#survey.former;
    const opened = this.#open(sealed);
    const checked = await this.#shares.check(actorId, networkId, opened).finally(() => {
      opened.fill(0);
    });
    if (JSON.stringify(named.epochs) !== JSON.stringify([checked.first, checked.last])) {
      throw refused('OTHER_EPOCHS', 'the consent names other epochs than the shares are for');
    }
    await this.#node.queue.administer((set) =>
      submitMessage(set, message, { nowSeconds: Math.floor(Date.now() / 1000) }),
    );
    await this.#count(actorId, checked);
    return this.state();
  }

  async #count(actorId: ActorId, checked: CheckedShares): Promise<void> {
    this.#shares.take(checked);
    const { first, last, shares } = checked;
    this.#node.control.log('recovery.shares', { actorId, first, last, shares: shares.length });
    if (this.#shares.missing().length === 0) {
      this.#isComplete = true;
      this.#shares.combine().then(this.#complete.resolve, this.#complete.reject);
    }
    this.#onChange();
  }

  #open(sealed: Uint8Array): Uint8Array {
    const { identity, network } = this.#node;
    const info = recoveryGiftInfo({ networkId: network.id, nodeId: identity.nodeId });
    try {
      return identity.encryption.open(sealed, info);
    } catch (error) {
      if (!(error instanceof CryptoError)) throw error;
      throw refused('NOT_OPENED', 'the shares are not sealed to this node of this network');
    }
  }
}

function readGift(body: Uint8Array): { message: Uint8Array; sealed: Uint8Array } {
  const malformed = () => refused('MALFORMED', 'not a consent and sealed shares as JSON');
  if (body.length > maxRecoveryGiftBytes) throw malformed();
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(fromUtf8(body));
  } catch {
    throw malformed();
  }
  const bytesOf = (text: unknown) => (typeof text === 'string' ? fromBase64(text) : undefined);
  const [message, sealed] = [bytesOf(value?.message), bytesOf(value?.sealed)];
  if (!message || !sealed) throw malformed();
  return { message, sealed };
}
