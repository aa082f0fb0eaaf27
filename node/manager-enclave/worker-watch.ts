import type { WorkerPort } from './ports.ts';

/** How often workers are asked whether they still turn. */
export const workerCheckMs = 500;
/** A worker may be busy with one heavy transaction for so long. */
const minSilenceMs = 5_000;

/** What watching the workers needs, and what it does. */
export interface WorkerWatchParts {
  /** Workers that take part; a node that does not serve yet has none to watch. */
  readonly links: () => Iterable<Pick<WorkerPort, 'index' | 'ping' | 'unansweredPings'>>;
  readonly leads: () => boolean;
  /** Hands leadership to another voter; whether there was one to hand it to. */
  readonly handOver: () => boolean;
  readonly tell: (event: string, fields: Record<string, unknown>) => void;
  readonly electionTimeoutMs: () => number;
}

/**
 * Watches that the workers of this node still turn. A host that lets the leader's worker hang would
 * stop the whole network, while its manager goes on to be heard: such a leader gives way to another
 * node. Silence is counted in checks, not in time: a manager that was held up itself counts one.
 */
export class WorkerWatch {
  readonly #parts: WorkerWatchParts;
  readonly #silent = new Set<number>();
  /** Checks since leadership was given away for a silent worker; 0 = not yet. */
  #sinceGiven = 0;

  constructor(parts: WorkerWatchParts) {
    this.#parts = parts;
  }

  /** Workers that have not answered for too long, by index. */
  get silent(): readonly number[] {
    return [...this.#silent];
  }

  /** To be called every {@link workerCheckMs}. */
  check(): void {
    const { links, leads, handOver, tell, electionTimeoutMs } = this.#parts;
    const allowed = Math.ceil(Math.max(minSilenceMs, 2 * electionTimeoutMs()) / workerCheckMs);
    for (const link of links()) {
      const { index, unansweredPings } = link;
      if (unansweredPings < allowed) {
        if (this.#silent.delete(index)) tell('worker.answers-again', { worker: index });
      } else if (!this.#silent.has(index)) {
        this.#silent.add(index);
        tell('worker.silent', { level: 'error', worker: index, forMs: allowed * workerCheckMs });
      }
      link.ping();
    }
    if (this.#silent.size === 0 || !leads()) {
      this.#sinceGiven = 0;
      return;
    }
    // Whoever was to take over may not have been able to: tried again, but not at once.
    if (this.#sinceGiven === 0) {
      tell('consensus.gives-way', { level: 'warn', silentWorkers: this.silent, given: handOver() });
    }
    this.#sinceGiven = (this.#sinceGiven + 1) % allowed;
  }
}
