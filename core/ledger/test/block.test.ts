import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aeadSeal, nodeIdOf } from '@concordat/crypto';
import { toDigest } from '@concordat/std';
import {
  decodeHeader,
  HistoryTree,
  headerBytes,
  nonceDomains,
  openPublicPart,
  sealBlock,
  sealingKeyOf,
  sealingNonce,
  type TransactionRecord,
} from '../index.ts';
import { Follower, Ledger, record, refusal } from './fixture.ts';

/** Byte strings as hex, whatever array they are views of. */
const comparable = (value: object): object =>
  Object.fromEntries(
    Object.entries(value).map(([key, field]) => [
      key,
      field instanceof Uint8Array ? Buffer.from(field).toString('hex') : field,
    ]),
  );

const plain = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

test('blocks of many shapes open to what was sealed, and both sides have one history', () => {
  const ledger = new Ledger();
  const follower = new Follower(ledger);
  const shapes: readonly TransactionRecord[][] = [
    [record('one')],
    [record('a', 1)],
    Array.from({ length: 100 }, (_, i) => record(`tx ${i}`, i)),
    [{ publicWrites: Buffer.alloc(20_000, 1), privateWrites: Buffer.alloc(100_000, 2) }],
    [{ publicWrites: new Uint8Array(0), privateWrites: new Uint8Array(0) }],
  ];
  for (const transactions of shapes) {
    const sealed = ledger.seal(transactions);
    const opened = follower.open(sealed.bytes);
    assert.deepEqual(comparable(opened.header), comparable(sealed.header));
    assert.deepEqual(opened.headerHash, sealed.headerHash);
    assert.deepEqual(opened.historyRoot, sealed.historyRoot);
    assert.equal(opened.transactions.length, transactions.length);
    for (const [i, transaction] of opened.transactions.entries()) {
      assert.equal(plain(transaction.publicWrites), plain(transactions[i]!.publicWrites));
      assert.equal(plain(transaction.privateWrites), plain(transactions[i]!.privateWrites));
      assert.deepEqual(transaction.claimsDigest, transactions[i]!.claimsDigest);
    }
  }
  assert.deepEqual(follower.history.root(), ledger.history.root());
});

test('public writes are readable without keys and private writes are not in the block', () => {
  const ledger = new Ledger();
  const { bytes } = ledger.seal([record('secret', 1), record('hidden', 0)]);
  const { publicWrites } = openPublicPart(bytes);
  assert.deepEqual(publicWrites.map(plain), ['public secret', '']);
  assert.equal(bytes.includes('private'), false);
});

test('claims of 32 zero bytes and no claims are the same block', () => {
  const zero = { ...record('x'), claimsDigest: new Uint8Array(32) };
  const [one, other] = [new Ledger().seal([zero]), new Ledger().seal([record('x')])];
  assert.deepEqual(one.headerHash, other.headerHash);
});

test('no byte of a block can be changed, at any height', () => {
  for (const heights of [1, 4]) {
    const ledger = new Ledger().grow(heights);
    const follower = new Follower(ledger);
    const blocks = ledger.blocks.map(({ bytes }) => bytes);
    for (const bytes of blocks.slice(0, -1)) follower.open(bytes);
    const last = blocks.at(-1)!;
    const root = follower.history.size > 0 ? follower.history.root() : undefined;
    const codes = new Set<string>();
    for (let i = 0; i < last.length; i++) {
      for (const bit of [0x01, 0x80]) {
        const changed = Buffer.from(last);
        changed[i]! ^= bit;
        const code = refusal(() => follower.open(changed));
        assert.notEqual(code, 'accepted', `byte ${i} ^ ${bit}`);
        codes.add(code);
      }
    }
    assert.equal(follower.history.size, heights - 1);
    if (root !== undefined) assert.deepEqual(follower.history.root(), root);
    follower.open(last);
    const expected = [
      'AUTHENTICATION_FAILED',
      'BAD_SIGNATURE',
      'BROKEN_CHAIN',
      'MALFORMED',
      'UNKNOWN_EPOCH',
      'UNKNOWN_LEADER',
      'WRONG_HEIGHT',
      'WRONG_SEQNO',
    ];
    assert.deepEqual([...codes].sort(), expected);
  }
});

test('a block cut at any length, or extended, is malformed', () => {
  const ledger = new Ledger().grow(3);
  const follower = new Follower(ledger);
  follower.open(ledger.blocks[0]!.bytes);
  follower.open(ledger.blocks[1]!.bytes);
  const { bytes } = ledger.blocks[2]!;
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(
      refusal(() => follower.open(bytes.subarray(0, length))),
      'MALFORMED',
    );
    assert.equal(
      refusal(() => openPublicPart(bytes.subarray(0, length))),
      'MALFORMED',
    );
  }
  for (const extra of [1, 16, 1000]) {
    const extended = Buffer.concat([bytes, Buffer.alloc(extra)]);
    assert.equal(
      refusal(() => follower.open(extended)),
      'MALFORMED',
    );
  }
});

