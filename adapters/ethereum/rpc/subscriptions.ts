import { randomBytes } from 'node:crypto';
import type { BlockView, ChainView, LogView } from '../chain-reader.ts';
import { RpcError } from './errors.ts';
import { headToText, logToText } from './format.ts';
import { toData } from './hex.ts';
import { notificationText } from './json-rpc.ts';
import { type LogCriteria, logMatcher } from './log-criteria.ts';

/** What a subscription tells of. */
export type SubscriptionSubject =
  | { readonly kind: 'newHeads' }
  | { readonly kind: 'newPendingTransactions' }
  | { readonly kind: 'logs'; readonly criteria: LogCriteria };

/** Event texts of one committed block for one subscription. */
type Notifier = (block: BlockView, logs: readonly LogView[]) => readonly string[];

interface Subscription {
  readonly notify: Notifier;
  /** Whether the client can know the id: events before would answer nothing it has asked. */
  announced: boolean;
  readonly early: string[];
}

/** Events kept for a client that has not got its subscription's id yet. */
const maxEarlyEvents = 1_000;

/** The subscriptions of one WebSocket (`eth_subscribe`). */
export class Subscriptions {
  readonly #chain: ChainView;
  readonly #maxCount: number;
  readonly #send: (text: string) => void;
  readonly #active = new Map<string, Subscription>();
  #stopListening: (() => void) | undefined;
  #closed = false;

  constructor(chain: ChainView, maxCount: number, send: (text: string) => void) {
    this.#chain = chain;
    this.#maxCount = maxCount;
    this.#send = send;
  }

  /** Subscriptions alive. */
  get size(): number {
    return this.#active.size;
  }

  /** Starts one and answers its id, 16 random bytes as hex. @throws RpcError LIMIT_EXCEEDED */
  add(subject: SubscriptionSubject): string {
    if (this.#active.size >= this.#maxCount) {
      throw new RpcError('LIMIT_EXCEEDED', `a connection may hold ${this.#maxCount} subscriptions`);
    }
    const id = `0x${randomBytes(16).toString('hex')}`;
    this.#active.set(id, { notify: notifierOf(subject), announced: false, early: [] });
    // The socket may have closed while the call waited in a batch.
    if (!this.#closed) this.#stopListening ??= this.#chain.subscribe(this.#onBlock);
    return id;
  }

  /** To be called when the answer with these ids has been sent: now the client knows them. */
  announce(ids: readonly string[]): void {
    for (const id of ids) {
      const subscription = this.#active.get(id);
      if (!subscription) continue;
      subscription.announced = true;
      for (const text of subscription.early.splice(0)) this.#send(text);
    }
  }

  /** Ends one; whether there was one. */
  remove(id: string): boolean {
    const removed = this.#active.delete(id);
    if (this.#active.size === 0) this.#stop();
    return removed;
  }

  /** Ends all, for good. */
  close(): void {
    this.#closed = true;
    this.#active.clear();
    this.#stop();
  }

  #stop(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  readonly #onBlock = (block: BlockView, logs: readonly LogView[]): void => {
    for (const [id, subscription] of this.#active) {
      for (const result of subscription.notify(block, logs)) {
        const text = notificationText(id, result);
        if (subscription.announced) this.#send(text);
        else if (subscription.early.length < maxEarlyEvents) subscription.early.push(text);
      }
    }
  };
}

function notifierOf(subject: SubscriptionSubject): Notifier {
  if (subject.kind === 'newHeads') return (block) => [headToText(block)];
  if (subject.kind === 'newPendingTransactions') {
    return (block) => block.transactionHashes.map((hash) => `"${toData(hash)}"`);
  }
  const matches = logMatcher(subject.criteria);
  return (_, logs) => logs.filter(matches).map(logToText);
}
