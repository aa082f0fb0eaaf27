import assert from 'node:assert/strict';
import { createCipheriv, createHash, hkdfSync } from 'node:crypto';
import { test } from 'node:test';
import {
  type Digest,
  type Epoch,
  fromHex,
  type Height,
  type Seqno,
  toDigest,
  toHex,
  type View,
} from '@concordat/std';
import {
  chunkPlace,
  chunksOf,
  decodeManifest,
  encodeManifest,
  maxSnapshotChunks,
  openChunk,
  openSnapshotKey,
  requireChunk,
  type SnapshotManifest,
  sealChunk,
  sealedChunkExtraBytes,
  sealedSnapshotKeyBytes,
  sealSnapshotKey,
  snapshotChunkBytes,
  snapshotChunks,
  snapshotDigest,
} from '../index.ts';
import { refusal } from './fixture.ts';

const networkId = '0a'.repeat(32);
const sha256 = (bytes: Uint8Array): Digest => toDigest(createHash('sha256').update(bytes).digest());
const chunk = (n: number): Buffer => Buffer.from(`chunk ${n}`);

const manifest: SnapshotManifest = {
  networkId,
  height: 20_000 as Height,
  view: 7 as View,
  nextSeqno: 70_001 as Seqno,
  epoch: 3 as Epoch,
  headerHash: sha256(chunk(100)),
  historyRoot: sha256(chunk(101)),
  configuration: Buffer.from('who orders'),
  history: [sha256(chunk(1))],
  public: [sha256(chunk(2))],
  sections: [
    { source: 0, chunks: [sha256(chunk(3)), sha256(chunk(4))] },
    { source: 2, chunks: [sha256(chunk(5))] },
  ],
};

test('docs/format/snapshot.md: a manifest has these bytes and this digest', () => {
  const digest = (n: number): string => toHex(sha256(chunk(n)));
  const expected = [
    '43434454534e5032',
    networkId,
    '0000000000004e20',
    '0000000000000007',
    '0000000000011171',
    '0000000000000003',
    digest(100),
    digest(101),
    '0000000a77686f206f7264657273',
    `00000001${digest(1)}`,
    `00000001${digest(2)}`,
    '0002',
    `000000000002${digest(3)}${digest(4)}`,
    `000200000001${digest(5)}`,
  ].join('');
  const bytes = encodeManifest(manifest);
  assert.equal(toHex(bytes), expected);
  assert.deepEqual(snapshotDigest(bytes), sha256(bytes));
  assert.equal(
    toHex(snapshotDigest(bytes)),
    '88aff8efce16ef83a6fa49871d5dd0fd962fb7d41bf968c11db6f61bb7001829',
  );
});

test('a manifest is read back, with the place of every chunk', () => {
  const bytes = encodeManifest(manifest);
  const read = decodeManifest(bytes, { networkId, digest: snapshotDigest(bytes) });
  assert.deepEqual(encodeManifest(read), bytes);
  assert.equal(snapshotChunks(read), 6);
  const places = [1, 2, 3, 4, 5, 6].map((index) => {
    const place = chunkPlace(read, index);
    return place && [place.part, place.index, place.count];
  });
  const [first, second] = [
    ['history', 0, 1],
    ['public', 0, 1],
  ];
  assert.deepEqual(places, [first, second, [0, 0, 2], [0, 1, 2], [2, 0, 1], undefined]);
  for (const index of [1, 2, 3, 4, 5]) requireChunk(read, index, chunk(index));
});

test('chunks that are flipped, cut, extended, swapped or beyond the end are refused', () => {
  const wrong = (index: number, bytes: Uint8Array): string =>
    refusal(() => requireChunk(manifest, index, bytes));
  for (let at = 0; at < chunk(1).length; at++) {
    assert.equal(wrong(1, chunk(1).with(at, chunk(1)[at]! ^ 1)), 'WRONG_CHUNK');
    assert.equal(wrong(1, chunk(1).subarray(0, at)), 'WRONG_CHUNK');
  }
  assert.equal(wrong(1, Buffer.concat([chunk(1), Buffer.of(0)])), 'WRONG_CHUNK');
  assert.equal(wrong(2, chunk(3)), 'WRONG_CHUNK');
  assert.equal(wrong(3, chunk(2)), 'WRONG_CHUNK');
  assert.equal(wrong(6, chunk(5)), 'WRONG_CHUNK');
});

test('a chunk of a length that no node makes is refused although the manifest names it', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(snapshotChunkBytes + 1)]) {
    const named = { ...manifest, history: [sha256(bytes)] };
    assert.equal(
      refusal(() => requireChunk(named, 1, bytes)),
      'WRONG_CHUNK',
    );
  }
});

