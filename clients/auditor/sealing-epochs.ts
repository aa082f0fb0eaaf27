import {
  type Constitution,
  type EpochBegun,
  epochOwed,
  newestEpoch,
  owedPatienceMs,
  readConstitution,
} from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import type { BlockHeader } from '@concordat/ledger';
import type { Findings } from './findings.ts';
import { finalityGraceMs } from './leadership.ts';

/**
 * Judges under which epochs blocks are sealed, and that no epoch goes on longer than the policies of
 * its time allow. An epoch is in force once the block that began it is final, which no file tells:
 * until then, and when a new leader does not know it yet, blocks are still sealed under an earlier
 * one.
 */
export class SealingEpochs {
  readonly #findings: Findings;
  /** The newest that was begun. */
  #newest = 1;
  #begunAtMs = 0;
  #view = 0;
  #viewAtMs = 0;
  #begun: EpochBegun | undefined;
  #policies: Constitution['policies'] | undefined;
  /** When an epoch begins that is owed, with a fresh shared key or without. */
  #owedByMs: number | undefined;
  /** Time of the first block at which the newest epoch should have ended. */
  #dueAtMs: number | undefined;
  /** It was told already. */
  #overdue = false;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** The next block of the chain. */
  block(header: BlockHeader): void {
    const { epoch, view, timeMs } = header;
    if (view !== this.#view) {
      this.#view = view;
      this.#viewAtMs = timeMs;
    }
    this.#judgeLength(header);
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

  /** A leader that has just begun to lead, or whose blocks wait for a majority, ends it late. */
  #judgeLength({ timeMs, height }: BlockHeader): void {
    if (!this.#isDue(timeMs, height)) {
      this.#dueAtMs = undefined;
      return;
    }
    this.#dueAtMs ??= timeMs;
    const sinceMs = timeMs - Math.max(this.#dueAtMs, this.#viewAtMs);
    if (sinceMs <= finalityGraceMs || this.#overdue) return;
    this.#overdue = true;
    const { epochDuration, epochBlocks } = this.#policies as Constitution['policies'];
    const isOwed = this.#owedByMs !== undefined && timeMs >= this.#owedByMs;
    const limits = isOwed
      ? 'the next one waits for a fresh shared key'
      : `epochDuration ${epochDuration} s, epochBlocks ${epochBlocks}`;
    const message = `epoch ${this.#newest} goes on, ${Math.round(sinceMs / 1000)} s after it should have ended (${limits})`;
    this.#findings.defect('keys', 'EPOCH_OVERDUE', { message });
  }

  #isDue(timeMs: number, height: number): boolean {
    const begun = this.#begun;
    if (!begun || !this.#policies) return false;
    if (this.#owedByMs !== undefined && timeMs >= this.#owedByMs) return true;
    const { epochDuration, epochBlocks } = this.#policies;
    const isLong = epochDuration > 0 && timeMs - begun.timeMs >= epochDuration * 1000;
    return isLong || (epochBlocks > 0 && height - begun.height >= epochBlocks);
  }

  /** A block was taken up, after which this is the state. */
  newest(state: ReadView, { timeMs }: BlockHeader): void {
    const begun = newestEpoch(state);
    const owed = epochOwed(state);
    this.#policies = readConstitution(state).policies;
    this.#owedByMs = owed && owed.timeMs + owedPatienceMs(state);
    if (!begun || begun.epoch === this.#newest) {
      this.#begun ??= begun;
      return;
    }
    this.#begun = begun;
    this.#newest = begun.epoch;
    this.#begunAtMs = timeMs;
    this.#dueAtMs = undefined;
    this.#overdue = false;
  }
}
