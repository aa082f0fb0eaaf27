import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockFlags, headerBytes, keyOfBlock, nonceDomains, sealingNonce } from '../index.ts';
import { Follower, Ledger } from './fixture.ts';

const hex = (height: number, view: number): string =>
  Buffer.from(sealingNonce(height, view, nonceDomains.block)).toString('hex');

test('a nonce is height(6) ‖ view(5) ‖ domain(1)', () => {
  assert.equal(hex(0x010203040506, 0x0708090a0b), '0102030405060708090a0b01');
});

test('nonces differ whenever height or view does, rollbacks included', () => {
  // A history of elections and rollbacks: each view starts at or below the last height.
  const seen = new Set<string>();
  let [state, height, sealed] = [12345, 1, 0];
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state % below;
  };
  for (let view = 1; view <= 300; view++) {
    height = Math.max(1, height - random(8));
    for (let n = random(12); n >= 0; n--) {
      seen.add(hex(height, view));
      sealed++;
      height++;
    }
  }
  assert.equal(seen.size, sealed);
});

test('neighbouring fields cannot run into each other', () => {
  const corners = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 40 - 1];
  const seen = new Set<string>();
  for (const height of [...corners, 2 ** 48 - 1]) {
    for (const view of corners) {
      seen.add(hex(height, view));
    }
  }
  assert.equal(seen.size, (corners.length + 1) * corners.length);
});

test('heights and views without room in the nonce are bugs, not wrap-arounds', () => {
  for (const [height, view] of [
    [2 ** 48, 1],
    [1, 2 ** 40],
    [-1, 1],
    [1, 0.5],
  ] as const) {
    assert.throws(() => sealingNonce(height, view, 1), { name: 'AssertionError' });
  }
});

test('the first block of a resumed view is sealed under a key that its public segment gives', () => {
  const ledger = new Ledger();
  const flags = blockFlags.resumption;
  const text = (of: string): Uint8Array => Buffer.from(of);
  const key = (segment: string): string =>
    Buffer.from(keyOfBlock(ledger.sessionKey, { flags }, text(segment)).key).toString('hex');
  assert.equal(keyOfBlock(ledger.sessionKey, { flags: 1 }, text('a')), ledger.sessionKey);
  assert.equal(key('one ciphertext'), key('one ciphertext'));
  assert.notEqual(key('one ciphertext'), key('another ciphertext'));
  assert.notEqual(key('one ciphertext'), Buffer.from(ledger.sessionKey.key).toString('hex'));
  // The same position sealed twice, as two forgetful leaders would: nothing of the key stream repeats.
  const sealedAs = (publicWrites: string): Buffer => {
    const { bytes } = new Ledger().seal(
      [{ publicWrites: text(publicWrites), privateWrites: Buffer.alloc(200) }],
      flags,
    );
    const from = headerBytes + 36 + bytes.readUInt32BE(headerBytes + 32) + 4;
    return bytes.subarray(from, from + bytes.readUInt32BE(from - 4));
  };
  const [one, other] = [sealedAs('ciphertext 1'), sealedAs('ciphertext 2')];
  assert.equal(one.length, other.length);
  const same = one.filter((byte, at) => byte === other[at]).length;
  assert.ok(same < 20, `${same} of ${one.length} bytes are the same`);
  const follower = new Follower(ledger);
  const sealed = ledger.seal([{ publicWrites: text('x'), privateWrites: text('y') }], flags);
  assert.equal(
    Buffer.from(follower.open(sealed.bytes).transactions[0]!.privateWrites).toString(),
    'y',
  );
});
