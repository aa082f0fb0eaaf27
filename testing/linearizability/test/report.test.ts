import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHistory, describeVerdict, HistoryRecorder } from '../index.ts';

/** A recorder whose clock is set by hand. */
function recorderAt(): { recorder: HistoryRecorder; at: (moment: number) => HistoryRecorder } {
  let now = 0;
  const recorder = new HistoryRecorder(() => now);
  const at = (moment: number): HistoryRecorder => {
    now = moment;
    return recorder;
  };
  return { recorder, at };
}

test('a recorded fault is shown as a timeline that names clients, answers and overlaps', () => {
  const { recorder, at } = recorderAt();
  const first = at(10).call('alice', 'k', { kind: 'write', value: 'one' });
  at(20);
  first.returned({});
  const open = at(25).call('bob', 'k', { kind: 'delete' });
  const second = at(30).call('carol', 'k', { kind: 'write', value: 'two' });
  at(40);
  second.returned({ existed: true });
  const stale = at(50).call('bob', 'k', { kind: 'read' });
  at(60);
  stale.returned({ value: 'one' });
  open.unknown();
  const verdict = checkHistory(recorder.history());
  const text = describeVerdict(verdict);
  assert.equal(
    text,
    [
      'not linearizable: 4 operations on 1 keys',
      'no order of single steps explains key "k" here:',
      '      25.000        ... |------------------------------------------------| bob   delete -> unknown',
      '      30.000     40.000 |       ==============                           | carol write two -> done, there was a value',
      '      50.000     60.000 |                                  ==============| bob   read -> one',
    ].join('\n'),
  );
});

test('what is still open when a history is taken counts as unknown, in the order of the calls', () => {
  const { recorder, at } = recorderAt();
  const write = at(1).call('a', 'k', { kind: 'write', value: 'v' });
  const read = at(2).call('b', 'k', { kind: 'read' });
  at(3);
  read.returned({ value: 'v' });
  const history = recorder.history();
  assert.deepEqual(
    history.map(({ client, result }) => ({ client, result })),
    [
      { client: 'a', result: 'unknown' },
      { client: 'b', result: { value: 'v' } },
    ],
  );
  assert.equal(checkHistory(history).result, 'linearizable');
  write.failed();
  assert.equal(checkHistory(recorder.history()).result, 'not linearizable');
  assert.throws(() => write.failed(), RangeError);
});

test('events at one moment of a coarse clock keep their order', () => {
  const { recorder, at } = recorderAt();
  at(5).call('a', 'k', { kind: 'write', value: 'v' }).returned({});
  recorder.call('a', 'k', { kind: 'read' }).returned({ value: undefined });
  assert.equal(checkHistory(recorder.history()).result, 'not linearizable');
  assert.equal(recorder.size, 2);
});

test('of a very large window the last operations are shown, and how many are not', () => {
  const { recorder, at } = recorderAt();
  for (let moment = 1; moment <= 100; moment += 1) {
    at(moment)
      .call('a', 'k', { kind: 'write', value: `${moment}` })
      .returned({});
  }
  const window = recorder.history();
  const verdict = {
    result: 'not linearizable',
    operations: 100,
    keys: 1,
    key: 'k',
    window,
  } as const;
  const lines = describeVerdict(verdict).split('\n');
  assert.equal(lines.length, 63);
  assert.equal(lines[2], '  (40 earlier operations)');
  assert.match(lines.at(-1) as string, /write 100 -> done$/);
});

test('keys left undecided are named', () => {
  const keys = Array.from({ length: 12 }, (_, at) => `k${at}`);
  const verdict = { result: 'undecided', operations: 9, keys: 12, undecidedKeys: keys } as const;
  assert.match(describeVerdict(verdict), /12 keys not decided: k0, k1, .*k9$/);
});
