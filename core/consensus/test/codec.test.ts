import assert from 'node:assert/strict';
import test from 'node:test';
import { DecodeError } from '@concordat/std';
import { decodeMessage, encodeMessage, type Message, maxChunkBytes } from '../index.ts';
import { among, entry, height, id, ids, snapshotAt, view } from './network.ts';

const at = (h: number, v: number) => ({ height: height(h), view: view(v) });
const response = {
  type: 'append-response',
  view: view(3),
  round: 9,
  match: height(4),
  received: height(5),
  committed: height(2),
} as const;

const position = snapshotAt({ height: 9, view: 2, chunks: 7 }, among('abc'), 8);
const installed = {
  type: 'install-response',
  view: view(5),
  digest: position.digest,
  next: 2,
  received: 3,
  height: height(1),
} as const;

const append = {
  type: 'append',
  view: view(3),
  previous: at(6, 2),
  committed: height(5),
  round: 1,
  retire: true,
  entries: [
    entry(2, 7),
    entry(3, 8, 'abc'),
    { ...entry(3, 9), payload: Buffer.alloc(0) },
    { ...entry(3, 10), configuration: among('abc', 1, 3) },
  ],
} as const satisfies Message;

const messages: Message[] = [
  append,
  { type: 'relay', view: view(3), leader: id('a'), targets: ids('bc'), append },
  {
    type: 'relay',
    view: view(3),
    leader: id('a'),
    targets: [],
    append: { ...append, entries: [] },
  },
  response,
  { ...response, rejected: { previousHeight: height(6), estimate: at(3, 1) } },
  { type: 'vote-request', view: view(2 ** 40), pre: true, last: at(9, 1), committed: at(1, 1) },
  { type: 'vote-response', view: view(4), pre: false, granted: true, committed: at(0, 0) },
  { type: 'timeout-now', view: view(4) },
  { type: 'install', view: view(5), position, index: 6, bytes: Buffer.from('chunk') },
  {
    type: 'install',
    view: view(5),
    position: { ...position, configuration: among('abc', 1, 3) },
    index: 0,
    bytes: Buffer.alloc(0),
  },
  installed,
  { ...installed, refused: 'OLD_SNAPSHOT' },
  { ...installed, refused: 'SNAPSHOT_REJECTED' },
];

const bytesOf = (message: Message): Buffer => Buffer.concat(encodeMessage(message));

test('every message survives the wire', () => {
  for (const message of messages) assert.deepEqual(decodeMessage(bytesOf(message)), message);
});

test('payloads are handed over as they are, not copied, in either direction', () => {
  const one = { ...entry(1, 1), payload: Buffer.from('payload') };
  const parts = encodeMessage({ ...append, entries: [one] });
  assert.equal(parts[1]?.buffer, one.payload.buffer);
  const bytes = Buffer.concat(parts);
  const decoded = decodeMessage(bytes) as Message & { type: 'append' };
  assert.equal(decoded.entries[0]?.payload.buffer, bytes.buffer);
});

test('truncated, extended and flipped messages are refused or differ, and never crash', () => {
  for (const message of messages) {
    const bytes = bytesOf(message);
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => decodeMessage(bytes.subarray(0, length)), DecodeError);
    }
    assert.throws(() => decodeMessage(Buffer.concat([bytes, Buffer.alloc(1)])), DecodeError);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      let decoded: Message | undefined;
      try {
        decoded = decodeMessage(flipped);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
      if (decoded) assert.notDeepEqual(decoded, message);
    }
  }
});

test('counts beyond the limits are refused before anything is allocated for them', () => {
  const bytes = bytesOf({ ...append, entries: [] });
  bytes.writeUInt32BE(0xffff_ffff, bytes.length - 4);
  assert.throws(() => decodeMessage(bytes), { code: 'TOO_LARGE' });
  const twice = bytesOf({
    ...append,
    entries: [{ ...entry(3, 7), configuration: among('aa') }],
  });
  assert.throws(() => decodeMessage(twice), { code: 'INVALID' });
  const chunk = bytesOf({
    type: 'install',
    view: view(5),
    position,
    index: 6,
    bytes: Buffer.alloc(1),
  });
  chunk.writeUInt32BE(maxChunkBytes + 1, chunk.length - 5);
  assert.throws(() => decodeMessage(chunk), { code: 'TOO_LARGE' });
  const nobody = bytesOf({
    type: 'install',
    view: view(5),
    position: { ...position, configuration: among('') },
    index: 0,
    bytes: Buffer.alloc(0),
  });
  assert.throws(() => decodeMessage(nobody), DecodeError);
});
