import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  AdapterError,
  type CommittedBatch,
  type LedgerAdapter,
  type Preparer,
} from '@concordat/worker-enclave';
import { snapshotTests } from './adapter-snapshots.ts';
import { mutations } from './mutations.ts';
import { type AdapterSamples, commitEach, execute, startNode } from './suite-node.ts';

/** Registers the tests that every adapter passes (DESIGN 10), under the adapter's name. */
export function adapterSuite(samples: AdapterSamples): void {
  assert.ok(samples.kept.length >= 3, 'the suite needs three requests that are kept');
  assert.ok(samples.queries.length >= 1, 'the suite needs a query');
  describe(`the adapter contract: ${samples.name}`, () => {
    declarationTests(samples);
    commitTests(samples);
    refusalTests(samples);
    preparationTests(samples);
    replicationTests(samples);
    snapshotTests(samples);
  });
}

function declarationTests(samples: AdapterSamples): void {
  it('names its tables after itself', () => {
    const { id, tables } = samples.create();
    assert.match(id, /^[a-z][a-z0-9-]{0,31}$/);
    assert.ok(tables.length > 0);
    for (const { name } of tables) {
      assert.ok(name.startsWith(`${id}/`) || name.startsWith(`public:${id}/`), name);
    }
  });

  it('refuses configurations that are not valid', () => {
    assert.ok(samples.invalidConfigs.length > 0);
    for (const config of samples.invalidConfigs) {
      assert.throws(
        () => samples.create().configure(config),
        (error) => error instanceof AdapterError && error.code === 'INVALID_CONFIGURATION',
        JSON.stringify(config),
      );
    }
  });

  it('makes the same genesis state every time', async (t) => {
    const [first, second] = [await startNode(t, samples), await startNode(t, samples)];
    assert.deepEqual(first.dump(), second.dump());
    assert.deepEqual(first.ledger.blocks, second.ledger.blocks);
  });
}

function commitTests(samples: AdapterSamples): void {
  const { kept } = samples;

  it('answers and publishes nothing before the commit', async (t) => {
    const adapter = samples.create();
    const heights = recordCommits(adapter);
    const node = await startNode(t, samples, { commit: 'on-demand', adapter });
    const before = node.dump();
    const heardBefore = heights.length;
    let answered = 0;
    for (const answer of await execute(node, kept)) void answer.then(() => answered++);
    await node.settled();
    assert.deepEqual(node.dump(), before);
    assert.notDeepEqual(node.dumpHead(), before);
    assert.equal(answered, 0);
    assert.equal(heights.length, heardBefore);
    node.ledger.commit();
    await node.settled();
    assert.equal(answered, kept.length);
    assert.deepEqual(node.dump(), node.dumpHead());
  });

  it('hears of every committed block once, in order', async (t) => {
    const adapter = samples.create();
    const heights = recordCommits(adapter);
    const node = await startNode(t, samples, { adapter });
    await commitEach(node, kept);
    assert.deepEqual(
      heights,
      node.ledger.blocks.map(({ height }) => height),
    );
  });

  it('forgets a batch that is rolled back and executes it anew to the same state', async (t) => {
    const straight = await startNode(t, samples, { commit: 'on-demand' });
    await execute(straight, kept);
    straight.ledger.commit();
    // Who leads next does not say so here: what was rolled back is answered once it has waited enough.
    const limits = { commitTimeoutMs: 3_000 };
    const twice = await startNode(t, samples, { commit: 'on-demand', limits });
    const genesis = twice.dumpHead();
    const lost = await execute(twice, kept);
    twice.ledger.rollback(twice.ledger.committedHeight);
    assert.deepEqual(twice.dumpHead(), genesis);
    for (const answer of lost) assert.equal((await answer).ok, false);
    const again = await execute(twice, kept);
    twice.ledger.commit();
    for (const answer of again) assert.ok((await answer).ok, JSON.stringify(await answer));
    assert.deepEqual(twice.dump(), straight.dump());
  });
}

function recordCommits(adapter: LedgerAdapter): number[] {
  const heights: number[] = [];
  const committed = adapter.committed?.bind(adapter);
  adapter.committed = (info: CommittedBatch, view) => {
    heights.push(info.height);
    committed?.(info, view);
  };
  return heights;
}

