import type { DiskOperation } from '../disk/file-system.ts';
import type { WorldClock } from '../platform/world-clock.ts';
import type { Random } from '../random.ts';
import type { DiskQuality } from './plan.ts';

/** What is wrong with one machine's disk, each until a moment of virtual time. */
interface Trouble {
  slowUntilMs: number;
  fullUntilMs: number;
  failingUntilMs: number;
  /** Reads give back flipped bits. */
  lyingUntilMs: number;
}

/** What was read falsely may wait so long, for the key that opens it, before it is looked at. */
const rememberedMs = 10_000;

/** How well every machine's disk works at present. */
export class DiskHealth {
  readonly #clock: WorldClock;
  readonly #random: Random;
  readonly #quality: DiskQuality;
  readonly #troubles = new Map<string, Trouble>();
  readonly #lastFalseReadMs = new Map<string, number>();
  /** Reads that gave back something else than is stored. */
  falseReads = 0;

  constructor(clock: WorldClock, random: Random, quality: DiskQuality) {
    this.#clock = clock;
    this.#random = random;
    this.#quality = quality;
  }

  /** What is wrong with a machine's disk; to be changed by whoever makes it so. */
  of(machine: string): Trouble {
    let trouble = this.#troubles.get(machine);
    if (!trouble) {
      trouble = { slowUntilMs: 0, fullUntilMs: 0, failingUntilMs: 0, lyingUntilMs: 0 };
      this.#troubles.set(machine, trouble);
    }
    return trouble;
  }

  /** Whether anything is wrong with a machine's disk now. */
  isTroubled(machine: string): boolean {
    const { nowMs } = this.#clock;
    return Object.values(this.of(machine)).some((untilMs) => untilMs > nowMs);
  }

  /** Whether a machine may still have in hand what its disk read falsely, however sound it is now. */
  hasReadFalsely(machine: string): boolean {
    const lastMs = this.#lastFalseReadMs.get(machine);
    return lastMs !== undefined && this.#clock.nowMs - lastMs < rememberedMs;
  }

  /** Every disk is as good as new. */
  heal(): void {
    this.#troubles.clear();
  }

  /** Resolves when the disk is done, on behalf of the process that asked. */
  wait(machine: string, { kind }: DiskOperation): Promise<void> {
    const { syncMs, otherMs } = this.#quality;
    const slow = this.of(machine).slowUntilMs > this.#clock.nowMs ? 20 : 1;
    const most = (kind === 'sync' ? syncMs : otherMs) * slow;
    const delayMs = most * (0.2 + 0.8 * this.#random.fraction());
    const process = this.#clock.current;
    return new Promise((done) => {
      this.#clock.after(delayMs, process, done);
    });
  }

  /** System code an operation fails with, if it does. */
  fault(machine: string, { kind }: DiskOperation): string | undefined {
    const { fullUntilMs, failingUntilMs } = this.of(machine);
    const { nowMs } = this.#clock;
    if (kind === 'write' && fullUntilMs > nowMs) return 'ENOSPC';
    const touchesDisk = kind === 'write' || kind === 'sync' || kind === 'read';
    if (failingUntilMs > nowMs && touchesDisk && this.#random.chance(0.3)) return 'EIO';
    return undefined;
  }

  /** Changes what a read gives back, where the disk lies. */
  read(machine: string, path: string, bytes: Buffer): void {
    if (this.of(machine).lyingUntilMs <= this.#clock.nowMs) return;
    if (!path.includes('/ledger/') || bytes.length < 64 || !this.#random.chance(0.5)) return;
    const at = this.#random.between(32, bytes.length - 1);
    bytes[at] = (bytes[at] as number) ^ (1 << this.#random.between(0, 7));
    this.falseReads += 1;
    this.#lastFalseReadMs.set(machine, this.#clock.nowMs);
  }
}
