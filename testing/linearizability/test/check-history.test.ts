import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHistory, describeVerdict, type Operation } from '../index.ts';
import { hasExplanation, historyThatHappened, randomFrom } from './random-history.ts';

type Fields = Partial<Operation> & Pick<Operation, 'action'>;

/** An operation from moment to moment; the client is not looked at. */
const from = (called: number, returned: number | undefined, fields: Fields): Operation => ({
  client: 'c',
  key: 'k',
  called,
  ...(returned !== undefined && { returned }),
  result: returned === undefined ? 'unknown' : {},
  ...fields,
});

const write = (called: number, returned: number | undefined, value: string): Operation =>
  from(called, returned, { action: { kind: 'write', value } });

const read = (called: number, returned: number, value?: string): Operation =>
  from(called, returned, { action: { kind: 'read' }, result: { value } });

const erase = (called: number, returned?: number, existed?: boolean): Operation =>
  from(called, returned, {
    action: { kind: 'delete' },
    ...(existed !== undefined && { result: { existed } }),
  });

const swap = (
  times: readonly [number, number?],
  [expected, value]: readonly [string | undefined, string],
  applied?: boolean,
): Operation =>
  from(times[0], times[1], {
    action: { kind: 'compare-and-set', expected, value },
    ...(applied !== undefined && { result: { applied } }),
  });

const resultOf = (...operations: Operation[]): string => checkHistory(operations).result;

const good: Record<string, Operation[]> = {
  'nothing at all': [],
  'a read of nothing before any write': [read(0, 1)],
  'a read during a write that finds the value before': [
    write(0, 1, 'a'),
    write(2, 9, 'b'),
    read(3, 4, 'a'),
    read(5, 6, 'b'),
  ],
  'two overlapping writes that take effect in the order opposite to their calls': [
    write(0, 10, 'a'),
    write(1, 9, 'b'),
    read(11, 12, 'a'),
  ],
  'an unknown write that took effect late': [
    write(0, undefined, 'a'),
    write(1, 2, 'b'),
    read(3, 4, 'b'),
    read(50, 51, 'a'),
  ],
  'an unknown write that never took effect': [write(0, undefined, 'a'), read(1, 2), read(3, 4)],
  'an unknown delete that explains an absence': [
    write(0, 1, 'a'),
    erase(2),
    read(3, 4, 'a'),
    read(5, 6),
  ],
  'a compare-and-set of which one of two rivals applied': [
    write(0, 1, 'a'),
    swap([2, 5], ['a', 'b'], true),
    swap([3, 6], ['a', 'c'], false),
    read(7, 8, 'b'),
  ],
  'an unknown compare-and-set that explains why another was refused': [
    swap([0], [undefined, 'a']),
    swap([1, 2], [undefined, 'b'], false),
    read(3, 4, 'a'),
  ],
  'an unknown write nobody read that explains why a delete found something': [
    write(0, undefined, 'a'),
    erase(1, 2, true),
    read(3, 4),
  ],
  'a failed write that is not there': [{ ...write(0, 1, 'a'), result: 'failed' }, read(2, 3)],
  'an answer at the very moment of a call': [write(0, 5, 'a'), read(5, 6)],
};

