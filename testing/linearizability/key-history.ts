import type { Operation } from './operation.ts';
import {
  anything,
  needOf,
  type State,
  StateNames,
  type Step,
  stuck,
  take,
  tellsPart,
  valuesAsked,
} from './register.ts';

/** Changes of unknown outcome that do the same: which of them took effect makes no difference. */
export interface UnknownGroup {
  readonly step: Step;
  /** When each was called, ascending: the earliest is used first. */
  readonly calls: readonly number[];
}

/** The most operations of one key, so that a place in the history fits a memo. */
const maxOperations = 16 * 0xffff;

/** The history of one key as a search needs it. */
export class KeyHistory {
  /** Operations that were answered, by call. */
  readonly steps: readonly Step[];
  readonly groups: readonly UnknownGroup[];
  /** Event `2 i` is the call of operation i, `2 i + 1` its return; by time, calls first. */
  readonly events: readonly number[];
  /** When each operation returned. */
  readonly returns: readonly number[];
  /** For each state, how many answered operations need it. */
  readonly needs: Int32Array;
  /** For each state, how many operations may bring it about. */
  readonly sources: Int32Array;
  /** Whether every answer tells the whole state or nothing. */
  readonly isPlain: boolean;

  /**
   * @param operations of one key, none of them `failed`
   * @throws RangeError beyond a million operations
   */
  constructor(operations: readonly Operation[]) {
    if (operations.length > maxOperations) throw new RangeError('too many operations of one key');
    const names = new StateNames(operations.flatMap((one) => valuesAsked(one)).filter(isValue));
    const byCall = [...operations].sort((a, b) => a.called - b.called);
    const known = byCall.filter(({ result }) => typeof result === 'object');
    const unknown = byCall.filter(({ result }) => typeof result !== 'object');
    this.steps = known.map((operation) => names.stepOf(operation));
    this.returns = known.map(({ returned }) => returned ?? Number.POSITIVE_INFINITY);
    this.groups = groupsOf(unknown, names);
    this.events = eventsOf(known);
    this.isPlain = ![...this.steps, ...this.groups.map(({ step }) => step)].some(tellsPart);
    this.needs = new Int32Array(names.count);
    this.sources = new Int32Array(names.count);
    for (const step of this.steps) this.count(step, 1);
    for (const { step, calls } of this.groups) this.sources[step.to]! += calls.length;
  }

  /** Adds an answered operation to, or takes it from, the counts of needs and sources. */
  count(step: Step, by: 1 | -1): void {
    const need = needOf(step);
    if (need !== anything) this.needs[need]! += by;
    if (step.kind !== 'read' && (step.kind !== 'swap' || step.told !== false))
      this.sources[step.to]! += by;
  }

  /** Whether a state that is needed later would be left for ever. */
  isLost(state: State): boolean {
    return state !== anything && this.needs[state]! > 0 && this.sources[state] === 0;
  }

  /**
   * Groups that give an operation what it lacks in a state: a fit, or, where nobody was told whether
   * it applied, the chance to.
   */
  groupsFor(step: Step, state: State): number[] {
    const isOpen = step.kind === 'swap' && step.told === undefined;
    if (!isOpen && take(step, state) !== stuck) return [];
    return [...this.groups.keys()].filter((at) => {
      const after = take((this.groups[at] as UnknownGroup).step, state);
      return after !== state && (isOpen ? after === step.from : take(step, after) !== stuck);
    });
  }
}

const isValue = (value: string | undefined): value is string => value !== undefined;

function groupsOf(unknown: readonly Operation[], names: StateNames): UnknownGroup[] {
  const steps = unknown.map(({ called, ...rest }) => ({
    called,
    step: names.stepOf(rest as Operation),
  }));
  const alike = Map.groupBy(steps, ({ step }) => `${step.kind} ${step.from} ${step.to}`);
  return Array.from(alike.values(), (group) => ({
    step: group[0]!.step,
    calls: group.map(({ called }) => called),
  }));
}

function eventsOf(known: readonly Operation[]): number[] {
  const events = known.flatMap(({ called, returned }, at) => [
    { event: 2 * at, at: called },
    { event: 2 * at + 1, at: returned ?? Number.POSITIVE_INFINITY },
  ]);
  events.sort((a, b) => a.at - b.at || (a.event & 1) - (b.event & 1));
  return events.map(({ event }) => event);
}
