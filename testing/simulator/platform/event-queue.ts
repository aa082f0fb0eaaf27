/** Something that happens at a moment of virtual time. */
export interface Event {
  atMs: number;
  /** Order of those at the same moment. */
  readonly order: number;
  readonly run: () => void;
}

/** Events by time, those of one moment in the order they were added (a binary heap). */
export class EventQueue {
  readonly #heap: Event[] = [];

  /** Events that wait. */
  get length(): number {
    return this.#heap.length;
  }

  /** The next event, not taken out. */
  get first(): Event | undefined {
    return this.#heap[0];
  }

  /** Adds an event. */
  push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  /** Takes out the next event. */
  pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) {
        child += 1;
      }
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

const isBefore = (a: Event, b: Event): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
