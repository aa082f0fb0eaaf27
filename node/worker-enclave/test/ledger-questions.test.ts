import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@concordat/api';
import type { Question } from '@concordat/bridge';
import { type ActorId, utf8 } from '@concordat/std';
import type { Actor } from '../actors.ts';
import { LedgerQuestions } from '../ledger-questions.ts';

const actorOf = (id: string): Actor => ({
  actorId: id as ActorId,
  name: id,
  kinds: ['member'],
  roles: [],
});

function setUp() {
  const asked: Question[] = [];
  const clock = { ms: 0 };
  const questions = new LedgerQuestions({
    ask: (question) => asked.push(question),
    nowMs: () => clock.ms,
  });
  return { asked, clock, questions };
}

const codeOf = (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => 'answered',
    (error: unknown) => (error instanceof ApiError ? error.code : String(error)),
  );

const about = { subject: 'receipt', view: 2, seqno: 7 } as const;

test('each question gets its own answer, in whatever order they come', async () => {
  const { asked, questions } = setUp();
  const [first, second] = [actorOf('a'), actorOf('b')].map((actor) => questions.ask(actor, about));
  assert.deepEqual(asked[0], { kind: 'question', id: 1, subject: 'receipt', view: 2, seqno: 7 });
  questions.answered({ kind: 'answer', id: 2, bytes: utf8('two') });
  questions.answered({ kind: 'answer', id: 1, bytes: utf8('one') });
  assert.deepEqual([await first, await second], [utf8('one'), utf8('two')]);
});

test('why there is no answer comes with its code; an unknown one is a fault of the node', async () => {
  const { questions } = setUp();
  const codes = ['TRANSACTION_PENDING', 'NO_SUCH_CODE'].map((code, at) => {
    const code_ = codeOf(questions.ask(actorOf('a'), about));
    questions.answered({ kind: 'answer', id: at + 1, code, bytes: utf8('why') });
    return code_;
  });
  assert.deepEqual(await Promise.all(codes), ['TRANSACTION_PENDING', 'INTERNAL_ERROR']);
});

test('one actor has at most 64 questions open, all have 512', async () => {
  const { asked, questions } = setUp();
  for (let at = 0; at < 64; at++) void codeOf(questions.ask(actorOf('a'), about));
  assert.equal(await codeOf(questions.ask(actorOf('a'), about)), 'OVERLOADED');
  for (let at = 64; at < 512; at++) void codeOf(questions.ask(actorOf(`b${at}`), about));
  assert.equal(await codeOf(questions.ask(actorOf('c'), about)), 'OVERLOADED');
  assert.equal(asked.length, 512);
  questions.answered({ kind: 'answer', id: 1, bytes: utf8('x') });
  const next = codeOf(questions.ask(actorOf('a'), about));
  questions.answered({ kind: 'answer', id: 513, bytes: utf8('x') });
  assert.equal(await next, 'answered');
});

test('a manager that does not answer is waited for thirty seconds; what comes later is nobody’s', async () => {
  const { clock, questions } = setUp();
  const asking = codeOf(questions.ask(actorOf('a'), about));
  clock.ms = 29_999;
  questions.expire();
  assert.equal(await Promise.race([asking, Promise.resolve('waiting')]), 'waiting');
  clock.ms = 30_000;
  questions.expire();
  assert.equal(await asking, 'OVERLOADED');
  questions.answered({ kind: 'answer', id: 1, bytes: utf8('late') });
});
