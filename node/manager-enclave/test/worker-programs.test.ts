import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyBytes, utf8 } from '@concordat/std';
import { WorkerPrograms } from '../worker-programs.ts';
import { FakeLink } from './fixture.ts';

function vn() {
  const fake = new FakeLink(1);
  const workers = [{ index: 1, adapters: ['javascript'] }];
  const programs = new WorkerPrograms(
    { links: [fake.asLink()], link: (source) => (source === 1 ? fake.asLink() : undefined) },
    () => workers,
  );
  return { fake, programs };
}

const question = { purpose: 'check', adapterId: 'javascript', bytes: utf8('x') } as const;
interface Sent {
  readonly request: number;
  readonly bytes: Uint8Array;
}

const reply = (request: number, code?: string, said: unknown = {}) =>
  ({
    kind: 'programReply',
    request,
    ...(code !== undefined && { code }),
    json: code === undefined ? emptyBytes : utf8(JSON.stringify(said)),
  }) as const;

test('the worker of an adapter is asked, and its answer is that of its question', async () => {
  const { fake, programs } = vn();
  const [first, second] = [programs.ask(question, 1_000), programs.ask(question, 1_000)];
  assert.deepEqual(
    fake.sent.map(({ kind, request }) => [kind, request]),
    [
      ['program', 1],
      ['program', 2],
    ],
  );
  const details = { file: 'a.js', line: 3 };
  programs.received(1, reply(2, 'SYNTAX_ERROR', { message: 'a.js:3: no', details }));
  programs.received(1, reply(1));
  programs.received(1, reply(1, 'AGAIN'));
  assert.deepEqual(await first, { message: '', details: {} });
  assert.deepEqual(await second, { code: 'SYNTAX_ERROR', message: 'a.js:3: no', details });
});

test('nobody waits for a worker that is silent, is asked too much or is not there', async () => {
  const { fake, programs } = vn();
  const check = (who: string, timeoutMs: number) => programs.check(who, question, timeoutMs);
  const held = [check('ada', 60), check('bob', 60)];
  assert.equal(await check('cyd', 30), undefined, 'two checks at a time');
  const prepare = programs.ask({ ...question, purpose: 'prepare' }, 1_000);
  assert.equal(fake.sent.length, 3, 'what is voted in waits for no check');
  programs.received(1, reply(3));
  assert.ok(await prepare);
  assert.deepEqual(await Promise.all(held), [undefined, undefined]);
  const next = check('cyd', 5_000);
  while (fake.sent.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  programs.received(1, reply(4));
  assert.ok(await next, 'those that ended make room');
  const missing = await programs.ask({ ...question, adapterId: 'elsewhere' }, 1_000);
  assert.equal(missing?.code, 'ADAPTER_MISSING');
});

test('one member that proposes programs in a loop leaves the others their checks', async () => {
  const { fake, programs } = vn();
  const asked: string[] = [];
  const check = (who: string) => {
    const verdict = programs.check(who, { ...question, bytes: utf8(who) }, 5_000);
    return verdict.then((one) => one === undefined && asked.push(`${who} refused`));
  };
  const all = Array.from({ length: 6 }, () => check('greedy'));
  for (const who of ['ada', 'bob', 'ada']) all.push(check(who));
  for (let at = 0; at < 8; at++) {
    await new Promise(setImmediate);
    const [message] = fake.sent.splice(0, 1) as unknown as Sent[];
    assert.ok(message);
    asked.push(Buffer.from(message.bytes).toString());
    assert.ok(fake.sent.length <= 1, 'two at a time');
    programs.received(1, reply(message.request));
  }
  await Promise.all(all);
  const order = ['greedy', 'ada', 'greedy', 'bob', 'ada', 'greedy', 'greedy', 'greedy'];
  assert.deepEqual(asked, ['greedy refused', ...order]);
});

test('a check that nobody waits for any more keeps its turn while the worker is at it', async () => {
  const { fake, programs } = vn();
  const check = () => programs.check('greedy', question, 200);
  const first = check();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const second = check();
  await new Promise((resolve) => setTimeout(resolve, 50));
  programs.received(1, reply(1));
  assert.ok(await first);
  assert.equal(await second, undefined, 'in its turn it has no more time than it had before');
  assert.equal(fake.sent.length, 2);
  const third = check();
  await new Promise(setImmediate);
  assert.equal(fake.sent.length, 2, 'the worker still checks the second');
  programs.received(1, reply(2));
  await new Promise(setImmediate);
  assert.equal(fake.sent.length, 3);
  programs.received(1, reply(3));
  assert.ok(await third);
});

test('what came of a preparation is shown beside what runs, and counted when it failed', () => {
  const { programs } = vn();
  const json = Buffer.from('{"adapter":"javascript","state":"running","digest":"ab"}');
  programs.received(1, { kind: 'programState', json });
  const [digest, code, message] = ['cd', 'ENDED', 'SIGKILL'];
  programs.prepared({ adapter: 'javascript', digest, code, message });
  const running = { adapter: 'javascript', state: 'running', digest: 'ab' } as const;
  assert.deepEqual(programs.statesOf(1), [{ ...running, prepared: { digest, code, message } }]);
  assert.equal(programs.failedPreparations, 1);
  programs.prepared({ adapter: 'javascript', digest });
  assert.deepEqual(programs.statesOf(1), [{ ...running, prepared: { digest } }]);
  assert.equal(programs.failedPreparations, 1);
});

test('what a worker says of what it runs is taken for its own adapters, in the declared form', () => {
  const { programs } = vn();
  const say = (json: string) =>
    programs.received(1, { kind: 'programState', json: Buffer.from(json) });
  for (const bad of ['', '{', '[]', 'null', '{"adapter":"javascript","state":"odd"}']) say(bad);
  say('{"adapter":"other","state":"running"}');
  assert.deepEqual(programs.statesOf(1), []);
  say('{"adapter":"javascript","state":"running","digest":"ab","more":1}');
  assert.deepEqual(programs.statesOf(1), [
    { adapter: 'javascript', state: 'running', digest: 'ab' },
  ]);
  say(JSON.stringify({ adapter: 'javascript', state: 'failing', reason: 'x'.repeat(5_000) }));
  assert.equal(programs.statesOf(1)[0]?.reason?.length, 1_024);
  assert.deepEqual(programs.statesOf(2), []);
});

test('an answer that is no JSON is an answer all the same', async () => {
  const { programs } = vn();
  const asked = programs.ask(question, 1_000);
  programs.received(1, {
    kind: 'programReply',
    request: 1,
    code: 'ODD',
    json: Buffer.from([0xff]),
  });
  assert.deepEqual(await asked, { code: 'ODD', message: '', details: {} });
});
