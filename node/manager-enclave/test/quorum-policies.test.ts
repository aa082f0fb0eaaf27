import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Append, decodeMessage, encodeMessage } from '@concordat/consensus';
import { ManagerError } from '../errors.ts';
import { entryOf } from '../log-entry.ts';
import { batch, decide, threeNodes } from './fixture.ts';

const set = (name: string, value: unknown) => ({ name: 'set_policy', args: { name, value } });
const oneCommits = [set('replicationQuorum', 1), set('electionQuorum', 3)];

test('a vote on the quorum policies is a reconfiguration that every node takes up', async () => {
  const { world, members, first, second, third } = await threeNodes();
  await decide(world, first, members, oneCommits);
  await world.tick(2);
  const [configuration] = first.driver.status.configurations;
  assert.deepEqual(configuration?.quorums, { replication: 1, election: 3 });
  for (const node of [second, third]) {
    assert.deepEqual(node.driver.status.configurations, [configuration]);
  }
  const entry = first.host.blocks.map((block) => entryOf(block)).findLast((e) => e.configuration);
  assert.deepEqual(entry?.configuration, configuration, 'the block itself says so');
  world.cut.add(second.id);
  world.cut.add(third.id);
  const placed = first.driver.place(1, batch('alone'));
  assert(placed.ok);
  await world.settle();
  assert.equal(first.log.committedHeight, placed.height, 'the leader alone is a quorum now');
});

test('the way back to majorities is a reconfiguration too', async () => {
  const { world, members, first, second, third } = await threeNodes();
  await decide(world, first, members, oneCommits);
  const back = ['replicationQuorum', 'electionQuorum'].map((name) => ({
    name: 'remove_policy',
    args: { name },
  }));
  await decide(world, first, members, back);
  assert.equal(first.driver.status.configurations.at(-1)?.quorums, undefined);
  world.cut.add(second.id);
  world.cut.add(third.id);
  const before = first.log.committedHeight;
  assert(first.driver.place(1, batch('alone')).ok);
  await world.settle();
  assert.equal(first.log.committedHeight, before);
});

test('a policy that changes no quorum is no reconfiguration', async () => {
  const { world, members, first } = await threeNodes();
  await decide(world, first, members, [set('replicationQuorum', 2), set('electionQuorum', 2)]);
  const last = first.host.blocks.map((block) => entryOf(block)).findLast((e) => e.configuration);
  assert.equal(last?.configuration?.quorums, undefined, 'two of three are the majority anyway');
});

test('sizes that are not what the sealed block says end the launch of the follower', async () => {
  const { world, members, first, second } = await threeNodes();
  world.intercept = (bytes) => {
    const message = decodeMessage(bytes);
    if (message.type !== 'append') return bytes;
    const entries = message.entries.map((entry) => {
      if (!entry.configuration) return entry;
      const { voters } = entry.configuration;
      return { ...entry, configuration: { voters, quorums: { replication: 2, election: 3 } } };
    });
    return Buffer.concat(encodeMessage({ ...message, entries } as Append));
  };
  await decide(world, first, members, oneCommits).catch(() => undefined);
  assert(second.broken instanceof ManagerError);
  assert.equal(second.broken.code, 'LEDGER_CORRUPT');
  assert.equal(second.broken.details.reason, 'CONTRADICTED');
});
