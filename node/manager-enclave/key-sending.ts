import { currentEpoch, isNodeGranted } from '@concordat/governance';
import { CodedError, type Epoch, type NodeId } from '@concordat/std';
import type { NodeContext } from './node-context.ts';
import type { KnownKey } from './session-keys.ts';
import { encodeSentKey } from './share-messages.ts';

const sendTimeoutMs = 5_000;
/** As many as a receiver lets wait for its ledger to name them. */
const maxOffers = 16;

/** A key that is being sent around, and who has not taken it yet. */
interface Offer {
  readonly digest: string;
  readonly left: Map<NodeId, 'untried' | 'asked' | 'failed'>;
}

/**
 * The leader's sending of session keys to the nodes that the ledger grants them to. It goes on until
 * each has taken it: a network of which just a majority runs cannot go on without any of them, and
 * may have too few actors up for shares to be gathered. Whoever leads sends: the node that drew the
 * key may be gone.
 */
export class KeySending {
  readonly #node: NodeContext;
  readonly #offers = new Map<Epoch, Offer>();

  constructor(node: NodeContext) {
    this.#node = node;
  }

  /** Sends what is not taken yet: once a block that may begin an epoch is placed, and every second. */
  send(): void {
    const { takesPart, administration, sessionKeys } = this.#node;
    if (!takesPart || !this.#node.driver.leads || !administration.isCommitted) {
      this.#offers.clear();
      return;
    }
    this.#offer(currentEpoch(administration.committedState));
    this.#offer(currentEpoch(administration.head));
    for (const [epoch, offer] of this.#offers) {
      const known = sessionKeys.known(epoch);
      if (known?.digest === offer.digest) this.#sendTo(known, offer);
      else this.#offers.delete(epoch);
    }
  }

  #offer(epoch: Epoch): void {
    const { administration, sessionKeys, identity } = this.#node;
    const known = sessionKeys.known(epoch);
    // What was only said so far is not passed on.
    if (!known || known.origin === 'sent') return;
    if (this.#offers.get(epoch)?.digest === known.digest) return;
    const left: Offer['left'] = new Map();
    for (const nodeId of this.#listed) {
      if (nodeId === identity.nodeId) continue;
      if (isNodeGranted(administration.head, nodeId, epoch)) left.set(nodeId, 'untried');
    }
    this.#offers.delete(epoch);
    this.#offers.set(epoch, { digest: known.digest, left });
    const [oldest] = this.#offers.keys();
    if (this.#offers.size > maxOffers && oldest !== undefined) this.#offers.delete(oldest);
  }

  /** Nodes that may be sent anything: one that was removed meanwhile is not. */
  get #listed(): ReadonlySet<NodeId> {
    const { nodes } = this.#node.administration.constitution;
    const listed = nodes.filter(({ status }) => status === 'learning' || status === 'trusted');
    return new Set(listed.map(({ nodeId }) => nodeId));
  }

  #sendTo(known: Omit<KnownKey, 'nowMs'>, { left }: Offer): void {
    if (left.size === 0) return;
    const { channel } = this.#node;
    const listed = this.#listed;
    for (const nodeId of [...left.keys()]) if (!listed.has(nodeId)) left.delete(nodeId);
    const due = [...left].filter(([node, state]) => state !== 'asked' && channel.connected(node));
    if (due.length === 0) return;
    const body = encodeSentKey(known);
    const sending = due.map(([nodeId]) => this.#sendOne(nodeId, body, left));
    void Promise.all(sending).then(() => body.fill(0));
  }

  async #sendOne(nodeId: NodeId, body: Uint8Array, left: Offer['left']): Promise<void> {
    const hasFailed = left.get(nodeId) === 'failed';
    left.set(nodeId, 'asked');
    try {
      await this.#node.channel.request(nodeId, 'session-key', body, sendTimeoutMs);
      left.delete(nodeId);
    } catch (error) {
      // It gathers shares meanwhile.
      if (!(error instanceof CodedError)) throw error;
      left.set(nodeId, 'failed');
      if (hasFailed) return;
      this.#node.control.log('keys.not-sent', { peer: nodeId, code: error.code });
    }
  }
}
