import { KeyHistory, type UnknownGroup } from './key-history.ts';
import type { Operation } from './operation.ts';
import { absent, onlyLooks, type State, type Step, stuck, take, unread } from './register.ts';

/** How far a search has come. */
export type Progress = 'found' | 'exhausted' | 'unfinished' | 'out of memory';

/** Room for the memos of all searches of a check. */
export interface Memory {
  /** Configurations that may still be remembered; some 100 bytes each. */
  left: number;
}

/** Room for 3 million configurations. */
export const freshMemory = (): Memory => ({ left: 3_000_000 });

/** Steps between two looks at the clock. */
const stepsPerLook = 256;

/** One choice made. */
interface Move {
  readonly before: State;
  /** The answered operation that was placed, or undefined. */
  readonly operation: number | undefined;
  /** The group of unknown outcome of which one took effect, or undefined. */
  readonly group: number | undefined;
  /** Groups not tried yet in its place. */
  readonly otherGroups: readonly number[];
  /** No other choice can do better in its place, so none is tried. */
  readonly forced: boolean;
}

/**
 * The search for an order of single steps that explains the history of one key (Wing and Gong 1993),
 * with the memo of configurations that led nowhere (Lowe 2017): a configuration is the set of
 * operations already placed and the state they leave. Calls and returns stand in one list by their
 * time; only operations before the first return in it may be placed next. Operations of unknown
 * outcome may be placed at any time after their call, or never: they are tried last, and only where
 * an answered operation needs what they do. Runs in slices.
 */
export class Search {
  readonly #history: KeyHistory;
  readonly #memory: Memory;
  /** List of events, see {@link KeyHistory.events}; the last place is its head. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;
  /** Bits of placed operations. */
  readonly #placed: Uint16Array;
  /** Every word below is full. */
  #low = 0;
  /** No word from here on has a bit. */
  #high = 0;
  /** How many of each group took effect. */
  readonly #used: Uint16Array;
  readonly #remembered = new Set<string>();
  readonly #moves: Move[] = [];
  #state: State;
  #entry: number;
  #left: number;

