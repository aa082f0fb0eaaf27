import type { NodeId } from '@concordat/std';
import { ManagerError } from './errors.ts';

/** What this node is doing, as its operator sees it. */
export type Phase =
  | 'starting'
  | 'joining'
  | 'awaiting-approval'
  | 'resuming'
  | 'recovering'
  | 'learning'
  | 'running'
  | 'failed';

/** How a node that ends leaves. */
export interface LifeCycleEvents {
  /** Phase or reason changed. */
  readonly onPhase: (phase: Phase, reason: string | undefined) => void;
  /** The launch ends, because of this; called once. */
  readonly onFailed: (code: string, message: string) => void;
}

/** A node that no peer accepts and that hears no leader for this long is out of date. */
const disownedAfterMs = 10_000;

/** A peer's retries may be this far apart, so a change of its mind is seen that late. */
const noticedWithinMs = 2_000;
/** Peers that go on dialling each other do so again within this time. */
const dialsWithinMs = 5_000;
/** An election takes one to two timeouts: a majority that runs has a leader long before. */
const electionsTried = 5;

/** What became of a channel this node keeps. */
export interface ChannelChange {
  readonly up: boolean;
  /** Code of the failure or refusal. */
  readonly code: string | undefined;
  readonly nowMs: number;
}

/** The stages of one launch of a node, and what others wait for on the way. */
export class LifeCycle {
  readonly #events: LifeCycleEvents;
  readonly #trusted = Promise.withResolvers<void>();
  readonly #live = Promise.withResolvers<void>();
  #phase: Phase = 'starting';
  #reason: string | undefined;
  #onNetworkLive: (() => void) | undefined;
  #disownedSinceMs: number | undefined;
  /** Peers that say the network runs, and nothing else meanwhile: since when, and when last. */
  readonly #saidLive = new Map<NodeId, { readonly sinceMs: number; readonly lastMs: number }>();
  #leaderlessSinceMs: number | undefined;

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
  channelChanged(peer: NodeId, { up, code, nowMs }: ChannelChange): void {
    if (up) this.#disownedSinceMs = undefined;
    else if (code === 'NODE_NOT_ADMITTED') this.#disownedSinceMs ??= nowMs;
    if (up) this.#saidLive.delete(peer);
  }

  /**
   * A peer did not want this node, for a reason with this code: told each time, whichever of the two
   * dialled. The channels this node keeps may all date from when the others resumed as well, and
   * never say it.
   */
  refusedBy(peer: NodeId, code: string, nowMs: number): void {
    if (code !== 'NETWORK_LIVE') {
      this.#saidLive.delete(peer);
      return;
    }
    const said = this.#saidLive.get(peer);
    const goesOn = said !== undefined && nowMs - said.lastMs <= dialsWithinMs;
    this.#saidLive.set(peer, { sinceMs: goesOn ? said.sinceMs : nowMs, lastMs: nowMs });
  }

  /**
   * A peer that lost its leader in the same moment as this node was lost still believes in it, and
   * giving up the identity then could leave too few to elect another: so only a peer that goes on
   * saying so for longer than it takes to notice is believed. What it said once, and then was gone,
   * as a leader that is being stopped, counts for that moment only.
   */
  checkNetworkLive(electionTimeoutMs: number, nowMs: number): void {
    if (this.#phase !== 'resuming') return;
    const believedAfterMs = 2 * electionTimeoutMs + noticedWithinMs;
    const isBelieved = [...this.#saidLive.values()].some(
      ({ sinceMs, lastMs }) =>
        lastMs - sinceMs >= believedAfterMs && nowMs - lastMs <= dialsWithinMs,
    );
    if (isBelieved) this.#onNetworkLive?.();
  }

  /** Whether this node hears a leader now; called at short intervals. */
  hearsLeader(hears: boolean, nowMs: number): void {
    if (hears) this.#leaderlessSinceMs = undefined;
    else this.#leaderlessSinceMs ??= nowMs;
  }

  /**
   * Whether nodes that stopped may come back under their sealed identities: this node resumes
   * itself, or has heard no leader for so long that the nodes that run cannot elect one.
   */
  acceptsResumers(electionTimeoutMs: number, nowMs: number): boolean {
    if (this.#phase === 'resuming') return true;
    const since = this.#leaderlessSinceMs;
    return since !== undefined && nowMs - since >= electionsTried * electionTimeoutMs;
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
