import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import { fromUtf8, utf8 } from '@concordat/std';
import { joinParts, splitParts } from '../byte-parts.ts';
import {
  type PreparingMessage,
  type PreparingTask,
  PreparingThreads,
  type Thread,
} from '../preparing-threads.ts';

const program = fileURLToPath(new URL('preparing-program-of-tests.ts', import.meta.url));

interface Setting {
  readonly count?: number;
  readonly deadlineMs?: number;
  readonly startDeadlineMs?: number;
  readonly start?: () => Thread;
}

function threadsFor(
  t: TestContext,
  { count = 1, deadlineMs, startDeadlineMs, start }: Setting = {},
) {
  const started: Worker[] = [];
  const lost: unknown[] = [];
  const threads = new PreparingThreads({
    count,
    start:
      start ??
      (() => {
        const thread = new Worker(program);
        started.push(thread);
        return thread as Thread;
      }),
    log: (event, fields) => lost.push({ event, why: fields.why }),
    deadlineMs: deadlineMs ?? 60_000,
    ...(startDeadlineMs === undefined ? {} : { startDeadlineMs }),
    restartMs: { first: 10, longest: 40 },
  });
  t.after(() => threads.stop());
  return { threads, started, lost };
}

/** Asks until there is a thread; the answers' texts, `undefined` when the group was lost. */
async function prepare(
  threads: PreparingThreads,
  texts: readonly string[],
): Promise<string[] | undefined> {
  for (;;) {
    const answer = Promise.withResolvers<readonly Uint8Array[] | undefined>();
    if (threads.prepare('words', texts.map(utf8), answer.resolve)) {
      return (await answer.promise)?.map((bytes) => fromUtf8(bytes));
    }
    await sleep(5);
  }
}

type Say = (message: PreparingMessage) => void;

/** A thread of the test's own, which says what the test has it say; `ended` once it is terminated. */
function fakeThread(answer: (task: PreparingTask, say: Say) => void) {
  const fake = { say: (() => {}) as Say, ended: false };
  const thread: Thread = {
    postMessage: (task) => answer(task, fake.say),
    on: (event, listener) => {
      if (event === 'message') fake.say = listener as Say;
    },
    unref: () => {},
    terminate: async () => {
      fake.ended = true;
      return 0;
    },
  };
  return Object.assign(fake, { thread });
}

/** Keeps this thread busy. */
const holdUp = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

const lostFor = (...reasons: readonly string[]) =>
  reasons.map((why) => ({ event: 'worker.preparing-thread-lost', why }));

