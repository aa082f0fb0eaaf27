import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalNetwork, WriteLoad } from '../index.ts';

test('five nodes whose blocks go down a tree keep serving when one of them is killed', async (t) => {
  const network = await LocalNetwork.start({
    nodes: 5,
    policies: { distribution: 'tree', distributionFanOut: 2 },
  });
  const load = new WriteLoad(network);
  try {
    for (const node of network.nodes) await load.progress(50, node);
    const leader = await network.leader();
    const followers = network.nodes.filter((node) => node !== leader);
    for (const follower of followers.slice(0, 2)) {
      const formerId = follower.status?.nodeId as string;
      follower.signal('manager', 'SIGKILL');
      for (const other of network.nodes) if (other !== follower) await load.progress(50, other);
      await follower.rejoined(formerId);
      await load.progress(50, follower);
    }
    t.diagnostic(`longest time without an answer: ${Math.round(load.longestGapMs)} ms`);
    await load.stop();
    await network.level();
    for (const node of network.nodes) {
      assert.deepEqual(await load.missingOn(node), [], `missing on ${node.name}`);
    }
  } finally {
    await load.stop();
    await network.end();
  }
});