test('a manifest cut anywhere, extended, or with any bit flipped is refused by its digest', () => {
  const bytes = encodeManifest(manifest);
  const expected = { networkId, digest: snapshotDigest(bytes) };
  const read = (changed: Uint8Array): string => refusal(() => decodeManifest(changed, expected));
  for (let at = 0; at < bytes.length; at++) {
    assert.equal(read(bytes.subarray(0, at)), 'WRONG_SNAPSHOT');
    assert.equal(read(bytes.with(at, bytes[at]! ^ 0x10)), 'WRONG_SNAPSHOT');
  }
  assert.equal(read(Buffer.concat([bytes, Buffer.of(0)])), 'WRONG_SNAPSHOT');
});

test('a manifest whose digest is not known yet still has one form only', () => {
  const bytes = encodeManifest(manifest);
  const read = (changed: Uint8Array): string =>
    refusal(() =>
      assert.deepEqual(encodeManifest(decodeManifest(changed, { networkId })), changed),
    );
  for (let at = 0; at < bytes.length; at++) {
    assert.equal(read(bytes.subarray(0, at)), 'MALFORMED');
    for (let bit = 1; bit < 256; bit *= 2) {
      // A flip is refused, or it is the one encoding of another manifest.
      const code = read(Buffer.from(bytes.with(at, bytes[at]! ^ bit)));
      assert.ok(['accepted', 'MALFORMED', 'WRONG_NETWORK'].includes(code), code);
      if (at < 8) assert.equal(code, 'MALFORMED');
    }
  }
  assert.equal(read(Buffer.concat([bytes, Buffer.of(0)])), 'MALFORMED');
  assert.equal(read(Buffer.alloc(snapshotChunkBytes + 1)), 'MALFORMED');
});

test('a snapshot of another network is refused by name', () => {
  const bytes = encodeManifest(manifest);
  const expected = { networkId: '0b'.repeat(32), digest: snapshotDigest(bytes) };
  assert.equal(
    refusal(() => decodeManifest(bytes, expected)),
    'WRONG_NETWORK',
  );
});

test('parts without chunks, sections out of order and counts beyond the bytes are refused', () => {
  const bytes = encodeManifest(manifest);
  const history = bytes.indexOf(manifest.history[0]!) - 4;
  const sections = history + 72;
  const read = (at: number, ...values: number[]): string => {
    const changed = Buffer.from(bytes);
    changed.set(values, at);
    return refusal(() => decodeManifest(changed, { networkId }));
  };
  assert.equal(read(history, 0, 0, 0, 0), 'MALFORMED');
  assert.equal(read(history, 0xff, 0xff, 0xff, 0xff), 'MALFORMED');
  assert.equal(read(history + 36, 0, 0, 0, 0), 'MALFORMED');
  assert.equal(read(sections, 0, 0), 'MALFORMED');
  assert.equal(read(sections, 0, 3), 'MALFORMED');
  // The first section is another's than the administrative one, then one comes twice.
  assert.equal(read(sections + 2, 0, 1), 'MALFORMED');
  assert.equal(read(sections + 2 + 70, 0, 0), 'MALFORMED');
  const none = Buffer.concat([bytes.subarray(0, sections), Buffer.of(0, 0)]);
  assert.equal(
    refusal(() => decodeManifest(none, { networkId })),
    'MALFORMED',
  );
});

test('the largest snapshot has a manifest of one chunk, and one chunk more is too many', () => {
  const chunks = Array.from({ length: maxSnapshotChunks - 3 }, () => sha256(chunk(1)));
  const configuration = Buffer.alloc(65_536, 1);
  const largest = { ...manifest, configuration, sections: [{ source: 0, chunks }] };
  const bytes = encodeManifest(largest);
  assert.ok(bytes.length <= snapshotChunkBytes);
  assert.equal(snapshotChunks(decodeManifest(bytes, { networkId })), maxSnapshotChunks);
  const extended = Buffer.concat([bytes, chunks[0]!]);
  extended.writeUInt32BE(chunks.length + 1, bytes.length - chunks.length * 32 - 4);
  assert.equal(
    refusal(() => decodeManifest(extended, { networkId })),
    'MALFORMED',
  );
});

const place = { networkId, height: 20_000, index: 3, key: Buffer.alloc(32, 9) };

