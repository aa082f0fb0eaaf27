import { CodedError, type NodeId, utf8 } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { readForeignObject } from './foreign.ts';
import type { PeerChannel } from './ports.ts';

const askTimeoutMs = 1_000;
const askAgainMs = 200;

/** Where a node's log ends. */
export interface LogPosition {
  readonly view: number;
  readonly height: number;
}

/** Whether a log is longer than another: of a later view, or of the same and higher (Raft, 5.4.1). */
export const isLonger = (one: LogPosition, other: LogPosition): boolean =>
  one.view > other.view || (one.view === other.view && one.height > other.height);

/** A position as nodes tell it: JSON `{height, view}` in UTF-8. */
export const encodePosition = ({ view, height }: LogPosition): Uint8Array =>
  utf8(JSON.stringify({ height, view }));

/** @throws ManagerError CHANNEL_FAILED */
export function decodePosition(bytes: Uint8Array): LogPosition {
  const { height, view } = readForeignObject(bytes, 'a position');
  const isPlace = (value: unknown): value is number =>
    Number.isSafeInteger(value) && (value as number) >= 0;
  if (isPlace(height) && isPlace(view)) return { height, view };
  throw new ManagerError('CHANNEL_FAILED', 'a position makes no sense');
}

/** What a roll call is made of. */
export interface RollCallParts {
  /** Voters beside this node. */
  readonly others: readonly NodeId[];
  readonly own: LogPosition;
  /** How long it waits for all of them; milliseconds. */
  readonly patienceMs: number;
  readonly channel: Pick<PeerChannel, 'request'>;
  readonly nowMs: () => number;
  readonly pause: (ms: number) => Promise<void>;
}

/**
 * Before nodes that resume elect a leader they hear from all voters how long their logs are. A host
 * that puts back an older disk is not found out by its own node; but then another node's log is longer,
 * and with enough patience it is that one which leads. Whoever is behind does not stand for election.
 */
export class RollCall {
  readonly #parts: RollCallParts;
  readonly #heard = new Map<NodeId, LogPosition>();
  readonly #untilMs: number;

  constructor(parts: RollCallParts) {
    this.#parts = parts;
    this.#untilMs = parts.nowMs() + parts.patienceMs;
  }

  /** Voters that have not been heard. */
  get missing(): readonly NodeId[] {
    return this.#parts.others.filter((node) => !this.#heard.has(node));
  }

  /** Whether a voter that was heard has a longer log than this node. */
  get isBehind(): boolean {
    return [...this.#heard.values()].some((position) => isLonger(position, this.#parts.own));
  }

  /** Resolves when all voters were heard, or patience is over; `onWaiting` is told whom it waits for. */
  async complete(onWaiting: (missing: readonly NodeId[]) => void): Promise<void> {
    const { nowMs, pause } = this.#parts;
    for (;;) {
      await Promise.all(this.missing.map((node) => this.#ask(node)));
      if (this.missing.length === 0 || nowMs() >= this.#untilMs) return;
      onWaiting(this.missing);
      await pause(askAgainMs);
    }
  }

  async #ask(node: NodeId): Promise<void> {
    try {
      const nothing = Buffer.alloc(0);
      const { channel } = this.#parts;
      const answer = await channel.request(node, 'log-position', nothing, askTimeoutMs);
      this.#heard.set(node, decodePosition(answer));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
    }
  }

  /**
   * Whether this node leaves it to others to stand for election: one that was heard has a longer log.
   * It does so for as long again as it was patient, should that one be gone by then.
   */
  holdsBack(): boolean {
    const { nowMs, patienceMs } = this.#parts;
    return this.isBehind && nowMs() < this.#untilMs + patienceMs;
  }
}