const bad: Record<string, Operation[]> = {
  'a stale read': [write(0, 1, 'a'), write(2, 3, 'b'), read(4, 5, 'a')],
  'a lost write': [write(0, 1, 'a'), read(2, 3)],
  'a resurrected value': [write(0, 1, 'a'), erase(2, 3, true), read(4, 5), read(6, 7, 'a')],
  'a value that nobody wrote': [write(0, 1, 'a'), read(2, 3, 'b')],
  'reads that see two values in both orders': [
    write(0, 10, 'a'),
    write(0, 10, 'b'),
    read(1, 2, 'a'),
    read(3, 4, 'b'),
    read(5, 6, 'a'),
  ],
  'a read that goes back during the same write': [
    write(0, 1, 'a'),
    write(2, 9, 'b'),
    read(3, 4, 'b'),
    read(5, 6, 'a'),
  ],
  'a value read before its write was called': [read(0, 1, 'a'), write(2, 3, 'a')],
  'a failed write that is there all the same': [
    { ...write(0, 1, 'a'), result: 'failed' },
    read(2, 3, 'a'),
  ],
  'an unknown write that takes effect twice': [
    write(0, undefined, 'a'),
    read(1, 2, 'a'),
    write(3, 4, 'b'),
    read(5, 6, 'a'),
  ],
  'two rivals of which both applied': [
    swap([0, 3], [undefined, 'a'], true),
    swap([1, 4], [undefined, 'b'], true),
  ],
  'a compare-and-set refused although nothing stood in its way': [
    write(0, 1, 'a'),
    swap([2, 3], ['a', 'b'], false),
  ],
  'a delete that found nothing where a value had to be': [write(0, 1, 'a'), erase(2, 3, false)],
  'a delete that found something where nothing could be': [erase(0, 1, true)],
  'a write told of a value before it where there was none': [
    { ...write(0, 1, 'a'), result: { existed: true } },
  ],
};

for (const [what, operations] of Object.entries(good)) {
  test(`linearizable: ${what}`, () => assert.equal(resultOf(...operations), 'linearizable'));
}

for (const [what, operations] of Object.entries(bad)) {
  test(`not linearizable: ${what}`, () =>
    assert.equal(resultOf(...operations), 'not linearizable'));
}

test('keys are judged by themselves: the same answers under two keys are no fault', () => {
  const stale = bad['a stale read'] as Operation[];
  assert.equal(resultOf(...stale.map((op, at) => ({ ...op, key: `${at % 2}` }))), 'linearizable');
});

test('small random histories, most of them spoilt, are judged as by trying every order', () => {
  const verdicts = { linearizable: 0, 'not linearizable': 0, undecided: 0 };
  for (let seed = 1; seed <= 4_000; seed += 1) {
    const random = randomFrom(seed);
    const shape = { operations: 7, clients: 3, keys: 1, unknown: 0.25, values: 3 };
    const history = historyThatHappened(shape, random).map((operation) =>
      random() < 0.3 ? spoilt(operation, random) : operation,
    );
    const expected = hasExplanation(history) ? 'linearizable' : 'not linearizable';
    const verdict = checkHistory(history);
    assert.equal(verdict.result, expected, `seed ${seed}`);
    verdicts[verdict.result] += 1;
  }
  assert.ok(verdicts.linearizable > 500 && verdicts['not linearizable'] > 500);
});

/** The same operation with another answer. */
function spoilt(operation: Operation, random: () => number): Operation {
  if (typeof operation.result !== 'object') return operation;
  const value = random() < 0.3 ? undefined : `v${Math.floor(random() * 3)}`;
  const { applied, existed } = operation.result;
  if (operation.action.kind === 'read') return { ...operation, result: { value } };
  const result = {
    ...(applied !== undefined && { applied: !applied }),
    ...(existed !== undefined && { existed: !existed }),
  };
  return { ...operation, result };
}

const large = { operations: 2_000, clients: 10, keys: 5, unknown: 0.03 };

test('histories of 2,000 operations that happened are linearizable', (t) => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const history = historyThatHappened(large, randomFrom(seed));
    const startMs = performance.now();
    const verdict = checkHistory(history);
    t.diagnostic(`seed ${seed}: ${Math.round(performance.now() - startMs)} ms`);
    assert.equal(verdict.result, 'linearizable', describeVerdict(verdict));
  }
});

/** A read of a value that another one had replaced before the read was called, put in at the end. */
function withStaleRead(history: readonly Operation[], random: () => number): Operation[] {
  const replaced = history.flatMap((old) => {
    if (old.action.kind !== 'write' || typeof old.result !== 'object') return [];
    const { key, action, returned = 0 } = old;
    const later = history.find(
      (op) =>
        op.key === key &&
        op.action.kind === 'write' &&
        typeof op.result === 'object' &&
        op.called > returned,
    );
    return later ? [{ key, value: action.value, after: later.returned as number }] : [];
  });
  const { key, value, after } = replaced[Math.floor(random() * replaced.length)]!;
  const called = after + random() * 0.01;
  const stale: Operation = {
    client: 'stale',
    key,
    called,
    returned: called + 0.3,
    action: { kind: 'read' },
    result: { value },
  };
  return [...history, stale];
}

