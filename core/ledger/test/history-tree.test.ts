import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { toDigest } from '@concordat/std';
import { HistoryTree, type ProofStep } from '../index.ts';

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const leaf = (n: number): Buffer => sha256(Buffer.from(`leaf ${n}`));
const leaves = (size: number, salt = 0): Buffer[] =>
  Array.from({ length: size }, (_, i) => leaf(i + salt));

/** CCF's tree said plainly: pairwise, an odd last node carried up unchanged. */
function naiveRoot(level: readonly Buffer[]): Buffer {
  if (level.length === 1) return level[0]!;
  const above: Buffer[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const pair = level.slice(i, i + 2);
    above.push(pair.length === 2 ? sha256(Buffer.concat(pair)) : pair[0]!);
  }
  return naiveRoot(above);
}

function follow(from: Buffer, steps: readonly ProofStep[]): Buffer {
  let current = from;
  for (const step of steps) {
    current =
      'left' in step
        ? sha256(Buffer.concat([Buffer.from(step.left, 'hex'), current]))
        : sha256(Buffer.concat([current, Buffer.from(step.right, 'hex')]));
  }
  return current;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('the root of every size is that of the plain tree, and so is the parent of its children', () => {
  const tree = new HistoryTree();
  for (let size = 1; size <= 130; size++) {
    tree.append(toDigest(leaf(size - 1)));
    const expected = hex(naiveRoot(leaves(size)));
    assert.equal(hex(tree.root()), expected);
    const children = tree.rootChildren();
    if (size === 1) assert.equal(children, undefined);
    else assert.equal(hex(sha256(Buffer.concat(children!))), expected);
  }
});

test('every leaf proves to the root of every size since', () => {
  const tree = new HistoryTree();
  for (const one of leaves(70)) tree.append(toDigest(one));
  for (let size = 1; size <= 70; size++) {
    const root = hex(naiveRoot(leaves(size)));
    for (let index = 0; index < size; index++) {
      const steps = tree.proof(index, size);
      assert.equal(hex(follow(leaf(index), steps)), root);
      assert.ok(steps.length <= Math.ceil(Math.log2(size)));
    }
  }
});

test('restoring a mark and growing differently is growing differently from the start', () => {
  for (let kept = 0; kept <= 40; kept++) {
    const tree = new HistoryTree();
    for (const one of leaves(kept)) tree.append(toDigest(one));
    const mark = tree.mark();
    for (const one of leaves(25, 1000)) tree.append(toDigest(one));
    tree.restore(mark);
    assert.equal(tree.size, kept);
    const others = [...leaves(kept), ...leaves(17, 2000)];
    for (const one of others.slice(kept)) tree.append(toDigest(one));
    assert.equal(hex(tree.root()), hex(naiveRoot(others)));
    assert.equal(hex(follow(others[0]!, tree.proof(0, others.length))), hex(tree.root()));
  }
});

test('rolling back across pages forgets and relearns them', () => {
  const tree = new HistoryTree();
  const size = 4096 * 3 + 5;
  for (let i = 0; i < size; i++) tree.append(toDigest(leaf(i)));
  tree.restore({ size: 10 });
  for (let i = 10; i < 5000; i++) tree.append(toDigest(leaf(i)));
  assert.equal(hex(tree.root()), hex(naiveRoot(leaves(5000))));
  for (const index of [0, 9, 10, 4095, 4096, 4999]) {
    assert.equal(hex(follow(leaf(index), tree.proof(index, 5000))), hex(tree.root()));
  }
});

test('growing and the root need no page that is whole, and taking back the last block neither', () => {
  const [whole, lean] = [new HistoryTree(), new HistoryTree()];
  for (let n = 0; n < 4096 * 3 + 3; n++) {
    for (const tree of [whole, lean]) tree.append(toDigest(leaf(n)));
    if (n % 4096 > 4090 || n % 4096 < 4) {
      const { size } = lean;
      lean.append(toDigest(leaf(-1)));
      lean.restore({ size });
      assert.deepEqual(lean.rootBranch(), whole.rootBranch());
    }
    lean.releaseBefore(Math.floor(lean.size / 4096));
  }
  assert.throws(() => lean.leaf(4095), { name: 'LedgerError', code: 'PAGE_NEEDED' });
  assert.throws(() => lean.restore({ size: 4096 * 3 - 1 }), { name: 'AssertionError' });
  assert.deepEqual(lean.proof(4096 * 3 + 1, lean.size), whole.proof(4096 * 3 + 1, whole.size));
});

test('marks and proofs beyond the end are bugs', () => {
  const tree = new HistoryTree();
  assert.throws(() => tree.root(), { name: 'AssertionError' });
  tree.append(toDigest(leaf(0)));
  assert.throws(() => tree.restore({ size: 2 }), { name: 'AssertionError' });
  assert.throws(() => tree.proof(1, 1), { name: 'AssertionError' });
  assert.throws(() => tree.proof(0, 2), { name: 'AssertionError' });
  assert.throws(() => tree.leaf(1), { name: 'AssertionError' });
});
