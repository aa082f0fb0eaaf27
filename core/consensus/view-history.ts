import { assert, type Height, type View } from '@concordat/std';
import type { ViewStart } from './consensus.ts';

/**
 * The view of every entry of a log as runs, one for each view that has entries: a lookup needs no
 * entry in memory, and costs O(log views), O(1) for the newest view.
 */
export class ViewHistory {
  readonly #views: View[] = [];
  readonly #starts: Height[] = [];

  constructor(history: readonly ViewStart[]) {
    for (const { view, fromHeight } of history) this.extend(fromHeight, view);
  }

  /** First height whose view is known; 1 for a whole log. */
  get firstHeight(): Height {
    return this.#starts[0] ?? (1 as Height);
  }

  /** View of the newest run; 0 when there is none. */
  get lastView(): View {
    return this.#views[this.#views.length - 1] ?? (0 as View);
  }

  /** Height at which the newest run starts; 0 when there is none. */
  get lastStart(): Height {
    return this.#starts[this.#starts.length - 1] ?? (0 as Height);
  }

  /** The entry at `height` has this view. Heights come in order, views never fall. */
  extend(height: Height, view: View): void {
    const last = this.#views.length - 1;
    if (last >= 0) {
      const lastView = this.#views[last] as View;
      if (view === lastView) return;
      assert(view > lastView, 'views of a log never fall');
      assert(height > (this.#starts[last] as Height), 'view runs start at rising heights');
    }
    this.#views.push(view);
    this.#starts.push(height);
  }

  /** View of the entry at `height`, which the log must hold; 0 at height 0; undefined below the first. */
  at(height: Height): View | undefined {
    if (height === 0) return 0 as View;
    const run = this.#runOf(height);
    return run < 0 ? undefined : this.#views[run];
  }

  /** Highest height up to `from` whose view is at most `view`; 0 when there is none. */
  lastNotAbove(view: View, from: Height): Height {
    let run = this.#runOf(from);
    if (run < 0) return 0 as Height;
    if ((this.#views[run] as View) <= view) return from;
    while (run >= 0 && (this.#views[run] as View) > view) run -= 1;
    return ((this.#starts[run + 1] as Height) - 1) as Height;
  }

  /** Drops the entries above `height` and returns the runs that lost entries. */
  truncate(height: Height): ViewStart[] {
    const removed: ViewStart[] = [];
    let last = this.#starts.length - 1;
    while (last >= 0 && (this.#starts[last] as Height) > height) {
      removed.unshift({
        view: this.#views.pop() as View,
        fromHeight: this.#starts.pop() as Height,
      });
      last -= 1;
    }
    if (last >= 0) {
      const fromHeight = (height + 1) as Height;
      if (removed[0]?.fromHeight !== fromHeight) {
        removed.unshift({ view: this.#views[last] as View, fromHeight });
      }
    }
    return removed;
  }

  #runOf(height: Height): number {
    const starts = this.#starts;
    let high = starts.length - 1;
    if (high < 0 || height >= (starts[high] as Height)) return high;
    let low = -1;
    while (low < high - 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as Height) <= height) low = middle;
      else high = middle;
    }
    return low;
  }
}
