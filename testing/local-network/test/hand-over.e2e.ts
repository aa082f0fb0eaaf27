import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalNetwork, WriteLoad } from '../index.ts';

/** So long that no election by silence can explain a leader seen before. */
const electionTimeoutMs = 60_000;

test('a leader that is stopped in good order hands over first, and clients barely notice', async (t) => {
  const network = await LocalNetwork.start({ policies: { electionTimeoutMs } });
  const load = new WriteLoad(network, { patienceMs: 50_000 });
  try {
    await load.progress(200);
    const leader = await network.leader();
    const others = network.nodes.filter((node) => node !== leader);
    const stoppedAtMs = Date.now();
    await leader.stop();
    for (const other of others) await load.progress(100, other);
    t.diagnostic(`longest time without an answer: ${Math.round(load.longestGapMs)} ms`);
    assert.ok(Date.now() - stoppedAtMs < electionTimeoutMs);
    const lines = leader.log().filter(({ time }) => Date.parse(time) >= stoppedAtMs);
    const stopping = lines.findIndex(({ event }) => event === 'node.stopping');
    const handedOver = lines.findIndex(
      ({ event, ...fields }) =>
        event === 'consensus.role' && 'role' in fields && fields.role !== 'leader',
    );
    assert.ok(stopping >= 0 && handedOver > stopping, 'another leads before this node is gone');
    await load.stop();
    const [first, second] = others;
    for (const node of [first, second]) {
      assert.ok(node);
      assert.deepEqual(await load.missingOn(node), [], `missing on ${node.name}`);
    }
  } finally {
    await load.stop();
    await network.end();
  }
});
