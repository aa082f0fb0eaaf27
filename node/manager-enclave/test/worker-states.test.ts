import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { utf8 } from '@concordat/std';
import { WorkerStates } from '../worker-states.ts';
import { FakeLink } from './fixture.ts';

function vn(workers: number) {
  const fakes = Array.from({ length: workers }, (_, at) => new FakeLink(at + 1));
  const states = new WorkerStates({
    links: fakes.map((fake) => fake.asLink()).reverse(),
    link: (source) => fakes[source - 1]?.asLink(),
  });
  const chunk = (index: number, last: boolean) =>
    ({ kind: 'snapshotChunk', request: 1, index, last, bytes: utf8(`chunk ${index}`) }) as const;
  return { fakes: fakes as [FakeLink, ...FakeLink[]], states, chunk };
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<string[]> {
  const texts: string[] = [];
  for await (const bytes of chunks) texts.push(Buffer.from(bytes).toString());
  return texts;
}

const block = { height: 100, timeMs: 7 };
const ofKind = (fake: FakeLink, kind: string) => fake.sent.filter((sent) => sent.kind === kind);

test('every worker is asked at once, and its chunks come in order as they are taken', async () => {
  const { fakes, states, chunk } = vn(2);
  const frozen = states.freeze(block);
  assert.deepEqual(frozen.sources, [1, 2]);
  for (const { sent } of fakes) {
    assert.deepEqual(sent, [{ kind: 'snapshot', request: 1, ...block }]);
  }
  // The second worker waits with the chunks its credit allows until the first one is through.
  states.received(2, chunk(0, false));
  states.received(2, chunk(1, true));
  const first = collect(frozen.chunks(1));
  for (let index = 0; index < 4; index++) {
    states.received(1, chunk(index, index === 3));
    await nextTurn();
  }
  assert.deepEqual(await first, ['chunk 0', 'chunk 1', 'chunk 2', 'chunk 3']);
  assert.deepEqual(
    ofKind(fakes[0], 'snapshotTaken').map(({ index }) => index),
    [0, 1, 2],
  );
  assert.deepEqual(await collect(frozen.chunks(2)), ['chunk 0', 'chunk 1']);
  for (const fake of fakes) assert.equal(ofKind(fake, 'snapshotCancel').length, 0);
});

test('a worker that sends out of turn, more than it may, or after its end breaks the protocol', () => {
  for (const sent of [[1], [0, 0], [0, 2], [0, 1, 2]]) {
    const { states, chunk } = vn(1);
    states.freeze(block);
    const last = sent.pop() as number;
    for (const index of sent) states.received(1, chunk(index, false));
    assert.throws(() => states.received(1, chunk(last, false)), { code: 'WORKER_REFUSED' });
  }
  const { states, chunk } = vn(1);
  states.freeze(block);
  states.received(1, chunk(0, true));
  assert.throws(() => states.received(1, chunk(1, true)), { code: 'WORKER_REFUSED' });
});

test('a snapshot that is given up is cancelled, and what is still on its way ignored', async () => {
  const { fakes, states, chunk } = vn(2);
  const frozen = states.freeze(block);
  const waiting = collect(frozen.chunks(1));
  await nextTurn();
  frozen.cancel();
  await assert.rejects(waiting, { code: 'WORKER_REFUSED' });
  for (const fake of fakes) {
    assert.deepEqual(ofKind(fake, 'snapshotCancel'), [{ kind: 'snapshotCancel', request: 1 }]);
  }
  states.received(1, chunk(0, false));
  assert.deepEqual(await collect(frozen.chunks(1)), []);
});

test('a worker that takes no snapshot says why', async () => {
  const { states } = vn(1);
  const frozen = states.freeze(block);
  const waiting = collect(frozen.chunks(1));
  states.received(1, { kind: 'snapshotRefused', request: 1, code: 'BUSY' });
  await assert.rejects(waiting, { code: 'WORKER_REFUSED', message: /BUSY/ });
});

test('a state is given back chunk by chunk, and a worker that refuses it is believed', async () => {
  const { fakes, states } = vn(1);
  const read = async (index: number) => utf8(`part ${index}`);
  await states.restore(1, 3, read);
  assert.deepEqual(
    fakes[0].sent.map(({ kind, index, chunks }) => [kind, index, chunks]),
    [
      ['restore', 0, 3],
      ['restore', 1, 3],
      ['restore', 2, 3],
    ],
  );
  const refusing = states.restore(1, 1, async (index) => {
    states.received(1, { kind: 'restoreRefused', code: 'MALFORMED', message: 'no state' });
    return read(index);
  });
  await assert.rejects(refusing, {
    code: 'SNAPSHOT_CORRUPT',
    details: { source: 1, reason: 'MALFORMED' },
  });
  await states.restore(1, 1, read);
  await assert.rejects(states.restore(2, 1, read), { code: 'WORKER_UNAVAILABLE' });
});
