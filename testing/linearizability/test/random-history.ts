import type { Action, Operation, Result } from '../index.ts';

/** Numbers in [0, 1) that depend on a seed alone (a 32-bit xorshift multiplied out). */
export function randomFrom(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return (Math.imul(state, 1_597_334_677) >>> 0) / 0x1_0000_0000;
  };
}

/** Shape of a random history. */
export interface Shape {
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  /** Share of operations whose outcome the client does not learn. */
  readonly unknown: number;
  /** Different values; absent: no value is ever written twice. */
  readonly values?: number;
}

interface Busy {
  readonly operation: Operation;
  /** When it takes effect. */
  readonly effect: number;
  readonly ends: number;
}

/**
 * A history that has an explanation, since it is made from one: each operation takes effect on the
 * registers at one moment between its call and its return; of those with an unknown outcome some
 * never do, and some long after the client gave up.
 */
export function historyThatHappened(shape: Shape, random: () => number): Operation[] {
  const registers = new Map<string, string>();
  const busy: Busy[] = [];
  let written = 0;
  for (let client = 0; client < shape.clients; client += 1) {
    let now = random();
    for (let turn = client; turn < shape.operations; turn += shape.clients) {
      const called = now + random() * 0.2;
      const ends = called + random();
      const isUnknown = random() < shape.unknown;
      const wait = isUnknown ? random() * 20 : random() * (ends - called);
      const effect = isUnknown && random() < 0.4 ? Number.POSITIVE_INFINITY : called + wait;
      const value = `v${shape.values ? Math.floor(random() * shape.values) : written++}`;
      const key = `k${Math.floor(random() * shape.keys)}`;
      const base = { client: `c${client}`, key, called, action: someAction(random, value) };
      const operation: Operation = isUnknown
        ? { ...base, result: 'unknown' }
        : { ...base, returned: ends, result: {} };
      busy.push({ operation, effect, ends });
      now = ends;
    }
  }
  busy.sort((a, b) => a.effect - b.effect);
  const history = busy.map(({ operation, effect }) => {
    const result = effect === Number.POSITIVE_INFINITY ? {} : apply(operation, registers, random);
    return operation.result === 'unknown' ? operation : { ...operation, result };
  });
  return history.sort((a, b) => a.called - b.called);
}

function someAction(random: () => number, value: string): Action {
  const dice = random();
  if (dice < 0.5) return { kind: 'read' };
  if (dice < 0.8) return { kind: 'write', value };
  if (dice < 0.9) return { kind: 'delete' };
  const expected = random() < 0.5 ? undefined : `v${Math.floor(random() * 3)}`;
  return { kind: 'compare-and-set', expected, value };
}

function apply(
  { key, action }: Operation,
  registers: Map<string, string>,
  random: () => number,
): Result {
  const before = registers.get(key);
  const existed = before !== undefined;
  switch (action.kind) {
    case 'read':
      return { value: before };
    case 'write':
      registers.set(key, action.value);
      return random() < 0.2 ? { existed } : {};
    case 'delete':
      registers.delete(key);
      return { existed };
    case 'compare-and-set': {
      const applied = before === action.expected;
      if (applied) registers.set(key, action.value);
      return random() < 0.8 ? { applied } : {};
    }
  }
}

/** Whether a few operations of one key have an explanation: every order is tried. */
export function hasExplanation(operations: readonly Operation[], state?: string): boolean {
  const known = operations.filter(({ result }) => typeof result === 'object');
  if (known.length === 0) return true;
  const firstReturn = Math.min(...known.map(({ returned }) => returned as number));
  return operations.some((operation) => {
    if (operation.result === 'failed' || operation.called > firstReturn) return false;
    const registers = new Map(state === undefined ? [] : [[operation.key, state]]);
    const would = apply(operation, registers, () => 0);
    const told: Result = typeof operation.result === 'object' ? operation.result : {};
    for (const name of Object.keys(told) as (keyof Result)[]) {
      if (would[name] !== told[name]) return false;
    }
    const rest = operations.filter((other) => other !== operation);
    return hasExplanation(rest, registers.get(operation.key));
  });
}