test('a header with a field out of its range is malformed', () => {
  const { bytes } = new Ledger().seal([record('x')]);
  const with64 = (at: number, high: number, low: number) => (header: Buffer) => {
    header.writeUInt32BE(high, at);
    header.writeUInt32BE(low, at + 4);
  };
  const changes: Record<string, (header: Buffer) => unknown> = {
    'version 0': (header) => header.writeUInt8(0, 0),
    'version 2': (header) => header.writeUInt8(2, 0),
    'an unknown flag': (header) => header.writeUInt16BE(4, 1),
    'no transactions': (header) => header.writeUInt32BE(0, 5),
    'view 0': with64(9, 0, 0),
    'view 2^40': with64(9, 0x100, 0),
    'height 0': with64(17, 0, 0),
    'height 2^48': with64(17, 0x1_0000, 0),
    'seqno 0': with64(25, 0, 0),
    'a last seqno of 2^53': with64(25, 0x1f_ffff, 0xffff_ffff),
    'epoch 0': with64(33, 0, 0),
    'epoch 2^53': with64(33, 0x20_0000, 0),
    'time 2^53': with64(41, 0x20_0000, 0),
  };
  for (const [name, change] of Object.entries(changes)) {
    const header = Buffer.from(bytes.subarray(0, headerBytes));
    assert.equal(decodeHeader(header).height, 1);
    change(header);
    assert.equal(
      refusal(() => decodeHeader(header)),
      'MALFORMED',
      name,
    );
  }
});

test('a count beyond the bytes of the block is malformed before anything is allocated', () => {
  const { bytes } = new Ledger().seal([record('x')]);
  const inflated = Buffer.from(bytes);
  inflated.writeUInt32BE(0xffff_ffff, 5);
  assert.equal(
    refusal(() => openPublicPart(inflated)),
    'MALFORMED',
  );
});

test('blocks skipped, reordered or replayed are refused by height', () => {
  const ledger = new Ledger().grow(3);
  const [first, second, third] = ledger.blocks.map(({ bytes }) => bytes);
  const follower = new Follower(ledger);
  assert.equal(
    refusal(() => follower.open(second!)),
    'WRONG_HEIGHT',
  );
  follower.open(first!);
  assert.equal(
    refusal(() => follower.open(first!)),
    'WRONG_HEIGHT',
  );
  assert.equal(
    refusal(() => follower.open(third!)),
    'WRONG_HEIGHT',
  );
  follower.open(second!);
  assert.equal(
    refusal(() => follower.open(first!)),
    'WRONG_HEIGHT',
  );
  follower.open(third!);
});

test('a block of another ledger is refused, however much the two share', () => {
  const [one, stranger] = [new Ledger(1).grow(2), new Ledger(2).grow(2)];
  const follower = new Follower(one);
  assert.equal(
    refusal(() => follower.open(stranger.blocks[0]!.bytes)),
    'UNKNOWN_LEADER',
  );
  follower.open(one.blocks[0]!.bytes);
  assert.equal(
    refusal(() => follower.open(stranger.blocks[1]!.bytes)),
    'BROKEN_CHAIN',
  );
  // The same keys and another history: a fork.
  const fork = new Ledger(1);
  fork.seal([record('another first')]);
  fork.seal([record('another second')]);
  assert.equal(
    refusal(() => follower.open(fork.blocks[1]!.bytes)),
    'BROKEN_CHAIN',
  );
});

test('a signature over another history of the same block is refused', () => {
  const ledger = new Ledger().grow(1);
  const follower = new Follower(ledger);
  follower.open(ledger.blocks[0]!.bytes);
  const liar = new Ledger();
  liar.history.append(toDigest(Buffer.alloc(32, 7)));
  liar.previous = ledger.previous;
  liar.nextSeqno = ledger.nextSeqno;
  const { bytes } = liar.seal([record('x')]);
  assert.equal(
    refusal(() => follower.open(bytes)),
    'BAD_SIGNATURE',
  );
  assert.equal(follower.history.size, 1);
  follower.open(ledger.seal([record('x')]).bytes);
});