test('docs/format/snapshot.md: a sealed chunk has these bytes', () => {
  const additional = `${Buffer.from('concordat snapshot chunk v1').toString('hex')}${networkId}0000000000004e2000000003`;
  const nonce = Buffer.from('000000000000000000000003', 'hex');
  const cipher = createCipheriv('aes-256-gcm', place.key, nonce, { authTagLength: 16 });
  cipher.setAAD(fromHex(additional)!);
  const expected = Buffer.concat([
    Buffer.of(1),
    cipher.update(chunk(3)),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  assert.deepEqual(Buffer.from(sealChunk(place, chunk(3))), expected);
  assert.equal(expected.toString('hex'), '01ab625413659acb435baf9fdb3f76c5feccc70daaa4d02e');
});

test('a sealed chunk opens at its own place only, unchanged only', () => {
  const sealed = sealChunk(place, chunk(3));
  assert.equal(sealed.length, chunk(3).length + sealedChunkExtraBytes);
  assert.deepEqual(Buffer.from(openChunk(place, sealed)), chunk(3));
  const open = (bytes: Uint8Array, changes: Partial<typeof place> = {}): string =>
    refusal(() => openChunk({ ...place, ...changes }, bytes));
  assert.equal(open(sealed, { index: 2 }), 'AUTHENTICATION_FAILED');
  assert.equal(open(sealed, { height: 10_000 }), 'AUTHENTICATION_FAILED');
  assert.equal(open(sealed, { networkId: '0b'.repeat(32) }), 'AUTHENTICATION_FAILED');
  assert.equal(open(sealed, { key: Buffer.alloc(32, 8) }), 'AUTHENTICATION_FAILED');
  for (let at = 0; at < sealed.length; at++) {
    const code = at === 0 ? 'MALFORMED' : 'AUTHENTICATION_FAILED';
    assert.equal(open(sealed.with(at, sealed[at]! ^ 2)), code);
    const cut = at <= sealedChunkExtraBytes ? 'MALFORMED' : 'AUTHENTICATION_FAILED';
    assert.equal(open(sealed.subarray(0, at)), cut);
  }
  assert.equal(open(Buffer.concat([sealed, Buffer.of(0)])), 'AUTHENTICATION_FAILED');
  assert.equal(open(Buffer.alloc(snapshotChunkBytes + sealedChunkExtraBytes + 1, 1)), 'MALFORMED');
});

test('docs/format/snapshot.md: the key of a closed part is kept under the session key of its epoch', () => {
  const sessionKey = { epoch: 3 as Epoch, key: Buffer.alloc(32, 7) };
  const key = Buffer.alloc(32, 9);
  const nonce = Buffer.alloc(12, 5);
  const of = { networkId, height: 20_000 };
  const wrapping = hkdfSync('sha256', sessionKey.key, '', 'concordat session v1 snapshot key', 32);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(wrapping), nonce, { authTagLength: 16 });
  const label = Buffer.from('concordat snapshot key v1').toString('hex');
  cipher.setAAD(fromHex(`${label}${networkId}0000000000004e20`)!);
  const expected = [nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()];
  const sealed = sealSnapshotKey({ ...of, key }, sessionKey, nonce);
  assert.deepEqual(Buffer.from(sealed), Buffer.concat(expected));
  assert.equal(sealed.length, sealedSnapshotKeyBytes);
  assert.deepEqual(Buffer.from(openSnapshotKey(of, sealed, sessionKey)), key);
  const open = (bytes: Uint8Array, change: object = {}, other: object = {}): string =>
    refusal(() => openSnapshotKey({ ...of, ...change }, bytes, { ...sessionKey, ...other }));
  assert.equal(open(sealed, { height: 10_000 }), 'AUTHENTICATION_FAILED');
  assert.equal(open(sealed, { networkId: '0b'.repeat(32) }), 'AUTHENTICATION_FAILED');
  assert.equal(open(sealed, {}, { key: Buffer.alloc(32, 8) }), 'AUTHENTICATION_FAILED');
  assert.equal(open(Buffer.concat([sealed, Buffer.of(0)])), 'AUTHENTICATION_FAILED');
  for (let at = 0; at < sealed.length; at++) {
    assert.equal(open(sealed.with(at, sealed[at]! ^ 2)), 'AUTHENTICATION_FAILED');
    assert.equal(open(sealed.subarray(0, at)), 'AUTHENTICATION_FAILED');
  }
});

test('a part is cut into whole chunks and a rest', () => {
  const part = Buffer.alloc(snapshotChunkBytes * 2 + 1, 4);
  assert.deepEqual(
    chunksOf(part).map(({ length }) => length),
    [snapshotChunkBytes, snapshotChunkBytes, 1],
  );
  assert.equal(chunksOf(part.subarray(0, snapshotChunkBytes)).length, 1);
});
