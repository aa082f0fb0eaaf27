import { epochKeyRows } from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import { CodedError, type Epoch, type NodeId } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { ShareGiver } from './key-sources.ts';
import type { NodeContext } from './node-context.ts';
import { ciphertextDigest } from './session-keys.ts';
import { requireReader } from './share-desk.ts';
import {
  decodeKeyRequest,
  decodeSentKey,
  encodeKeyRequest,
  encodeSentKey,
} from './share-messages.ts';

/** Whoever is asked for a key may have to gather it. */
const askTimeoutMs = 12_000;
/** Keys one node is asked for at a time. */
const maxAskedFor = 8;
/** Keys that are gathered for others at a time. */
const maxGathering = 4;

/**
 * The last way to a session key: nodes that take part give each other keys of epochs that the ledger
 * grants to the one that asks, where that one cannot gather shares.
 */
export class GrantedKeys {
  readonly #node: NodeContext;
  readonly #acquire: (epoch: Epoch) => Promise<void>;
  /** Counts whom this node asked. */
  #turn = 0;
  #gathering = 0;

  /** @param acquire gathers a key of the past */
  constructor(node: NodeContext, acquire: (epoch: Epoch) => Promise<void>) {
    this.#node = node;
    this.#acquire = acquire;
  }

  /**
   * A node that the ledger grants an epoch to could not gather its key: who holds shares now it may
   * not have read yet, or the key it was sent came too early. What this enclave was only told it does not pass on.
   * @throws ManagerError NODE_NOT_ADMITTED, EPOCH_NOT_GRANTED, EPOCH_NOT_COMMITTED, SESSION_KEY_MISSING,
   *   KEY_SHARES_MISSING, OVERLOADED, CHANNEL_FAILED
   */
  async give(peer: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const epoch = decodeKeyRequest(body);
    this.#requireReader(peer, epoch);
    const { sessionKeys, administration, control } = this.#node;
    if (!sessionKeys.get(epoch)) await this.#gather(epoch);
    this.#requireReader(peer, epoch);
    const known = sessionKeys.known(epoch);
    const rows = epochKeyRows(administration.committedState, epoch);
    const isNamed = rows.some(({ ciphertext }) => ciphertextDigest(ciphertext) === known?.digest);
    if (!known || known.origin === 'sent' || !isNamed) {
      throw new ManagerError('SESSION_KEY_MISSING', `no proved key of epoch ${epoch}`, { epoch });
    }
    control.log('keys.given', { peer, epoch });
    return encodeSentKey(known);
  }

  /** For others no more than a few at a time: each has members' nodes asked for shares. */
  async #gather(epoch: Epoch): Promise<void> {
    if (this.#gathering >= maxGathering) {
      throw new ManagerError('OVERLOADED', 'keys are being gathered for other nodes already');
    }
    this.#gathering += 1;
    try {
      await this.#acquire(epoch);
    } finally {
      this.#gathering -= 1;
    }
  }

  #requireReader(peer: NodeId, epoch: Epoch): void {
    const { takesPart, administration } = this.#node;
    const isReady = takesPart && administration.isCommitted;
    requireReader(isReady ? administration.committedState : undefined, peer, epoch);
  }

  /**
   * Asks one node, another one each time, for keys that could not be gathered. A node that resumes does
   * not: it reads nothing before as many members consent as it takes.
   */
  async askFor(
    epochs: readonly Epoch[],
    view: ReadView,
    trusted: readonly ShareGiver[],
  ): Promise<void> {
    const { takesPart, channel, sessionKeys, control, leader } = this.#node;
    if (!takesPart) return;
    const givers = trusted.map(({ nodeId }) => nodeId);
    const others = givers.filter((nodeId) => nodeId !== leader);
    const inTurn = givers.length > others.length && leader ? [leader, ...others] : others;
    const peer = inTurn[this.#turn++ % Math.max(1, inTurn.length)];
    const lacking = epochs.filter((epoch) => !sessionKeys.get(epoch)).slice(0, maxAskedFor);
    if (!peer) return;
    for (const epoch of lacking) {
      try {
        const reply = await channel.request(
          peer,
          'granted-key',
          encodeKeyRequest(epoch),
          askTimeoutMs,
        );
        const sent = decodeSentKey(reply);
        reply.fill(0);
        if (sent.epoch !== epoch) continue;
        sessionKeys.hold({ ...sent, origin: 'sent', nowMs: Date.now() });
        sent.key.fill(0);
        sessionKeys.recognize(view);
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        control.log('keys.not-given', { peer, epoch, code: error.code });
        // Another one is asked after a while: this one may be down.
        return;
      }
    }
  }
}
