import assert from 'node:assert/strict';
import { createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { test } from 'node:test';
import { Ledger } from './fixture.ts';

// docs/format/block.md read by hand: nothing of the room but what it sealed is used here.

const sha256 = (...parts: Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

function fold(level: readonly Buffer[]): Buffer {
  if (level.length === 1) return level[0]!;
  const above: Buffer[] = [];
  for (let i = 0; i < level.length; i += 2) {
    above.push(i + 1 < level.length ? sha256(level[i]!, level[i + 1]!) : level[i]!);
  }
  return fold(above);
}

const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};

const derive = (key: Uint8Array, use: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, '', `concordat session v1 ${use}`, 32));

test('docs/format/block.md: a block read by its byte table has the stated root', () => {
  const ledger = new Ledger();
  const claimsDigest = Buffer.alloc(32, 3);
  const [first, second] = [Buffer.alloc(100, 1), Buffer.alloc(5, 2)];
  const publicWrites = Buffer.from('in the open');
  const none = new Uint8Array(0);
  ledger.seal([{ publicWrites: none, privateWrites: second }]);
  const { bytes } = ledger.seal([
    { publicWrites: none, privateWrites: first },
    { publicWrites, privateWrites: second, claimsDigest },
  ]);
  assert.equal(bytes[0], 1);
  assert.equal(bytes.readUInt32BE(5), 2);
  const [view, height, seqno] = [9, 17, 25].map((at) => Number(bytes.readBigUInt64BE(at)));
  assert.deepEqual([view, height, seqno], [1, 2, 2]);
  assert.deepEqual(bytes.subarray(81, 113), sha256(ledger.blocks[0]!.bytes.subarray(0, 145)));

  const publicBytes = bytes.readUInt32BE(177);
  const segment = Buffer.concat([Buffer.of(0, publicWrites.length), publicWrites]);
  assert.deepEqual(bytes.subarray(181, 181 + publicBytes), segment);
  const sealedAt = 181 + publicBytes;
  const sealed = bytes.subarray(sealedAt + 4, sealedAt + 4 + bytes.readUInt32BE(sealedAt));
  const nonce = Buffer.concat([u64(height!).subarray(2), u64(view!).subarray(3), Buffer.of(1)]);
  const sealingKey = derive(ledger.sessionKey.key, 'block sealing');
  const decipher = createDecipheriv('aes-256-gcm', sealingKey, nonce, { authTagLength: 16 });
  decipher.setAAD(bytes.subarray(0, sealedAt)).setAuthTag(sealed.subarray(-16));
  const plaintext = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  // 2 x 100 takes two bytes; 2 x 5 + 1 announces claims.
  const expected = [Buffer.of(0x40, 200), first, Buffer.of(11), claimsDigest, second];
  assert.deepEqual(plaintext, Buffer.concat(expected));

  const evidenceKey = derive(ledger.sessionKey.key, 'commit evidence');
  const blockNonce = createHmac('sha256', evidenceKey)
    .update(Buffer.concat([u64(view!), u64(height!)]))
    .digest();
  const evidence = (at: number): Buffer =>
    sha256(Buffer.from(`ce:${view}.${at}:${sha256(blockNonce, u64(at)).toString('hex')}`));
  const leaves = [
    sha256(sha256(Buffer.of(0), first), evidence(2), Buffer.alloc(32)),
    sha256(sha256(Buffer.of(1), sha256(publicWrites), sha256(second)), evidence(3), claimsDigest),
  ];
  const transactionsRoot = fold(leaves);
  assert.deepEqual(bytes.subarray(145, 177), transactionsRoot);
  const root = sha256(sha256(bytes.subarray(0, 113), sha256(segment)), transactionsRoot);
  assert.deepEqual(bytes.subarray(113, 145), root);
  const history = fold(ledger.blocks.map(({ header }) => Buffer.from(header.blockRoot)));
  assert.deepEqual(Buffer.from(ledger.blocks[1]!.historyRoot), history);
  const signature = bytes.subarray(sealedAt + 4 + sealed.length);
  assert.equal(signature[0], signature.length - 1);
});
