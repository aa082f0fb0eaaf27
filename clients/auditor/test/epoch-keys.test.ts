import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuditorError, decodeEpochKeys, encodeEpochKeys, maxEpochKeys } from '@concordat/auditor';
import { toEpoch } from '@concordat/std';

const networkId = 'ab'.repeat(32);
const keyOf = (epoch: number) => ({
  epoch: toEpoch(epoch),
  key: new Uint8Array(32).fill(epoch),
});
const whole = encodeEpochKeys({ networkId, keys: [keyOf(7), keyOf(2)] });

const refuses = (text: string, about: string): void =>
  assert.throws(
    () => decodeEpochKeys(text),
    (error) => error instanceof AuditorError && error.code === 'INVALID_EPOCH_KEYS',
    about,
  );

test('a file of epoch keys comes back as it was written, by epoch', () => {
  assert.deepEqual(decodeEpochKeys(whole), { networkId, keys: [keyOf(2), keyOf(7)] });
});

test('a file cut anywhere, or of another form, is refused by code', () => {
  for (let end = 0; end < whole.trimEnd().length; end++)
    refuses(whole.slice(0, end), `cut at ${end}`);
  const file = JSON.parse(whole) as { keys: unknown[] };
  const [first, second] = file.keys as [Record<string, unknown>, Record<string, unknown>];
  const others: unknown[] = [
    null,
    [],
    'x',
    { ...file, format: 'x' },
    { ...file, version: 2 },
    { ...file, more: 1 },
    { ...file, networkId: networkId.toUpperCase() },
    { ...file, keys: [] },
    { ...file, keys: {} },
    { ...file, keys: [null] },
    { ...file, keys: [second, first] },
    { ...file, keys: [first, first] },
    { ...file, keys: [{ ...first, epoch: 0 }] },
    { ...file, keys: [{ ...first, epoch: 1.5 }] },
    { ...file, keys: [{ ...first, epoch: '2' }] },
    { ...file, keys: [{ ...first, key: 'ab' }] },
    { ...file, keys: [{ ...first, more: 1 }] },
    { ...file, keys: new Array(maxEpochKeys + 1).fill(first) },
  ];
  for (const other of others) refuses(JSON.stringify(other), JSON.stringify(other).slice(0, 100));
  refuses(`${whole}x`, 'extended');
});