function refusalTests(samples: AdapterSamples): void {
  const { kept, dropped } = samples;

  it('leaves no trace of a transaction it drops', async (t) => {
    assert.ok(dropped.length > 0);
    const node = await startNode(t, samples);
    const [state, blocks] = [node.dump(), node.ledger.blocks.length];
    for (const raw of dropped) assert.equal((await node.submit(raw)).ok, false);
    assert.deepEqual(node.dumpHead(), state);
    assert.equal(node.ledger.blocks.length, blocks);
  });

  it('keeps the rest of a batch when it drops some of it', async (t) => {
    const [clean, mixed] = [await startNode(t, samples), await startNode(t, samples)];
    await Promise.all(kept.map((raw) => clean.submit(raw)));
    const requests = [...dropped, ...kept, ...dropped];
    const answers = await Promise.all(requests.map((raw) => mixed.submit(raw)));
    const expected = requests.map((raw) => kept.includes(raw));
    assert.deepEqual(
      answers.map(({ ok }) => ok),
      expected,
    );
    assert.deepEqual(mixed.dump(), clean.dump());
  });

  it('answers truncated, extended, flipped and random requests without failing', async (t) => {
    const node = await startNode(t, samples);
    // All at once: an adapter may hold a request back for a while before it refuses it.
    const requests = kept.flatMap((raw) => [...mutations(raw)]);
    await Promise.all(requests.map((raw) => node.submit(raw)));
    const failures = node.events.filter(({ event }) => /failed/.test(event));
    assert.deepEqual(failures, []);
  });
}

function preparationTests(samples: AdapterSamples): void {
  if (samples.create().preparation === undefined) return;

  it('judges and executes what was prepared elsewhere as what it prepares itself', async (t) => {
    const { kept, dropped } = samples;
    const requests = [...dropped, ...kept, ...dropped];
    const [alone, prepared] = [
      await startNode(t, samples),
      await startNode(t, samples, { preparer: preparerOf(samples.create()) }),
    ];
    const answers = await Promise.all(requests.map((raw) => alone.submit(raw)));
    assert.deepEqual(await Promise.all(requests.map((raw) => prepared.submit(raw))), answers);
    assert.ok(prepared.worker.stats.prepared > 0);
    assert.deepEqual(prepared.dump(), alone.dump());
  });

  it('prepares truncated, extended, flipped and random requests without failing', () => {
    const { preparation } = samples.create();
    for (const raw of samples.kept) {
      for (const changed of mutations(raw)) preparation?.prepare(changed);
    }
  });
}

/** Prepares with an adapter that is not configured, as a thread of its own would. */
const preparerOf = ({ preparation }: LedgerAdapter): Preparer => ({
  prepare: (_adapterId, raws, done) => {
    const found = raws.map((raw) => preparation?.prepare(raw) ?? raw.subarray(0, 0));
    setTimeout(() => done(found), 2);
    return true;
  },
});

function replicationTests(samples: AdapterSamples): void {
  const { kept } = samples;

  it('gives a follower that applies the blocks the same state', async (t) => {
    const leader = await startNode(t, samples);
    await commitEach(leader, kept);
    const late = await startNode(t, samples, { blocks: leader.ledger.committedBlocks });
    assert.deepEqual(late.dump(), leader.dump());
  });

  it('answers a request sent to a follower as the leader would, after the own state has it', async (t) => {
    const [alone, leader] = [await startNode(t, samples), await startNode(t, samples)];
    const follower = await startNode(t, samples, { follows: leader });
    for (const raw of kept) {
      const direct = await alone.submit(raw);
      const forwarded = await follower.submit(raw);
      assert.deepEqual(forwarded, direct);
      assert.deepEqual(follower.dump(), leader.dump());
    }
  });

  it('goes on from uncommitted blocks when its node becomes the leader', async (t) => {
    const leader = await startNode(t, samples);
    const genesis = leader.ledger.blocks.length;
    await commitEach(leader, kept);
    const blocks = leader.ledger.committedBlocks;
    const next = await startNode(t, samples, {
      commit: 'on-demand',
      blocks: blocks.slice(0, genesis),
    });
    const inherited = blocks.slice(genesis, -1);
    for (const block of inherited) next.ledger.applySpeculatively(block);
    next.ledger.role(true);
    const last = next.submit(kept.at(-1) as Uint8Array);
    await next.settled();
    next.ledger.commit();
    const answer = await last;
    assert.ok(answer.ok, JSON.stringify(answer));
    assert.deepEqual(next.dump(), leader.dump());
  });
}
