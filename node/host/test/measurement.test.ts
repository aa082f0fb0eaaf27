import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { measurementOf, parseManifest } from '../measurement.ts';

const [bundle, runtime, library] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
];

test('a measurement is the SHA-256 of the canonical text, libraries sorted, flags in order', () => {
  const text =
    `concordat measurement v1\nrole worker\nbundle ${bundle}\nruntime ${runtime}\n` +
    `flag --permission\nflag --allow-fs-read=<image>\nlibrary a.node ${library}\nlibrary b.node ${bundle}\n`;
  const measured = measurementOf({
    role: 'worker',
    bundle,
    runtime,
    flags: ['--permission', '--allow-fs-read=<image>'],
    libraries: [
      { name: 'b.node', sha256: bundle },
      { name: 'a.node', sha256: library },
    ],
  });
  assert.equal(measured, createHash('sha256').update(text).digest('hex'));
});

test('an image manifest with a missing, unknown or escaping field is refused', () => {
  const good = { name: 'm', role: 'manager', flags: ['--permission'], libraries: ['x.node'] };
  assert.deepEqual(parseManifest(JSON.stringify(good)), good);
  for (const bad of [
    { ...good, role: 'host' },
    { ...good, extra: 1 },
    { ...good, libraries: ['../x.node'] },
    { ...good, flags: ['--a b'] },
    { ...good, flags: ['--ok\nlibrary evil'] },
    { name: 'm', role: 'manager', flags: [] },
  ]) {
    assert.throws(() => parseManifest(JSON.stringify(bad)), { code: 'INVALID_IMAGE' });
  }
});
