import { readFile, rm } from 'node:fs/promises';
import { isHex64 } from '@concordat/std';
import type { Log } from './log.ts';

/** Name of the file in the data directory by which an operator decides. */
export const decisionFileName = 'approval.json';

const pollMs = 250;
const maxFileBytes = 4_096;

/** What an operator decided about the constitution with these terms. */
interface Decision {
  /** Hex, 32 bytes. */
  readonly terms: string;
  readonly accept: boolean;
}

/** What becomes of a decision. */
export interface DecisionEvents {
  readonly onApproved: (terms: string) => void;
  readonly onRefused: (terms: string) => void;
}

/**
 * Looks for the operator's decision while the manager waits for one: a file, because no port of the node
 * is open then. A decision about other terms than those shown changes nothing.
 */
export class OperatorDecision {
  readonly #path: string;
  readonly #log: Log;
  readonly #events: DecisionEvents;
  #awaited: string | undefined;
  #told = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, log: Log, events: DecisionEvents) {
    this.#path = path;
    this.#log = log;
    this.#events = events;
  }

  /** Takes note of what the manager says of itself. */
  statusIs(status: unknown): void {
    const { phase, approval } = (status ?? {}) as { phase?: unknown; approval?: unknown };
    const { terms } = (approval ?? {}) as { terms?: unknown };
    this.#awaited = phase === 'awaiting-approval' && isHex64(terms) ? terms : undefined;
    if (this.#awaited === undefined) this.close();
    else this.#timer ??= setInterval(() => void this.#look(), pollMs);
  }

  /** Stops looking. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch(() => undefined);
    const awaited = this.#awaited;
    if (text === undefined || awaited === undefined || `${awaited}${text}` === this.#told) return;
    // Each decision is heard once for each constitution that is shown.
    this.#told = `${awaited}${text}`;
    const decision = parseDecision(text);
    if (decision?.terms !== awaited) {
      this.#log.warn('approval.ignored', { terms: awaited, decided: decision?.terms });
      return;
    }
    this.#log.info(decision.accept ? 'approval.given' : 'approval.refused', { terms: awaited });
    if (decision.accept) return this.#events.onApproved(awaited);
    // It ends this node. Whoever starts it again thinks again: an old refusal does not decide for them.
    await rm(this.#path, { force: true });
    this.#events.onRefused(awaited);
  }
}

function parseDecision(text: string): Decision | undefined {
  if (text.length > maxFileBytes) return undefined;
  try {
    const { terms, accept } = JSON.parse(text) as Record<string, unknown>;
    return isHex64(terms) && typeof accept === 'boolean' ? { terms, accept } : undefined;
  } catch {
    return undefined;
  }
}
