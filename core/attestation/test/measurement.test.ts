import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  AttestationError,
  type ImageDescription,
  measurementOf,
  measurementText,
} from '@concordat/attestation';

const [a, b, c, d] = ['aa', 'bb', 'cc', 'dd'].map((byte) => byte.repeat(32)) as [
  string,
  string,
  string,
  string,
];
const image: ImageDescription = {
  role: 'worker',
  bundle: a,
  runtime: b,
  flags: ['--permission', '--max-old-space-size=512'],
  libraries: [
    { name: 'keccak.wasm', sha256: c },
    { name: 'Zlib.node', sha256: d },
  ],
};
const text = [
  'concordat measurement v1',
  'role worker',
  `bundle ${a}`,
  `runtime ${b}`,
  'flag --permission',
  'flag --max-old-space-size=512',
  `library Zlib.node ${d}`,
  `library keccak.wasm ${c}`,
  '',
].join('\n');

test('an image is measured by its canonical text', () => {
  assert.equal(measurementText(image), text);
  assert.equal(measurementOf(image), createHash('sha256').update(text).digest('hex'));
  const bare = { ...image, flags: [], libraries: [] };
  assert.equal(
    measurementText(bare),
    `concordat measurement v1\nrole worker\nbundle ${a}\nruntime ${b}\n`,
  );
});

test('the order of libraries does not matter; that of flags does', () => {
  const shuffled = { ...image, libraries: image.libraries.toReversed() };
  assert.equal(measurementOf(shuffled), measurementOf(image));
  const turned = { ...image, flags: image.flags.toReversed() };
  assert.notEqual(measurementOf(turned), measurementOf(image));
});

test('every fact changes the measurement', () => {
  const others: Partial<ImageDescription>[] = [
    { role: 'manager' },
    { bundle: c },
    { runtime: c },
    { flags: [] },
    { libraries: [] },
    { libraries: [{ name: 'keccak.wasm', sha256: c }] },
  ];
  const seen = new Set([measurementOf(image)]);
  for (const other of others) seen.add(measurementOf({ ...image, ...other }));
  assert.equal(seen.size, others.length + 1);
});

test('nothing in a description can pass for another line', () => {
  const others: Partial<ImageDescription>[] = [
    { flags: [`--x\nlibrary evil ${c}`] },
    { flags: [''] },
    { flags: ['é'] },
    { libraries: [{ name: `a ${c}\nlibrary b`, sha256: c }] },
    { libraries: [{ name: 'a b', sha256: c }] },
    { libraries: [{ name: '', sha256: c }] },
    { libraries: [{ name: 'a', sha256: 'xyz' }] },
    {
      libraries: [
        { name: 'a', sha256: c },
        { name: 'a', sha256: c },
      ],
    },
    { bundle: a.toUpperCase() },
    { runtime: '' },
    { role: 'worker\nbundle' as 'worker' },
  ];
  for (const other of others) {
    assert.throws(
      () => measurementOf({ ...image, ...other }),
      (error) => error instanceof AttestationError && error.code === 'INVALID_IMAGE',
      JSON.stringify(other),
    );
  }
});