test('a single stale read among 2,000 operations is always found, in a small window', (t) => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const random = randomFrom(seed);
    const history = withStaleRead(historyThatHappened(large, random), random);
    const startMs = performance.now();
    const verdict = checkHistory(history);
    const ms = Math.round(performance.now() - startMs);
    assert.ok(verdict.result === 'not linearizable', `seed ${seed}: ${verdict.result}`);
    t.diagnostic(`seed ${seed}: ${ms} ms, window of ${verdict.window.length}`);
    assert.ok(
      verdict.window.some(({ client }) => client === 'stale'),
      describeVerdict(verdict),
    );
    assert.ok(verdict.window.length <= 40, describeVerdict(verdict));
  }
});

test('a single lost write among 2,000 operations is always found', () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const random = randomFrom(seed);
    const history = historyThatHappened(large, random);
    const readOps = history.filter(
      ({ action, result }) =>
        action.kind === 'read' && typeof result === 'object' && result.value !== undefined,
    );
    const victim = readOps[Math.floor(random() * readOps.length)] as Operation;
    const { value } = victim.result as { value: string };
    // Only one read and the write knew of the value; the write now had another one.
    const lost = history
      .filter((op) => op === victim || typeof op.result !== 'object' || op.result.value !== value)
      .map((op) =>
        op.action.kind !== 'read' && op.action.kind !== 'delete' && op.action.value === value
          ? { ...op, action: { ...op.action, value: 'other' } }
          : op,
      );
    assert.equal(checkHistory(lost).result, 'not linearizable', `seed ${seed}`);
  }
});

/** A key that takes exponentially long: at once, one more delete finds a value than there are. */
const hopeless = (key: string): Operation[] => [
  ...Array.from({ length: 20 }, (_, at) => ({
    ...write(at / 100, 100, `${at}`),
    key,
    result: { existed: false },
  })),
  ...Array.from({ length: 21 }, (_, at) => ({ ...erase(at / 100, 100, true), key })),
];

test('a key that takes for ever does not hide the fault of another, nor outlast the budget', () => {
  const stale = (bad['a stale read'] as Operation[]).map((op) => ({ ...op, key: 'stale' }));
  const long = Array.from({ length: 100 }, (_, at) => ({
    ...write(2 * at, 2 * at + 1, `${at}`),
    key: 'stale',
  })).map((op) => ({ ...op, called: op.called - 1_000, returned: (op.returned ?? 0) - 1_000 }));
  const found = checkHistory([...hopeless('slow'), ...long, ...stale], { budgetMs: 5_000 });
  assert.ok(found.result === 'not linearizable' && found.key === 'stale');
  const startMs = performance.now();
  const verdict = checkHistory(hopeless('slow'), { budgetMs: 200 });
  assert.deepEqual(verdict, {
    result: 'undecided',
    operations: 41,
    keys: 1,
    undecidedKeys: ['slow'],
  });
  assert.ok(performance.now() - startMs < 3_000);
});

test('the window of a fault leaves out what came before and what does not matter', () => {
  const before = Array.from({ length: 50 }, (_, at) => write(10 * at, 10 * at + 5, `old${at}`));
  const verdict = checkHistory([
    ...before,
    read(1_001, 1_002, 'old49'),
    write(1_003, 1_004, 'new'),
    write(1_003, undefined, 'never seen'),
    read(1_005, 1_006, 'new'),
    read(1_007, 1_008, 'old49'),
    read(1_009, 1_010, 'new'),
  ]);
  assert.ok(verdict.result === 'not linearizable');
  assert.deepEqual(verdict.window, [read(1_005, 1_006, 'new'), read(1_007, 1_008, 'old49')]);
});
