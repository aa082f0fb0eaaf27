import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { FakeSnapshot } from './fake-ledger.ts';
import type { FakeNode } from './fake-node.ts';
import { mutations } from './mutations.ts';
import { type AdapterSamples, answersOf, commitEach, execute, startNode } from './suite-node.ts';

/** Registers the tests of what becomes of an adapter when a snapshot stands for its past. */
export function snapshotTests(samples: AdapterSamples): void {
  const { kept, queries } = samples;
  const [first, rest] = [kept.slice(0, 2), kept.slice(2)];
  replacementTests(samples);

  it('makes the same snapshot on the node that executed and on one that followed', async (t) => {
    const leader = await startNode(t, samples);
    await commitEach(leader, kept);
    const late = await startNode(t, samples, { blocks: leader.ledger.committedBlocks });
    const [own, followed] = [await leader.ledger.takeSnapshot(), await late.ledger.takeSnapshot()];
    assert.deepEqual(followed, own);
  });

  it('keeps what is not committed out of a snapshot', async (t) => {
    const node = await startNode(t, samples, { commit: 'on-demand' });
    const before = await node.ledger.takeSnapshot();
    const answers = await execute(node, kept);
    const during = node.ledger.takeSnapshot();
    node.ledger.commit();
    assert.deepEqual(await during, before);
    for (const answer of answers) assert.ok((await answer).ok);
    const after = await node.ledger.takeSnapshot();
    assert.notDeepEqual(after.chunks, before.chunks);
  });

  it('answers every query from a snapshot as the node it was taken on, and goes on like it', async (t) => {
    const whole = await startNode(t, samples);
    await commitEach(whole, first);
    const snapshot = await whole.ledger.takeSnapshot();
    const answersThen = await answersOf(whole, queries);
    await commitEach(whole, rest);
    const { committedBlocks } = whole.ledger;
    const past = committedBlocks.slice(0, snapshot.height);

    const fresh = await startNode(t, samples, { blocks: past, snapshot });
    assertAnswers(await answersOf(fresh, queries), answersThen);
    fresh.ledger.replay(committedBlocks.slice(snapshot.height));
    await assertSame(fresh, whole, samples);

    const leader = await startNode(t, samples, { blocks: past, snapshot });
    // In the view the blocks were made in.
    leader.ledger.role(true);
    await commitEach(leader, rest);
    assert.deepEqual(leader.ledger.blocks, whole.ledger.blocks);
    await assertSame(leader, whole, samples);
  });
}

/** The tests of a worker that has a state already. */
function replacementTests(samples: AdapterSamples): void {
  const { kept } = samples;

  it('drops what it had when a snapshot takes its place, also what was not committed', async (t) => {
    const whole = await startNode(t, samples);
    const genesis = whole.ledger.blocks.length;
    await commitEach(whole, kept);
    const snapshot = await whole.ledger.takeSnapshot();
    const behind = await startNode(t, samples, { commit: 'on-demand' });
    const lost = await execute(behind, kept.slice(0, 1));
    assert.equal(behind.ledger.committedHeight, genesis);
    behind.ledger.role(false);
    assert.equal(behind.ledger.restore(snapshot, whole.ledger.committedBlocks), undefined);
    const [answer] = await Promise.all(lost);
    assert.equal(answer?.ok === false && answer.code, 'TRANSACTION_UNKNOWN');
    const refused = await behind.submit(kept[0] as Uint8Array);
    assert.equal(refused.ok === false && refused.code, 'NODE_NOT_READY', 'before it is started');
    behind.worker.receive({ kind: 'start' });
    await assertSame(behind, whole, samples);
    assert.deepEqual(behind.dumpHead(), whole.dump());
    assert.deepEqual(await behind.ledger.takeSnapshot(), snapshot);
  });

  it('refuses what is no snapshot by code, holds no state then, and takes the right one', async (t) => {
    const whole = await startNode(t, samples);
    await commitEach(whole, kept);
    const snapshot = await whole.ledger.takeSnapshot();
    const past = whole.ledger.committedBlocks;
    const node = await startNode(t, samples, { blocks: past });
    for (const chunks of spoiled(snapshot)) {
      assert.match(String(node.ledger.restore({ ...snapshot, chunks }, past)), /^[A-Z_]+$/);
      for (const pairs of Object.values(node.dump())) assert.deepEqual(pairs, []);
    }
    for (const at of snapshot.chunks.keys()) {
      for (const mutated of mutations(snapshot.chunks[at] as Uint8Array)) {
        const chunks = snapshot.chunks.with(at, mutated);
        // A flipped value is another state: whose it is, is told by digests, not here.
        if (mutated.length > 0) node.ledger.restore({ ...snapshot, chunks }, past);
      }
    }
    assert.equal(node.ledger.restore(snapshot, past), undefined);
    node.worker.receive({ kind: 'start' });
    await assertSame(node, whole, samples);
  });
}

async function assertSame(node: FakeNode, other: FakeNode, samples: AdapterSamples): Promise<void> {
  assert.deepEqual(node.dump(), other.dump());
  const { queries } = samples;
  assertAnswers(await answersOf(node, queries), await answersOf(other, queries));
}

function assertAnswers(actual: readonly string[], expected: readonly string[]): void {
  for (const [at, answer] of expected.entries()) assert.equal(actual[at], answer);
}

/** Chunk lists that are no state, whatever the adapter keeps. */
function spoiled({ chunks }: FakeSnapshot): readonly (readonly Uint8Array[])[] {
  const [head, last] = [chunks[0] as Uint8Array, chunks.at(-1) as Uint8Array];
  return [
    chunks.slice(0, -1),
    chunks.slice(1),
    chunks.toReversed(),
    [...chunks, last],
    [head, ...chunks],
    chunks.with(-1, last.subarray(0, -1)),
    chunks.with(-1, Buffer.concat([last, Buffer.alloc(1)])),
    chunks.with(0, head.subarray(0, -1)),
    chunks.with(0, Buffer.concat([head, Buffer.alloc(1)])),
    chunks.with(0, Buffer.alloc(head.length)),
  ];
}
