import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
  frameOf,
  ReexecutionFrames,
  type ReexecutionQuestion,
} from '@concordat/api';
import { DecodeError, utf8 } from '@concordat/std';

const block: ReexecutionQuestion = {
  kind: 'block',
  height: 2 ** 40,
  transactions: [
    { publicWrites: Buffer.alloc(0), privateWrites: Buffer.of(1, 2, 3) },
    {
      publicWrites: Buffer.of(9),
      privateWrites: Buffer.alloc(0),
      claimsDigest: Buffer.alloc(32, 7),
    },
  ],
};
const configure: ReexecutionQuestion = {
  kind: 'configure',
  adapters: { ethereum: { chains: [] } },
};

test('questions and answers come back as they were', () => {
  for (const question of [block, configure]) {
    assert.deepEqual(decodeQuestion(encodeQuestion(question)), question);
  }
  const answer = { kind: 'diverged', height: 7, transaction: 0, message: 'why' } as const;
  assert.deepEqual(decodeAnswer(encodeAnswer(answer)), answer);
});

test('whatever is cut, extended or of another form is refused', () => {
  const bytes = encodeQuestion(block);
  for (let length = 0; length < bytes.length; length += 1) {
    assert.throws(() => decodeQuestion(bytes.subarray(0, length)), DecodeError);
  }
  assert.throws(() => decodeQuestion(Buffer.concat([bytes, Buffer.of(0)])), DecodeError);
  assert.throws(() => decodeQuestion(Buffer.of(3)), DecodeError);
  for (const text of [
    ...[
      '',
      '[]',
      'null',
      '{}',
      '{"kind":"done","height":-1,"pendingFrom":1,"executed":0,"given":0}',
    ],
    ...['{"kind":"done","height":1}', '{"kind":"diverged","height":1,"transaction":0.5}'],
    ...['{"kind":"ready","adapters":[1]}', '{"kind":"failed"}', '{"kind":"other"}'],
  ]) {
    assert.throws(() => decodeAnswer(utf8(text)), DecodeError, text);
  }
});

test('frames are found however the stream is cut, and one too long is refused', () => {
  const bodies = [encodeQuestion(block), encodeQuestion(configure), Buffer.alloc(0)];
  const stream = Buffer.concat(bodies.map((body) => frameOf(body)));
  for (const size of [1, 3, 7, stream.length]) {
    const frames = new ReexecutionFrames();
    const found: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size) {
      for (const body of frames.take(stream.subarray(at, at + size))) found.push(body);
    }
    assert.deepEqual(
      found.map((body) => Buffer.from(body)),
      bodies.map((body) => Buffer.from(body)),
    );
  }
  const huge = Buffer.from('ffffffff', 'hex');
  assert.throws(() => [...new ReexecutionFrames().take(huge)], DecodeError);
});
