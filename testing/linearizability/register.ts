import type { Operation } from './operation.ts';

/** State of a register: a number for each value that matters, and three of their own. */
export type State = number;

/** No value. */
export const absent: State = 0;
/** Nothing is known of the state: where a check begins in the middle of a history. */
export const anything: State = 1;
/** Some value that no answer and no compare-and-set ever asks for. */
export const unread: State = 2;
const firstValue = 3;
/** The answer does not fit the state. */
export const stuck = -1;

/** An operation with its values as states. */
export interface Step {
  readonly kind: 'read' | 'write' | 'delete' | 'swap';
  /** The state it was told, or expects: of a read that was answered, and of a compare-and-set. */
  readonly from: State;
  /** The state it leaves when it takes effect. */
  readonly to: State;
  /** What it was told: that there was a value, or that it applied; undefined when nothing. */
  readonly told: boolean | undefined;
}

/** Gives the values of one key their states. */
export class StateNames {
  readonly #states = new Map<string, State>();

  /** @param asked every value that an answer or a compare-and-set asks for */
  constructor(asked: Iterable<string>) {
    for (const value of asked) {
      if (!this.#states.has(value)) this.#states.set(value, firstValue + this.#states.size);
    }
  }

  /** How many states there are. */
  get count(): number {
    return firstValue + this.#states.size;
  }

  /** The sequential meaning of an operation. */
  stepOf({ action, result }: Operation): Step {
    const told = typeof result === 'object' ? result : {};
    switch (action.kind) {
      case 'read': {
        const found = this.#stateOf(told.value);
        return { kind: 'read', from: found, to: found, told: undefined };
      }
      case 'write': {
        const to = this.#stateOf(action.value);
        return { kind: 'write', from: anything, to, told: told.existed };
      }
      case 'delete':
        return { kind: 'delete', from: anything, to: absent, told: told.existed };
      case 'compare-and-set': {
        const from = this.#stateOf(action.expected);
        return { kind: 'swap', from, to: this.#stateOf(action.value), told: told.applied };
      }
    }
  }

  #stateOf(value: string | undefined): State {
    return value === undefined ? absent : (this.#states.get(value) ?? unread);
  }
}

/** The values an operation asks for: finds, or wants to find. */
export function valuesAsked({ action, result }: Operation): (string | undefined)[] {
  if (action.kind === 'read') return typeof result === 'object' ? [result.value] : [];
  return action.kind === 'compare-and-set' ? [action.expected] : [];
}

/** The state after an operation that takes effect in a state; {@link stuck} when it cannot. */
export function take({ kind, from, to, told }: Step, state: State): State {
  if (kind === 'read') return state === from || state === anything ? to : stuck;
  if (kind === 'swap') return swap(state, from, to, told);
  if (told === undefined || state === anything) return to;
  return (state !== absent) === told ? to : stuck;
}

function swap(state: State, from: State, to: State, applied: boolean | undefined): State {
  // From anything, what is not known to have applied leaves anything: never too strict.
  if (state === anything) return applied === true ? to : anything;
  if (applied !== undefined && (state === from) !== applied) return stuck;
  return state === from ? to : state;
}

/** Whether an operation, told what it was told, has certainly left the register as it was. */
export const onlyLooks = ({ kind, told }: Step): boolean =>
  kind === 'read' || (told === false && kind !== 'write');

/** The state that must have been there; {@link anything} when several could. */
export const needOf = ({ kind, from, told }: Step): State =>
  kind === 'read' || (kind === 'swap' && told === true) ? from : anything;

/** Whether an answer tells of the state, but not all of it. */
export const tellsPart = ({ kind, told }: Step): boolean =>
  kind === 'swap' ? told !== true : told !== undefined;
