import { randomBytes } from 'node:crypto';
import type { Actor } from '@concordat/worker-enclave';
import type { ChainView } from '../chain-reader.ts';
import { RpcError } from './errors.ts';
import type { RpcLimits } from './limits.ts';
import type { LogCriteria } from './log-criteria.ts';

/** What a filter reports: logs, hashes of blocks, or hashes of transactions. */
export type FilterSubject =
  | { readonly kind: 'logs'; readonly criteria: LogCriteria }
  | { readonly kind: 'blocks' }
  | { readonly kind: 'transactions' };

/** One polled filter. It holds a position in the chain and no results, so it cannot grow. */
export interface Filter {
  readonly id: string;
  readonly owner: string;
  readonly chain: ChainView;
  readonly subject: FilterSubject;
  /** First block not yet reported. */
  nextBlock: number;
  lastUsedMs: number;
}

/**
 * The filters of all actors of this node (`eth_newFilter` and its siblings). Only the actor that
 * made one can use it; idle ones are forgotten, and each actor may hold a bounded number.
 */
export class FilterRegistry {
  // In the order of last use, so that the oldest stand first.
  readonly #filters = new Map<string, Filter>();
  readonly #perActor = new Map<string, number>();
  readonly limits: RpcLimits;

  constructor(limits: RpcLimits) {
    this.limits = limits;
  }

  /** Filters alive. */
  get size(): number {
    return this.#filters.size;
  }

  /** Makes a filter that reports from a block on. @throws RpcError LIMIT_EXCEEDED */
  create(
    actor: Actor,
    chain: ChainView,
    subject: FilterSubject,
    at: { readonly nextBlock: number; readonly nowMs: number },
  ): string {
    this.#expire(at.nowMs);
    const held = this.#perActor.get(actor.actorId) ?? 0;
    if (held >= this.limits.maxFiltersPerActor) {
      throw new RpcError('LIMIT_EXCEEDED', `an actor may hold ${held} filters at a time`);
    }
    const id = `0x${randomBytes(16).toString('hex')}`;
    const { nextBlock, nowMs } = at;
    const owner = actor.actorId;
    this.#filters.set(id, { id, owner, chain, subject, nextBlock, lastUsedMs: nowMs });
    this.#perActor.set(owner, held + 1);
    return id;
  }

  /** The actor's filter, marked as used. @throws RpcError SERVER_ERROR `filter not found` */
  use(actor: Actor, chain: ChainView, id: string, nowMs: number): Filter {
    this.#expire(nowMs);
    const filter = this.#filters.get(id);
    if (filter?.owner !== actor.actorId || filter.chain.name !== chain.name) {
      throw new RpcError('SERVER_ERROR', 'filter not found');
    }
    filter.lastUsedMs = nowMs;
    this.#filters.delete(id);
    this.#filters.set(id, filter);
    return filter;
  }

  /** Forgets the actor's filter; whether there was one. */
  remove(actor: Actor, id: string): boolean {
    const filter = this.#filters.get(id);
    if (filter?.owner !== actor.actorId) return false;
    this.#forget(filter);
    return true;
  }

  #expire(nowMs: number): void {
    for (const filter of this.#filters.values()) {
      if (nowMs - filter.lastUsedMs < this.limits.filterIdleMs) return;
      this.#forget(filter);
    }
  }

  #forget(filter: Filter): void {
    this.#filters.delete(filter.id);
    const left = (this.#perActor.get(filter.owner) ?? 1) - 1;
    if (left > 0) this.#perActor.set(filter.owner, left);
    else this.#perActor.delete(filter.owner);
  }
}
