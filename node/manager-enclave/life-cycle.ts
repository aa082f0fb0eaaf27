import { ManagerError } from './errors.ts';

/** What this node is doing, as its operator sees it. */
export type Phase = 'starting' | 'joining' | 'resuming' | 'learning' | 'running' | 'failed';

/** How a node that ends leaves. */
export interface LifeCycleEvents {
  /** Phase or reason changed. */
  readonly onPhase: (phase: Phase, reason: string | undefined) => void;
  /** The launch ends, because of this; called once. */
  readonly onFailed: (code: string, message: string) => void;
}

/** A node that no peer accepts and that hears no leader for this long is out of date. */
const disownedAfterMs = 10_000;

/** The stages of one launch of a node, and what others wait for on the way. */
export class LifeCycle {
  readonly #events: LifeCycleEvents;
  readonly #trusted = Promise.withResolvers<void>();
  readonly #live = Promise.withResolvers<void>();
  #phase: Phase = 'starting';
  #reason: string | undefined;
  #onNetworkLive: (() => void) | undefined;
  #disownedSinceMs: number | undefined;

  constructor(events: LifeCycleEvents) {
    this.#events = events;
  }

  /** What this node is doing. */
  get phase(): Phase {
    return this.#phase;
  }

  /** Why it is not further, or why it failed. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Moves to another phase, with a reason an operator can act on. A failed node stays so. */
  enter(phase: Phase, reason?: string): void {
    if (this.#phase === 'failed') return;
    if (this.#phase === phase && this.#reason === reason) return;
    this.#phase = phase;
    this.#reason = reason;
    this.#events.onPhase(phase, reason);
  }

  /** Ends this launch: the host starts a pristine one. */
  fail(error: Error): void {
    if (this.#phase === 'failed') return;
    const code = 'code' in error ? String(error.code) : 'INTERNAL_ERROR';
    this.enter('failed', `${code}: ${error.message}`);
    this.#events.onFailed(code, error.message);
  }

  /** Resolves when the committed node list has this node among the voters. */
  get trusted(): Promise<void> {
    return this.#trusted.promise;
  }

  /** Resolves when a resumed network commits again. */
  get live(): Promise<void> {
    return this.#live.promise;
  }

  /** The network this node resumes with has committed a block of a new view. */
  isLive(): void {
    this.#live.resolve();
  }

  /** The committed node list says this of the node itself. */
  nodeStatus(status: string): void {
    if (status === 'learning' && this.#phase === 'joining') this.enter('learning');
    if (status === 'trusted') this.#trusted.resolve();
  }

  /** What to do when the network turns out to be running during a resumption. */
  set onNetworkLive(action: () => void) {
    this.#onNetworkLive = action;
  }

  /** A channel this node keeps came up, or could not be made for a reason with this code. */
  channelChanged(up: boolean, code: string | undefined, nowMs: number): void {
    if (up) this.#disownedSinceMs = undefined;
    else if (code === 'NODE_NOT_ADMITTED') this.#disownedSinceMs ??= nowMs;
    else if (code === 'NETWORK_LIVE' && this.#phase === 'resuming') this.#onNetworkLive?.();
  }

  /**
   * A removed node that was away when it was removed hears it only from those who refuse it. One
   * refusal may be ahead of its time; a lasting one, while no leader is heard, is not.
   */
  checkDisowned(hearsLeader: boolean, nowMs: number): void {
    if (this.#phase !== 'running' && this.#phase !== 'learning') return;
    const since = this.#disownedSinceMs;
    if (hearsLeader || since === undefined || nowMs - since < disownedAfterMs) return;
    this.fail(new ManagerError('NODE_NOT_ADMITTED', 'the network no longer accepts this node'));
  }
}
