import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  createDecryptionShare,
  drawScalar,
  encryptToThreshold,
  sessionKeyLabel,
  timesBase,
} from '@concordat/keys';
import { toDigest, toEpoch, utf8 } from '@concordat/std';
import { AuditorError, decodeSharesFile, encodeSharesFile, maxSharesFileLength } from '../index.ts';

let drawn = 0;
function entropy(bytes: number): Uint8Array {
  const parts: Buffer[] = [];
  while (parts.length * 64 < bytes) {
    drawn += 1;
    parts.push(createHash('sha512').update(`share file ${drawn}`).digest());
  }
  return new Uint8Array(Buffer.concat(parts).subarray(0, bytes));
}

const networkId = 'ab'.repeat(32);
const secret = drawScalar(entropy(64));
const requester = `offline:${networkId}`;

function shareFor(number: number) {
  const epoch = toEpoch(number);
  const label = sessionKeyLabel({ networkId, epoch, keyId: toDigest(new Uint8Array(32)) });
  const ciphertext = encryptToThreshold({
    publicKey: timesBase(secret),
    label,
    message32: entropy(32),
    entropy128: entropy(128),
  });
  const request = { ciphertext, label, requester: utf8(requester) };
  return { epoch, share: createDecryptionShare(request, { index: 2, secret }, entropy(64)) };
}

const file = {
  networkId,
  requester,
  holders: [
    {
      actor: 'cd'.repeat(32),
      index: 2,
      ceremonyId: 'ef'.repeat(32),
      shares: [1, 2, 5].map(shareFor),
    },
  ],
};
const text = encodeSharesFile(file);
const json = (): never => JSON.parse(text) as never;
const refused = { code: 'INVALID_DECRYPTION_SHARES' };

test('a file of decryption shares comes back as it was', () => {
  assert.equal(encodeSharesFile(decodeSharesFile(text)), text);
  assert.deepEqual(decodeSharesFile(encodeSharesFile({ ...file, holders: [] })).holders, []);
});

test('members that are missing, unknown, or of another kind are refused', () => {
  const changes: ((form: Record<string, never>) => unknown)[] = [
    (form) => ({ ...form, format: 'concordat epoch keys' }),
    (form) => ({ ...form, version: 2 }),
    (form) => ({ ...form, note: 1 }),
    (form) => ({ ...form, requester: undefined }),
    (form) => ({ ...form, requester: 'nobody' }),
    (form) => ({ ...form, requester: `offline:\u0007${networkId}` }),
    (form) => ({ ...form, networkId: networkId.toUpperCase() }),
    (form) => ({ ...form, holders: {} }),
    (form) => ({ ...form, holders: Array(1_025).fill(form.holders?.[0]) }),
    () => [],
    () => null,
    () => 'concordat decryption shares',
  ];
  for (const change of changes) {
    const changed = JSON.stringify(change(json())) ?? '';
    assert.throws(() => decodeSharesFile(changed), refused, changed.slice(0, 80));
  }
});

test('holders and shares without their form are refused: index, order, epochs, lengths, another holder', () => {
  const changes: ((holder: Record<string, never>, shares: Record<string, never>[]) => object)[] = [
    (holder) => ({ ...holder, index: 0 }),
    (holder) => ({ ...holder, index: 256 }),
    // Not the index that stands in the shares.
    (holder) => ({ ...holder, index: 3 }),
    (holder) => ({ ...holder, actor: '' }),
    (holder) => ({ ...holder, ceremonyId: 'ef' }),
    (holder) => ({ ...holder, secret: 'x' }),
    (holder, shares) => ({ ...holder, shares: shares.toReversed() }),
    (holder, [first]) => ({ ...holder, shares: [first, first] }),
    (holder, [first]) => ({ ...holder, shares: [{ ...first, epoch: 0 }] }),
    (holder, [first]) => ({ ...holder, shares: [{ ...first, epoch: 1.5 }] }),
    (holder, [first]) => ({ ...holder, shares: [{ ...first, epoch: 2 ** 53 }] }),
    (holder, [first]) => ({ ...holder, shares: [{ ...first, share: 'AAAA' }] }),
    (holder, [first]) => ({ ...holder, shares: [{ ...first, share: 7 }] }),
    (holder, [first]) => ({ ...holder, shares: [{ ...first, share: `${first?.share}=` }] }),
    (holder, [first]) => ({ ...holder, shares: [{ ...first, more: 1 }] }),
  ];
  for (const [at, change] of changes.entries()) {
    const form = json() as { holders: Record<string, never>[] };
    const [holder] = form.holders as [Record<string, never>];
    const changed = JSON.stringify({ ...form, holders: [change(holder, holder.shares ?? [])] });
    assert.throws(() => decodeSharesFile(changed), refused, `change ${at}`);
  }
});

test('truncated anywhere, doubled, or too long: refused', () => {
  for (let length = 0; length < text.trimEnd().length; length++) {
    assert.throws(() => decodeSharesFile(text.slice(0, length)), refused);
  }
  assert.throws(() => decodeSharesFile(text + text), refused);
  assert.throws(() => decodeSharesFile(' '.repeat(maxSharesFileLength + 1)), refused);
});

test('whatever a changed file is, it is read or refused with a code', () => {
  let state = 12_345;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state % below;
  };
  for (let round = 0; round < 3_000; round++) {
    const bytes = Buffer.from(text);
    for (let count = 0; count <= random(4); count++) bytes[random(bytes.length)] = random(256);
    try {
      decodeSharesFile(bytes.toString('utf8'));
    } catch (error) {
      assert.ok(error instanceof AuditorError, String(error));
    }
  }
});