/** What a leader with the right keys and wrong code could send: any segments, sealed and signed. */
function forge(
  ledger: Ledger,
  honest: Uint8Array,
  parts: { root?: Uint8Array; publicSegment?: number[]; privateSegment: number[] },
): Buffer {
  const header = Buffer.from(honest.subarray(0, headerBytes));
  if (parts.root !== undefined) header.set(parts.root, headerBytes - 32);
  const publicSegment = Buffer.from(parts.publicSegment ?? []);
  const root = honest.subarray(headerBytes, headerBytes + 32);
  const front = Buffer.concat([header, root, u32(publicSegment.length), publicSegment]);
  const { view, height } = decodeHeader(header);
  const sealed = aeadSeal(
    sealingKeyOf(ledger.sessionKey),
    sealingNonce(height, view, nonceDomains.block),
    front,
    Buffer.from(parts.privateSegment),
  );
  const signature = ledger.nodeKey.sign(Buffer.from('whatever'));
  return Buffer.concat([front, u32(sealed.length), sealed, Buffer.of(signature.length), signature]);
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

test('a leader whose transactions do not have the stated root is refused', () => {
  const ledger = new Ledger();
  const { bytes } = ledger.seal([record('x')]);
  const follower = new Follower(ledger);
  const text = [...Buffer.from('private x')];
  const other = forge(ledger, bytes, { privateSegment: [18, ...text.with(8, 0x79)] });
  assert.equal(
    refusal(() => follower.open(other)),
    'WRONG_ROOT',
  );
  const moved = forge(ledger, bytes, { publicSegment: [9, ...text], privateSegment: [0] });
  assert.equal(
    refusal(() => follower.open(moved)),
    'WRONG_ROOT',
  );
  const rooted = forge(ledger, bytes, { root: Buffer.alloc(32), privateSegment: [18, ...text] });
  assert.equal(
    refusal(() => follower.open(rooted)),
    'WRONG_ROOT',
  );
  const unsigned = forge(ledger, bytes, { privateSegment: [18, ...text] });
  assert.equal(
    refusal(() => follower.open(unsigned)),
    'BAD_SIGNATURE',
  );
  assert.equal(follower.history.size, 0);
});

test('segments that are not in their one form are malformed, even under the right keys', () => {
  const ledger = new Ledger();
  const { bytes } = ledger.seal([record('x')]);
  const follower = new Follower(ledger);
  const forgeries: Record<string, { publicSegment?: number[]; privateSegment: number[] }> = {
    'a length not in its shortest form': { privateSegment: [0x40, 0x02, 0x61] },
    'a four-byte length not in its shortest form': { privateSegment: [0x80, 0, 0, 2, 0x61] },
    'an eight-byte length': { privateSegment: [0xc0, 0, 0, 0, 0, 0, 0, 2, 0x61] },
    'a length cut': { privateSegment: [0x40] },
    'writes cut': { privateSegment: [4, 0x61] },
    'claims cut': { privateSegment: [1, ...Array(31).fill(1)] },
    'zero claims': { privateSegment: [1, ...Array(32).fill(0)] },
    'bytes after the last transaction': { privateSegment: [0, 0] },
    'a public segment without writes': { publicSegment: [0], privateSegment: [0] },
    'a public segment cut': { publicSegment: [2, 0x61], privateSegment: [0] },
    'a public segment too long': { publicSegment: [1, 0x61, 0], privateSegment: [0] },
  };
  for (const [name, parts] of Object.entries(forgeries)) {
    assert.equal(
      refusal(() => follower.open(forge(ledger, bytes, parts))),
      'MALFORMED',
      name,
    );
  }
});

test('a node seals each pair of view and height once', () => {
  const ledger = new Ledger().grow(2);
  const mark = ledger.history.mark();
  const before = { previous: ledger.previous, nextSeqno: ledger.nextSeqno };
  ledger.seal([record('rolled back')]);
  ledger.history.restore(mark);
  Object.assign(ledger, before);
  assert.throws(() => ledger.seal([record('again')]), /its nonce would repeat/);
  ledger.view = 2;
  const follower = new Follower(ledger);
  for (const { bytes } of ledger.blocks.slice(0, 2)) follower.open(bytes);
  follower.open(ledger.seal([record('again')]).bytes);
});

test('sealing asserts what its caller must hold', () => {
  const ledger = new Ledger();
  const request = {
    view: 1 as never,
    height: 1 as never,
    firstSeqno: 1 as never,
    epoch: 1 as never,
    timeMs: 0,
    leader: nodeIdOf(ledger.nodeKey.publicKeySpki),
    source: 0,
    previous: toDigest(new Uint8Array(32)),
    transactions: [record('x')],
    sessionKey: ledger.sessionKey,
    sign: (bytes: Uint8Array) => ledger.nodeKey.sign(bytes),
  };
  const bad: Record<string, object> = {
    'no transactions': { transactions: [] },
    'another epoch': { epoch: 2 },
    'another height': { height: 2 },
    'view 0': { view: 0 },
    'a view too large for the nonce': { view: 2 ** 40 },
    'an unknown flag': { flags: 4 },
    'a leader that is no id': { leader: 'x' },
  };
  for (const [name, change] of Object.entries(bad)) {
    const history = new HistoryTree();
    assert.throws(
      () => sealBlock({ ...request, history, ...change }),
      { name: 'AssertionError' },
      name,
    );
    assert.equal(history.size, 0);
  }
  assert.equal(sealBlock({ ...request, history: new HistoryTree() }).header.height, 1);
});