  /** @param operations of one key, none of them `failed` */
  constructor(operations: readonly Operation[], memory: Memory, initial: State = absent) {
    this.#memory = memory;
    this.#history = new KeyHistory(operations);
    const { steps, groups, events } = this.#history;
    this.#left = steps.length;
    this.#placed = new Uint16Array((steps.length >> 4) + 1);
    this.#used = new Uint16Array(groups.length);
    this.#head = events.length;
    this.#next = new Int32Array(this.#head + 1);
    this.#previous = new Int32Array(this.#head + 1);
    let last = this.#head;
    for (const event of [...events, this.#head]) {
      this.#next[last] = event;
      this.#previous[event] = last;
      last = event;
    }
    this.#state = initial;
    this.#entry = this.#next[this.#head] as number;
  }

  /** Goes on until it is decided or `isOver` says that this slice has ended. */
  run(isOver: () => boolean): Progress {
    for (let turns = 1; this.#left > 0; turns += 1) {
      if (turns % stepsPerLook === 0) {
        if (this.#memory.left <= 0) return this.#end('out of memory');
        if (isOver()) return 'unfinished';
      }
      if ((this.#entry & 1) === 0) {
        if (!this.#place(this.#entry >> 1)) this.#entry = this.#next[this.#entry] as number;
        continue;
      }
      // A return: nothing else may be placed before its operation, and nothing answered fits.
      if (!this.#use(this.#usefulGroups()) && !this.#takeBack()) return this.#end('exhausted');
    }
    return this.#end('found');
  }

  /** Gives back what was remembered. */
  #end(progress: Progress): Progress {
    this.#memory.left += this.#remembered.size;
    this.#remembered.clear();
    return progress;
  }

  /** Places an answered operation next, if it fits and that has not been tried. */
  #place(operation: number): boolean {
    const before = this.#state;
    const step = this.#history.steps[operation] as Step;
    const state = take(step, before);
    if (state === stuck) return false;
    const forced = this.#isForced(step, before, state);
    this.#flip(operation);
    this.#history.count(step, -1);
    const isDead = state !== before && this.#history.isLost(before);
    if (isDead || !this.#isNew(state)) {
      this.#history.count(step, 1);
      this.#flip(operation);
      return false;
    }
    this.#moves.push({ before, operation, group: undefined, otherGroups: [], forced });
    this.#unlink(2 * operation);
    this.#unlink(2 * operation + 1);
    this.#left -= 1;
    this.#state = state;
    this.#entry = this.#next[this.#head] as number;
    return true;
  }

  /**
   * What only looks, and fits, may as well look now: every later choice stays open. So may a write
   * of which nobody ever asks, over a state nobody asks for again, where no answer tells of less
   * than the whole state.
   */
  #isForced(step: Step, before: State, state: State): boolean {
    if (state === before && onlyLooks(step)) return true;
    const { isPlain, needs } = this.#history;
    return isPlain && state === unread && needs[before] === 0;
  }

  /** Groups that would let an operation be placed that does not fit now; each once. */
  #usefulGroups(): number[] {
    const { steps, groups, returns } = this.#history;
    if (groups.length === 0) return [];
    const firstReturn = returns[this.#entry >> 1] as number;
    const useful = new Set<number>();
    for (let event = this.#next[this.#head]!; (event & 1) === 0; event = this.#next[event]!) {
      const step = steps[event >> 1] as Step;
      for (const group of this.#history.groupsFor(step, this.#state)) useful.add(group);
    }
    for (const [at, { step }] of groups.entries()) {
      // Of several swaps in a row only the last makes something fit.
      if (step.kind === 'swap' && step.from === this.#state) useful.add(at);
      if (step.kind !== 'swap' && groups.some((other) => isSwapFrom(other, step.to)))
        useful.add(at);
    }
    return [...useful].filter((at) => {
      const call = (groups[at] as UnknownGroup).calls[this.#used[at] as number];
      return call !== undefined && call <= firstReturn;
    });
  }

  /** Lets one of a group take effect, the first in the list for which that is new. */
  #use(candidates: readonly number[]): boolean {
    const before = this.#state;
    for (const [at, group] of candidates.entries()) {
      const { step } = this.#history.groups[group] as UnknownGroup;
      const state = take(step, before);
      if (state === before) continue;
      this.#countUse(group, 1);
      if (!this.#history.isLost(before) && this.#isNew(state)) {
        const otherGroups = candidates.slice(at + 1);
        this.#moves.push({ before, operation: undefined, group, otherGroups, forced: false });
        this.#state = state;
        this.#entry = this.#next[this.#head] as number;
        return true;
      }
      this.#countUse(group, -1);
    }
    return false;
  }

  #countUse(group: number, by: 1 | -1): void {
    this.#used[group]! += by;
    this.#history.sources[(this.#history.groups[group] as UnknownGroup).step.to]! -= by;
  }

  /** Undoes choices until another one can be made; false when there is none. */
  #takeBack(): boolean {
    for (;;) {
      const move = this.#moves.pop();
      if (!move) return false;
      this.#state = move.before;
      if (move.operation !== undefined) {
        this.#unplace(move.operation);
        this.#entry = this.#next[2 * move.operation] as number;
        if (!move.forced) return true;
      } else {
        this.#countUse(move.group as number, -1);
        if (this.#use(move.otherGroups)) return true;
      }
    }
  }

  #unplace(operation: number): void {
    this.#relink(2 * operation + 1);
    this.#relink(2 * operation);
    this.#left += 1;
    this.#history.count(this.#history.steps[operation] as Step, 1);
    this.#flip(operation);
  }

  #flip(operation: number): void {
    const word = operation >> 4;
    this.#placed[word]! ^= 1 << (operation & 15);
    this.#low = Math.min(this.#low, word);
    while (this.#placed[this.#low] === 0xffff) this.#low += 1;
    this.#high = Math.max(this.#high, word + 1);
    while (this.#high > 0 && this.#placed[this.#high - 1] === 0) this.#high -= 1;
  }

  /** Whether a configuration is met for the first time; it is remembered. */
  #isNew(state: State): boolean {
    const window = this.#placed.subarray(this.#low, Math.max(this.#low, this.#high));
    let text = String.fromCharCode(state & 0xffff, state >>> 16, this.#low, window.length);
    text += String.fromCharCode(...window);
    for (let group = 0; group < this.#used.length; group += 1) {
      const used = this.#used[group] as number;
      if (used > 0) text += String.fromCharCode(group, used);
    }
    if (this.#remembered.has(text)) return false;
    this.#remembered.add(text);
    this.#memory.left -= 1;
    return true;
  }

  #unlink(event: number): void {
    const next = this.#next[event] as number;
    const previous = this.#previous[event] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #relink(event: number): void {
    this.#next[this.#previous[event] as number] = event;
    this.#previous[this.#next[event] as number] = event;
  }
}

const isSwapFrom = ({ step }: UnknownGroup, state: State): boolean =>
  step.kind === 'swap' && step.from === state;
