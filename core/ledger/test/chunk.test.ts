import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chunkHeaderBytes,
  chunkName,
  encodeChunkHeader,
  encodeFrameHeader,
  parseChunkName,
  scanChunk,
} from '../index.ts';
import { Ledger, refusal } from './fixture.ts';

function chunkOf(blocks: readonly Uint8Array[], firstHeight = 1): Buffer {
  const frames = blocks.flatMap((block) => [encodeFrameHeader(block), block]);
  return Buffer.concat([encodeChunkHeader(firstHeight), ...frames]);
}

const sample = (): Buffer[] => new Ledger().grow(4).blocks.map(({ bytes }) => bytes);

test('docs/format/chunk.md: header and frame have these bytes', () => {
  const bytes = chunkOf([Buffer.from('block')], 258).toString('hex');
  assert.equal(
    bytes,
    `${Buffer.from('CCDTLDG1').toString('hex')}000000000000010200000005626c6f636b`,
  );
});

test('a chunk is read back, with the position and height of every block', () => {
  const blocks = sample();
  const scan = scanChunk(chunkOf(blocks, 7));
  assert.equal(scan.firstHeight, 7);
  assert.deepEqual(
    scan.frames.map(({ block }) => Buffer.from(block)),
    blocks,
  );
  assert.deepEqual(
    scan.frames.map(({ height }) => height),
    [7, 8, 9, 10],
  );
  assert.equal(scan.frames[1]!.offset, chunkHeaderBytes + 4 + blocks[0]!.length);
  assert.equal(scan.tornBytes, 0);
});

test('a chunk cut anywhere keeps its whole blocks and reports the rest as torn', () => {
  const blocks = sample();
  const chunk = chunkOf(blocks);
  for (let length = chunkHeaderBytes; length < chunk.length; length++) {
    const { frames, validBytes, tornBytes } = scanChunk(chunk.subarray(0, length));
    assert.equal(validBytes + tornBytes, length);
    const whole = chunkOf(blocks.slice(0, frames.length));
    assert.equal(validBytes, whole.length);
    assert.ok(tornBytes < blocks[frames.length]!.length + 4);
  }
});

test('zeros behind the last block are a torn tail; a zero length before bytes is damage', () => {
  const chunk = chunkOf(sample());
  const zeros = scanChunk(Buffer.concat([chunk, Buffer.alloc(4096)]));
  assert.equal(zeros.tornBytes, 4096);
  assert.equal(zeros.frames.length, 4);
  const damaged = Buffer.concat([chunk, Buffer.alloc(100), Buffer.of(1)]);
  assert.equal(
    refusal(() => scanChunk(damaged)),
    'MALFORMED',
  );
  const huge = Buffer.concat([chunk, Buffer.of(0x10, 0, 0, 1)]);
  assert.equal(
    refusal(() => scanChunk(huge)),
    'MALFORMED',
  );
});

test('what does not begin as a chunk is refused', () => {
  const chunk = chunkOf(sample());
  for (let length = 0; length < chunkHeaderBytes; length++) {
    assert.equal(
      refusal(() => scanChunk(chunk.subarray(0, length))),
      'MALFORMED',
    );
  }
  for (let i = 0; i < 8; i++) {
    const changed = Buffer.from(chunk);
    changed[i]! ^= 1;
    assert.equal(
      refusal(() => scanChunk(changed)),
      'MALFORMED',
    );
  }
  assert.equal(
    refusal(() => scanChunk(encodeChunkHeader(0))),
    'MALFORMED',
  );
});

test('names say what they are and nothing else is a name', () => {
  for (const name of ['ledger_1.chunk', 'ledger_1-14.committed.chunk']) {
    assert.equal(chunkName(parseChunkName(name)!), name);
  }
  for (const name of [
    'ledger_0.chunk',
    'ledger_01.chunk',
    'ledger_5-4.committed.chunk',
    'ledger_1-2.chunk',
    'ledger_1.committed.chunk',
    'ledger_1.chunk.bak',
    'xledger_1.chunk',
    'ledger_1234567890123456.chunk',
    '',
  ]) {
    assert.equal(parseChunkName(name), undefined, name);
  }
});