describe('threads that prepare requests', () => {
  it('answer groups in their order, one result a request', async (t) => {
    const { threads, started } = threadsFor(t);
    assert.deepEqual(await prepare(threads, ['a', 'b']), ['a!', 'b!']);
    const groups = Array.from({ length: 20 }, (_, at) => [`${at}`, `${at}x`]);
    const finished: number[] = [];
    await Promise.all(
      groups.map(async (group, at) => {
        assert.deepEqual(await prepare(threads, group), [`${at}!`, `${at}x!`]);
        finished.push(at);
      }),
    );
    assert.deepEqual(
      finished,
      groups.map((_, at) => at),
    );
    assert.equal(started.length, 1);
  });

  it('are as many as asked for: while one is busy another one answers', async (t) => {
    const { threads, started } = threadsFor(t, { count: 2, deadlineMs: 3_000 });
    await prepare(threads, ['a']);
    assert.equal(started.length, 2);
    const hangs = prepare(threads, ['hang']);
    // Until the second one is ready it is the busy one that is asked, and loses what it has.
    let answered: string[] | undefined;
    while (answered === undefined) answered = await prepare(threads, ['b']);
    assert.deepEqual(answered, ['b!']);
    assert.equal(await hangs, undefined);
  });

  it('make nothing of what their adapter throws at, and of an unknown adapter', async (t) => {
    const { threads, lost } = threadsFor(t);
    assert.deepEqual(await prepare(threads, ['a', 'throw', 'b', '']), ['a!', '', 'b!', '']);
    const unknown = Promise.withResolvers<readonly Uint8Array[] | undefined>();
    assert.ok(threads.prepare('nobody', [utf8('a')], unknown.resolve));
    assert.deepEqual(
      (await unknown.promise)?.map(({ length }) => length),
      [0],
    );
    assert.deepEqual(lost, []);
  });

  it('give back what a thread had that ended, log it once, and are started again', async (t) => {
    const { threads, started, lost } = threadsFor(t);
    await prepare(threads, ['a']);
    const groups = [['b'], ['exit'], ['c'], ['d']].map((group) => prepare(threads, group));
    assert.deepEqual(await Promise.all(groups), [['b!'], undefined, undefined, undefined]);
    assert.deepEqual(lost, lostFor('ENDED'));
    assert.deepEqual(await prepare(threads, ['e']), ['e!']);
    assert.equal(started.length, 2);
  });

  it('are given up when one is killed or hangs', async (t) => {
    const { threads, started, lost } = threadsFor(t, { deadlineMs: 3_000 });
    await prepare(threads, ['a']);
    const killed = prepare(threads, ['b']);
    await started[0]?.terminate();
    await killed;
    assert.equal(await prepare(threads, ['hang']), undefined);
    assert.deepEqual(await prepare(threads, ['c']), ['c!']);
    assert.deepEqual(lost, lostFor('ENDED', 'TOO_SLOW'));
  });

  it('are started again when one fails before it is ready', async (t) => {
    let starts = 0;
    const { threads, lost } = threadsFor(t, {
      start: () => {
        starts += 1;
        const failing = () => new Worker(`throw new RangeError('no')`, { eval: true });
        return (starts === 1 ? failing() : new Worker(program)) as Thread;
      },
    });
    assert.deepEqual(await prepare(threads, ['a']), ['a!']);
    assert.deepEqual(lost, lostFor('RangeError'));
  });

  const timeout = 120_000;
  it('are given up when one never becomes ready, and others follow', { timeout }, async (t) => {
    const fakes: ReturnType<typeof fakeThread>[] = [];
    const start = () => {
      const fake = fakeThread(({ id }, say) => say({ id, prepared: joinParts([utf8('yes')]) }));
      if (fakes.push(fake) > 2) setImmediate(() => fake.say('ready'));
      return fake.thread;
    };
    const { threads, lost } = threadsFor(t, { startDeadlineMs: 30, start });
    assert.deepEqual(await prepare(threads, ['a']), ['yes']);
    assert.deepEqual(lost, lostFor('NOT_READY', 'NOT_READY'));
    assert.deepEqual(
      fakes.map(({ ended }) => ended),
      [true, true, false],
    );
    // Too late: what these say now is nobody's.
    for (const { say } of fakes.slice(0, 2)) say('ready');
    await sleep(60);
    assert.deepEqual(await prepare(threads, ['b']), ['yes']);
    assert.equal(fakes.length, 3);
    assert.equal(lost.length, 2);
  });

  it('are not given up because the main thread was held up while they started', async (t) => {
    const { threads, lost } = threadsFor(t, {
      startDeadlineMs: 30,
      start: () => {
        const fake = fakeThread(({ id }, say) => say({ id, prepared: joinParts([utf8('yes')]) }));
        const { port1, port2 } = new MessageChannel();
        port1.on('message', (message: PreparingMessage) => {
          fake.say(message);
          port1.close();
        });
        port2.postMessage('ready');
        return fake.thread;
      },
    });
    setImmediate(() => {
      threads.prepare('words', [utf8('a')], () => assert.fail());
      holdUp(100);
    });
    await sleep(20);
    assert.deepEqual(await prepare(threads, ['a']), ['yes']);
    assert.deepEqual(lost, []);
  });

  it('are not given up because the main thread was held up while they answered', async (t) => {
    const { threads, lost } = threadsFor(t, { deadlineMs: 1_000 });
    await prepare(threads, ['a']);
    const groups = [['b'], ['c']].map((group) => prepare(threads, group));
    // Batches are executed in this phase: the timers come before the answers then.
    setImmediate(() => holdUp(1_500));
    assert.deepEqual(await Promise.all(groups), [['b!'], ['c!']]);
    assert.deepEqual(lost, []);
  });

  it('are given up when one answers something else than was asked', async (t) => {
    const { threads, lost } = threadsFor(t, {
      start: () => {
        const fake = fakeThread((_task, say) => say({ id: 999, prepared: joinParts([]) }));
        setImmediate(() => fake.say('ready'));
        return fake.thread;
      },
    });
    assert.equal(await prepare(threads, ['a']), undefined);
    assert.deepEqual(lost, lostFor('WRONG_ANSWER'));
  });

  it('leave requests to others while none can be started, and try later and later', async (t) => {
    let tries = 0;
    const { threads, lost } = threadsFor(t, {
      start: () => {
        tries += 1;
        throw Object.assign(new Error('no'), { code: 'ERR_ACCESS_DENIED' });
      },
    });
    const until = performance.now() + 100;
    while (performance.now() < until) {
      assert.equal(
        threads.prepare('words', [utf8('a')], () => assert.fail()),
        false,
      );
      await sleep(1);
    }
    assert.ok(tries >= 2 && tries <= 8, `${tries} tries in 100 ms`);
    assert.equal(lost.length, tries);
  });
});

describe('byte strings in one buffer', () => {
  const parts = [utf8('one'), utf8(''), utf8('three')];

  it('come out as they went in', () => {
    assert.deepEqual(splitParts(joinParts(parts))?.map(fromUtf8), ['one', '', 'three']);
    assert.deepEqual(splitParts(joinParts([])), []);
  });

  it('are refused when the buffer is cut, extended or tells false lengths', () => {
    const joined = joinParts(parts);
    for (let length = 0; length < joined.length; length++) {
      assert.equal(splitParts(joined.slice(0, length)), undefined, `${length} bytes`);
    }
    assert.equal(splitParts(Buffer.concat([joined, Buffer.alloc(1)]).subarray(0)), undefined);
    for (const at of [0, 3, 4, 7]) {
      const flipped = joined.slice();
      flipped[at] = (flipped[at] as number) ^ 0x81;
      assert.equal(splitParts(flipped), undefined, `byte ${at}`);
    }
  });
});
