import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage } from '@concordat/consensus';
import { batch, decide, grow, type Organisation, threeNodes } from './fixture.ts';

test('by vote, blocks go down a tree of nodes from then on, and directly again', async () => {
  const { world, members, first } = await threeNodes();
  for (const owner of members) await grow(world, members, owner as Organisation);
  assert.equal(first.driver.status.configurations[0]?.voters.length, 6);
  let relays = 0;
  world.intercept = (bytes) => {
    if (decodeMessage(bytes).type === 'relay') relays += 1;
    return bytes;
  };
  const place = async () => {
    relays = 0;
    for (const text of ['a', 'b', 'c']) assert(first.driver.place(1, batch(text)).ok);
    await world.settle();
    for (const node of world.nodes) assert.deepEqual(node.log.root, first.log.root);
    return relays;
  };
  await world.tick(3);
  assert.equal(await place(), 0);
  const set = (name: string, value: unknown) => ({ name: 'set_policy', args: { name, value } });
  await decide(world, first, members, [set('distribution', 'tree'), set('distributionFanOut', 2)]);
  await world.tick(3);
  assert.ok((await place()) > 0);
  await decide(world, first, members, [set('distribution', 'direct')]);
  await world.tick(3);
  assert.equal(await place(), 0);
});
