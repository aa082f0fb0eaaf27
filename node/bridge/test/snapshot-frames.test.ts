import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  decodeChannelToManager,
  decodeChannelToWorker,
  decodeControlToHost,
  decodeManagerStart,
  type EncodedFrame,
  encodeChannelToManager,
  encodeChannelToWorker,
  encodeControlToHost,
  type Frame,
  FrameDecoder,
  maxPageBytes,
  maxSnapshotChunkBytes,
} from '../index.ts';

const frameOf = (encoded: EncodedFrame): Frame =>
  new FrameDecoder(2 * maxSnapshotChunkBytes).push(Buffer.concat(encoded))[0] as Frame;
const malformed = { code: 'MALFORMED_FRAME' };
const tooLong = Buffer.alloc(maxSnapshotChunkBytes + 1);

test('a snapshot chunk beyond its limit, or empty, is refused in every direction', () => {
  for (const bytes of [tooLong, Buffer.alloc(0)]) {
    const stored = { kind: 'snapshotChunk', request: 1, height: 1, index: 0, bytes } as const;
    const sent = { kind: 'snapshotChunk', request: 1, index: 0, last: true, bytes } as const;
    const restored = { kind: 'restore', index: 0, chunks: 1, bytes } as const;
    assert.throws(() => decodeControlToHost(frameOf(encodeControlToHost(stored))), malformed);
    assert.throws(() => decodeChannelToManager(frameOf(encodeChannelToManager(sent))), malformed);
    assert.throws(() => decodeChannelToWorker(frameOf(encodeChannelToWorker(restored))), malformed);
  }
  const largest = tooLong.subarray(1);
  const whole = { kind: 'snapshotChunk', request: 1, height: 1, index: 0, bytes: largest } as const;
  assert.deepEqual(decodeControlToHost(frameOf(encodeControlToHost(whole))), whole);
});

test('a chunk to restore from beyond the number of chunks is refused', () => {
  const bytes = Buffer.alloc(1);
  for (const [index, chunks] of [
    [0, 0],
    [1, 1],
    [7, 3],
  ] as const) {
    const frame = frameOf(encodeChannelToWorker({ kind: 'restore', index, chunks, bytes }));
    assert.throws(() => decodeChannelToWorker(frame), malformed);
  }
});

test('a page beyond its limit, or empty, is refused', () => {
  for (const length of [0, maxPageBytes + 1]) {
    const page = { kind: 'putPage', request: 1, page: 1, bytes: Buffer.alloc(length) } as const;
    assert.throws(() => decodeControlToHost(frameOf(encodeControlToHost(page))), malformed);
  }
});

test('a height of 0 names no snapshot, base or earlier block', () => {
  for (const message of [
    { kind: 'snapshotBegin', height: 0 },
    { kind: 'snapshotDrop', height: 0 },
    { kind: 'snapshotRead', request: 1, height: 0, index: 0 },
    { kind: 'snapshotFinish', request: 1, height: 0, chunks: 1 },
    { kind: 'snapshotChunk', request: 1, height: 0, index: 0, bytes: Buffer.alloc(1) },
    { kind: 'ledgerBase', request: 1, height: 0 },
    { kind: 'appendEarlier', height: 0, block: Buffer.alloc(1) },
    { kind: 'chunkAt', request: 1, height: 0 },
    { kind: 'setAside', request: 1, from: 0, to: 1 },
    { kind: 'setAside', request: 1, from: 1, to: 0 },
  ] as const) {
    assert.throws(() => decodeControlToHost(frameOf(encodeControlToHost(message))), malformed);
  }
});

test('a code or reason that is too long to be one is refused', () => {
  const code = 'X'.repeat(65);
  for (const message of [
    { kind: 'snapshotRefused', request: 1, code },
    { kind: 'failed', code, message: '' },
    { kind: 'failed', code: 'X', message: 'x'.repeat(1025) },
    { kind: 'restoreRefused', code, message: '' },
    { kind: 'restoreRefused', code: 'X', message: 'x'.repeat(1025) },
  ] as const) {
    assert.throws(
      () => decodeChannelToManager(frameOf(encodeChannelToManager(message))),
      malformed,
    );
  }
});

test('a start record refuses gaps, snapshots and a first height that cannot be', () => {
  const start = {
    role: 'manager',
    mode: 'resume',
    node: { name: 'n' },
    addresses: { node: 'a', admin: 'b', applications: [] },
    peers: [],
    lastHeight: 30,
    firstHeight: 21,
    missing: [{ from: 11, to: 20 }],
    snapshots: [{ height: 20, chunks: 3 }],
    tickMs: 1,
    workers: [],
    genesisData: [],
    restarts: 0,
  };
  const decode = (change: object) =>
    decodeManagerStart(Buffer.from(JSON.stringify({ ...start, ...change })));
  assert.deepEqual(decode({}), start);
  assert.equal(decode({ firstHeight: 31 }).firstHeight, 31);
  for (const change of [
    { firstHeight: 0 },
    { firstHeight: 32 },
    { missing: [{ from: 0, to: 1 }] },
    { missing: [{ from: 2, to: 1 }] },
    { missing: [{ from: 1 }] },
    { missing: {} },
    { missing: Array(1_001).fill({ from: 1, to: 1 }) },
    { snapshots: [{ height: 0, chunks: 1 }] },
    { snapshots: [{ height: 1, chunks: 0 }] },
    { snapshots: [null] },
  ]) {
    assert.throws(() => decode(change), malformed, JSON.stringify(change).slice(0, 60));
  }
});
