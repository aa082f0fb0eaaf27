import type { VirtualProcess } from '../platform/virtual-process.ts';
import type { WorldClock } from '../platform/world-clock.ts';
import type { Random } from '../random.ts';

/** Where something is sent from or to. */
export interface Place {
  /** Name of the machine. */
  readonly machine: string;
  readonly process: VirtualProcess;
}

/** How the network treats what it carries; probabilities are per message. */
export interface WireQuality {
  readonly loss: number;
  readonly duplication: number;
  /** Probability that an old message comes once more after one that is sent. */
  readonly replay: number;
  /** Time a message takes at least, milliseconds. */
  readonly leastDelayMs: number;
  /** What is added to it at most; different delays reorder. */
  readonly jitterMs: number;
}

/** What the network did, for the report. */
export interface WireCounts {
  messages: number;
  lost: number;
  duplicated: number;
  replayed: number;
  /** Messages and requests that a partition swallowed. */
  cut: number;
}

/** Directed connections that are cut, until a moment of virtual time. */
export interface Cut {
  readonly untilMs: number;
  cuts(from: string, to: string): boolean;
}

/** Old messages kept to be replayed. */
const keptMessages = 256;

/** The network between machines. */
export class Wire {
  readonly counts: WireCounts = { messages: 0, lost: 0, duplicated: 0, replayed: 0, cut: 0 };
  quality: WireQuality;
  cuts: Cut[] = [];
  readonly #clock: WorldClock;
  readonly #random: Random;
  readonly #old: { readonly to: Place; readonly deliver: () => void }[] = [];

  constructor(clock: WorldClock, random: Random, quality: WireQuality) {
    this.#clock = clock;
    this.#random = random;
    this.quality = quality;
  }

  /** Whether nothing gets from one machine to the other. */
  isCut(from: string, to: string): boolean {
    this.cuts = this.cuts.filter(({ untilMs }) => untilMs > this.#clock.nowMs);
    const isCut = this.cuts.some((cut) => cut.cuts(from, to));
    if (isCut) this.counts.cut += 1;
    return isCut;
  }

  /** Carries what arrives once or, where the connection is cut, never. */
  carry(from: Place, to: Place, deliver: () => void): void {
    if (this.isCut(from.machine, to.machine)) return;
    this.#clock.after(this.#delayMs(), to.process, () => {
      if (!this.isCut(from.machine, to.machine)) deliver();
    });
  }

  /** Tells one end of a connection, some time later, that the other one's process is gone. */
  broken(to: Place, tell: () => void): void {
    this.#clock.after(this.#random.between(1, 2_000), to.process, tell);
  }

  /** Carries a message that may be lost, come twice, late, or again long after. */
  carryLossy(from: Place, to: Place, deliver: () => void): void {
    const { loss, duplication, replay } = this.quality;
    const random = this.#random;
    this.counts.messages += 1;
    if (random.chance(loss)) {
      this.counts.lost += 1;
      return;
    }
    this.carry(from, to, deliver);
    if (random.chance(duplication)) {
      this.counts.duplicated += 1;
      this.carry(from, to, deliver);
    }
    if (replay === 0) return;
    const slot = random.between(0, keptMessages - 1);
    if (random.chance(replay) && this.#old.length > 0) {
      const { to: then, deliver: again } = random.pick(this.#old);
      this.counts.replayed += 1;
      this.carry(from, then, again);
    }
    if (this.#old.length < keptMessages) this.#old.push({ to, deliver });
    else this.#old[slot] = { to, deliver };
  }

  #delayMs(): number {
    const { leastDelayMs, jitterMs } = this.quality;
    return leastDelayMs + this.#random.fraction() * jitterMs;
  }
}
