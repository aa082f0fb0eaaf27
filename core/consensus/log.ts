import { assert, type Height, type View } from '@concordat/std';
import type { Entry, InitialState, SnapshotPosition, ViewStart } from './consensus.ts';
import { ViewHistory } from './view-history.ts';

/** Bookkeeping bytes an entry in memory is charged beside its payload. */
const entryOverhead = 96;
/** Evicted slots at the front of the array before it is compacted. */
const compactAt = 1024;

/** A stretch that a truncation removed: what a late `persisted` may still speak of. */
interface Cut {
  readonly after: Height;
  readonly last: Height;
  readonly removed: readonly { readonly view: View; readonly fromHeight: Height }[];
}

/**
 * The log: the view of every entry, the payloads of the newest ones, and how far it is durable.
 * No operation scans it.
 */
export class Log {
  #views: ViewHistory;
  readonly #maxMemoryBytes: number;
  /** Entries in memory: `#cache[#head]` is the one at `#cacheFirst`. */
  #cache: (Entry | undefined)[] = [];
  #head = 0;
  #cacheFirst: Height;
  #cacheBytes = 0;
  #last: Height;
  #persisted: Height;
  #cuts: Cut[] = [];

  constructor(initial: InitialState, maxMemoryBytes: number) {
    this.#views = new ViewHistory(initial.viewHistory);
    assert(this.#views.lastView === initial.lastView, 'view history ends with the last view');
    assert(initial.committed <= initial.lastHeight, 'committed entries are in the log');
    this.#maxMemoryBytes = maxMemoryBytes;
    this.#last = initial.lastHeight;
    this.#persisted = initial.lastHeight;
    this.#cacheFirst = (initial.lastHeight + 1) as Height;
  }

  get lastHeight(): Height {
    return this.#last;
  }

  get lastView(): View {
    return this.#views.lastView;
  }

  /** Durable up to here. */
  get persistedHeight(): Height {
    return this.#persisted;
  }

  /** Entries from here on are in memory. */
  get memoryFrom(): Height {
    return this.#cacheFirst;
  }

  /** Whether what cannot be evicted exceeds the memory given. */
  get full(): boolean {
    return this.#cacheBytes > this.#maxMemoryBytes;
  }

  /** View of an entry of the log; undefined outside it. */
  viewAt(height: Height): View | undefined {
    return height > this.#last ? undefined : this.#views.at(height);
  }

  /** Highest height up to `from` whose view is at most `view`. */
  lastNotAbove(view: View, from: Height): Height {
    return this.#views.lastNotAbove(view, from);
  }

  append(entry: Entry): void {
    assert(entry.height === this.#last + 1, 'entries come in order');
    this.#views.extend(entry.height, entry.view);
    this.#last = entry.height;
    this.#cache.push(entry);
    this.#cacheBytes += entry.payload.length + entryOverhead;
  }

  /** Entries in memory from `from`, at least one, up to `maxBytes` of payload. */
  slice(from: Height, maxBytes: number): Entry[] {
    const entries: Entry[] = [];
    let at = this.#head + (from - this.#cacheFirst);
    let bytes = 0;
    while (at < this.#cache.length) {
      const entry = this.#cache[at] as Entry;
      bytes += entry.payload.length;
      if (bytes > maxBytes && entries.length > 0) break;
      entries.push(entry);
      at += 1;
    }
    return entries;
  }

  /** Removes the entries above `height`. */
  truncate(height: Height): void {
    const last = this.#last;
    const removed = this.#views.truncate(height);
    while (this.#last > height && this.#cache.length > this.#head) {
      const entry = this.#cache.pop() as Entry;
      this.#cacheBytes -= entry.payload.length + entryOverhead;
      this.#last = (this.#last - 1) as Height;
    }
    this.#last = height;
    if (this.#cacheFirst > height + 1) this.#cacheFirst = (height + 1) as Height;
    if (this.#persisted > height) this.#persisted = height;
    else if (this.#persisted < last) this.#cuts.push({ after: height, last, removed });
  }

  /**
   * Durable up to the entry at `height` of `view`. When that entry has been truncated since, the
   * part before the cut is durable all the same. Answers whether the durable height rose.
   */
  persist(height: Height, view: View): boolean {
    const durable = this.viewAt(height) === view ? height : this.#beforeCut(height, view);
    if (durable === undefined || durable <= this.#persisted) return false;
    this.#persisted = durable;
    this.#cuts = this.#cuts.filter((cut) => cut.after > durable);
    return true;
  }

  /**
   * Forgets every entry: the log begins after a snapshot that is durable. The views before it are
   * those given, else only that of its last entry is known.
   */
  reset(position: SnapshotPosition, viewHistory: readonly ViewStart[] | undefined): void {
    const { height, view } = position;
    this.#views = new ViewHistory(viewHistory ?? [{ view, fromHeight: height }]);
    assert(this.#views.lastView === view, 'view history ends with the snapshot');
    assert(this.#views.lastStart <= height, 'view history ends with the snapshot');
    this.#cache = [];
    this.#head = 0;
    this.#cacheFirst = (height + 1) as Height;
    this.#cacheBytes = 0;
    this.#last = height;
    this.#persisted = height;
    this.#cuts = [];
  }

  #beforeCut(height: Height, view: View): Height | undefined {
    let durable: Height | undefined;
    for (const cut of this.#cuts) {
      if (durable === undefined) {
        if (wasIn(cut, height, view)) durable = cut.after;
      } else if (cut.after < durable) durable = cut.after;
    }
    return durable;
  }

  /** Drops payloads, oldest first, while memory is over its limit; only what is on disk for good. */
  evict(committed: Height): void {
    const limit = Math.min(committed, this.#persisted);
    while (this.#cacheBytes > this.#maxMemoryBytes && this.#cacheFirst <= limit) {
      const entry = this.#cache[this.#head] as Entry;
      this.#cache[this.#head] = undefined;
      this.#head += 1;
      this.#cacheFirst = (this.#cacheFirst + 1) as Height;
      this.#cacheBytes -= entry.payload.length + entryOverhead;
    }
    if (this.#head >= compactAt && this.#head * 2 >= this.#cache.length) {
      this.#cache = this.#cache.slice(this.#head);
      this.#head = 0;
    }
  }
}

function wasIn(cut: Cut, height: Height, view: View): boolean {
  if (height > cut.last) return false;
  let found: View | undefined;
  for (const run of cut.removed) if (run.fromHeight <= height) found = run.view;
  return found === view;
}
