import type { BlockHeader } from '@concordat/ledger';
import type { Findings } from './findings.ts';
import { finalityGraceMs } from './leadership.ts';

/**
 * Judges under which epochs blocks are sealed. An epoch is in force once the block that began it is
 * final, which no file tells: until then, and when a new leader does not know it yet, blocks are
 * still sealed under an earlier one.
 */
export class SealingEpochs {
  readonly #findings: Findings;
  /** The newest that was begun. */
  #newest = 1;
  #begunAtMs = 0;
  #view = 0;
  #viewAtMs = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** The next block of the chain. */
  block({ epoch, view, timeMs }: BlockHeader): void {
    if (view !== this.#view) {
      this.#view = view;
      this.#viewAtMs = timeMs;
    }
    if (epoch === this.#newest) return;
    const sinceMs = timeMs - Math.max(this.#begunAtMs, this.#viewAtMs);
    if (epoch < this.#newest && sinceMs <= finalityGraceMs) {
      const message = `sealed under epoch ${epoch} while epoch ${this.#newest} was being begun`;
      this.#findings.observe('earlier-epoch', message);
      return;
    }
    const message =
      epoch < this.#newest
        ? `sealed under epoch ${epoch}, long after epoch ${this.#newest} began`
        : `sealed under epoch ${epoch}, which nothing has begun`;
    this.#findings.defect('keys', 'WRONG_EPOCH', { message });
  }

  /** A block was taken up, after which this is the newest epoch. */
  newest(epoch: number, { timeMs }: BlockHeader): void {
    if (epoch === this.#newest) return;
    this.#newest = epoch;
    this.#begunAtMs = timeMs;
  }
}
