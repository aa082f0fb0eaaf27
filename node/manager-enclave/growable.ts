/**
 * A growing array of numbers kept in one typed array: eight bytes an item where an array of
 * boxed numbers or objects would take several times that for a ledger of millions of blocks.
 */
export class NumberColumn {
  #items = new Float64Array(1024);
  #length = 0;

  /** Items held. */
  get length(): number {
    return this.#length;
  }

  /** Item at a position; undefined outside. */
  at(position: number): number | undefined {
    return position < this.#length ? this.#items[position] : undefined;
  }

  /** Appends one item. */
  push(value: number): void {
    if (this.#length === this.#items.length) {
      const grown = new Float64Array(this.#items.length * 2);
      grown.set(this.#items);
      this.#items = grown;
    }
    this.#items[this.#length++] = value;
  }

  /** Drops items from the end until `length` are left. */
  truncate(length: number): void {
    if (length < this.#length) this.#length = length;
  }

  /** Position of the last item that is not above `value` in an ascending column; -1 when none. */
  lastNotAbove(value: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle] as number) <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
