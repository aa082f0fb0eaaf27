import type { HeightRange } from '@concordat/bridge';
import { assert } from '@concordat/std';

/** Which committed blocks this node's host has not got yet, as far as this node knows. */
export class HeldBlocks {
  #missing: HeightRange[];
  /** Missing too; the host takes none of them before its ledger goes on after the last one. */
  #passedOver: HeightRange | undefined;
  /** Blocks before this one were moved elsewhere by whoever operates the host. */
  readonly #firstHeight: number;

  /**
   * @param missing what the host lacks below its ledger's base and wants, lowest first
   * @param firstHeight the first block of its ledger; without a base, none before is wanted
   */
  constructor(missing: readonly HeightRange[] = [], firstHeight = 1) {
    this.#missing = [...missing];
    this.#firstHeight = missing.length === 0 ? firstHeight : 1;
  }

  /** Whether the host has the block, if it is committed here at all. */
  has(height: number): boolean {
    const isMissing = this.#lacking.some(({ from, to }) => from <= height && height <= to);
    return height >= this.#firstHeight && !isMissing;
  }

  /** The last height up to which the host has every block from this one on; below it when none. */
  wholeFrom(height: number): number {
    if (height < this.#firstHeight) return 0;
    const gap = this.#lacking.find(({ to }) => to >= height);
    return gap ? gap.from - 1 : Number.POSITIVE_INFINITY;
  }

  get #lacking(): readonly HeightRange[] {
    return this.#passedOver ? [...this.#missing, this.#passedOver] : this.#missing;
  }

  /** The lowest blocks that are missing; undefined when nothing is. */
  get next(): HeightRange | undefined {
    return this.#missing[0];
  }

  /** How many blocks are missing. */
  get missing(): number {
    return this.#missing.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  }

  /** The first missing block has been stored. */
  got(height: number): void {
    const [first, ...others] = this.#missing;
    assert(first?.from === height, `block ${height} is not the first one missing`);
    const rest = height === first.to ? [] : [{ from: height + 1, to: first.to }];
    this.#missing = [...rest, ...others];
  }

  /** The host no longer has blocks it had. */
  lost({ from, to }: HeightRange): void {
    const ranges = [...this.#missing, { from, to }].sort((a, b) => a.from - b.from);
    this.#missing = [];
    for (const range of ranges) {
      const last = this.#missing.at(-1);
      if (last && range.from <= last.to + 1) {
        this.#missing[this.#missing.length - 1] = {
          from: last.from,
          to: Math.max(last.to, range.to),
        };
      } else this.#missing.push(range);
    }
  }

  /** Every block above a height was dropped. */
  cutAfter(height: number): void {
    this.#missing = this.#missing.flatMap(({ from, to }) =>
      from > height ? [] : [{ from, to: Math.min(to, height) }],
    );
  }

  /** The ledger is about to go on after a height: what lies before is known here, and not on the host. */
  willGoOnAfter(height: number, wholeTo: number): void {
    if (wholeTo < height) this.#passedOver = { from: wholeTo + 1, to: height };
  }

  /** The ledger goes on after a height; it was whole up to another, or further. */
  goesOnAfter(height: number, wholeTo: number): void {
    this.#passedOver = undefined;
    if (wholeTo < height) this.#missing.push({ from: wholeTo + 1, to: height });
  }
}
