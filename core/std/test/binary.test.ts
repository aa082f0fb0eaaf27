import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryReader, BinaryWriter, DecodeError } from '../index.ts';

const sample = () =>
  new BinaryWriter(1)
    .u8(255)
    .u16(65_535)
    .u32(0xffff_ffff)
    .u64(Number.MAX_SAFE_INTEGER)
    .bytes(Buffer.from([1, 2, 3]))
    .text('Grüße')
    .latin1('\x00\xff')
    .raw(Buffer.from([9]))
    .take();

function readAll(bytes: Uint8Array): unknown[] {
  const reader = new BinaryReader(bytes);
  const fields = [
    reader.u8(),
    reader.u16(),
    reader.u32(),
    reader.u64(),
    reader.bytes().toString('hex'),
    reader.text(),
    reader.latin1(),
    reader.raw(1)[0],
  ];
  reader.end();
  return fields;
}

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error));
    return error.code;
  }
  return 'none';
};

test('what a writer wrote a reader reads back', () => {
  const fields = [
    255,
    65_535,
    0xffff_ffff,
    Number.MAX_SAFE_INTEGER,
    '010203',
    'Grüße',
    '\x00\xff',
    9,
  ];
  assert.deepEqual(readAll(sample()), fields);
});

test('every truncation is refused as TRUNCATED and an extension as TRAILING', () => {
  const bytes = sample();
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(
      codeOf(() => readAll(bytes.subarray(0, length))),
      'TRUNCATED',
      `${length} bytes`,
    );
  }
  assert.equal(
    codeOf(() => readAll(Buffer.concat([bytes, Buffer.alloc(1)]))),
    'TRAILING',
  );
});

test('lengths above a limit and numbers above 2^53-1 are refused before anything is read', () => {
  const long = new BinaryWriter().bytes(Buffer.alloc(100)).take();
  assert.equal(
    codeOf(() => new BinaryReader(long).bytes(99)),
    'TOO_LARGE',
  );
  assert.equal(
    codeOf(() => new BinaryReader(Buffer.alloc(8, 0xff)).u64()),
    'TOO_LARGE',
  );
  assert.equal(
    codeOf(() => new BinaryReader(new BinaryWriter().text('abc').take()).text(2)),
    'TOO_LARGE',
  );
});

test('text that is not UTF-8 is refused, whatever it would be replaced by', () => {
  for (const invalid of ['ff', 'f09f98', 'c080', 'eda080']) {
    const bytes = Buffer.from(invalid, 'hex');
    const field = new BinaryWriter().u16(bytes.length).raw(bytes).take();
    assert.equal(
      codeOf(() => new BinaryReader(field).text()),
      'INVALID',
      invalid,
    );
  }
});

test('a writer starts anew after take and patches lengths it learned late', () => {
  const writer = new BinaryWriter();
  writer.u32(0).text('x');
  writer.patchU32(0, writer.length);
  assert.equal(writer.take().readUInt32BE(0), 7);
  assert.equal(writer.u8(1).take().length, 1);
});
