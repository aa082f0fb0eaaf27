import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaderChanges } from '../leader-changes.ts';
import { renderMetrics } from '../metrics.ts';
import { batch, type TestNode, threeNodes } from './fixture.ts';

/** The value of the one line of a metric that names this node, or of its only line. */
function value(at: TestNode, metric: string, peer?: TestNode): number | undefined {
  const lines = renderMetrics(at, 0)
    .split('\n')
    .filter((line) => /^\w+/.exec(line)?.[0] === `concordat_${metric}`)
    .filter((line) => !peer || line.includes(`node="${peer.id}"`));
  assert(lines.length <= 1, lines.join());
  return lines[0] === undefined ? undefined : Number(lines[0].split(' ').at(-1));
}

test('a leader says how many blocks each peer lacks, and which of them answer', async () => {
  const { world, first, second, third } = await threeNodes();
  await world.tick(3);
  world.cut.add(third.id);
  for (let n = 0; n < 4; n++) assert(first.driver.place(1, batch(`${n}`)).ok);
  await world.tick(15);
  assert.equal(value(first, 'peer_blocks_behind', second), 0);
  assert.equal(value(first, 'peer_blocks_behind', third), 4);
  assert.equal(value(first, 'peer_active', second), 1);
  assert.equal(value(first, 'peer_active', third), 0);
  world.cut.clear();
  await world.tick(10);
  const leader = await world.elect();
  await world.tick(5);
  for (const peer of [first, second, third]) {
    if (peer !== leader) assert.equal(value(leader, 'peer_blocks_behind', peer), 0);
  }
  const follower = leader === first ? second : first;
  assert.equal(value(follower, 'peer_blocks_behind', third), undefined, 'a follower knows of none');
  assert.match(renderMetrics(follower, 0), /^# TYPE concordat_peer_blocks_behind gauge$/m);
});

test('a change of leader is seen by everyone, and the view with it', async () => {
  const { world, first, second, third } = await threeNodes();
  await world.tick(3);
  const [changes, view] = ['consensus_leader_changes_total', 'consensus_view'] as const;
  const before = [second, third].map((node) => value(node, changes) as number);
  const viewBefore = value(second, view) as number;
  world.cut.add(first.id);
  await world.elect();
  await world.tick(5);
  assert.deepEqual(
    [second, third].map((node) => value(node, changes)),
    before.map((count) => count + 1),
  );
  assert((value(third, view) as number) > viewBefore);
});

test('neither the first leader nor its return is a change', () => {
  const changes = new LeaderChanges();
  const [one, other] = ['1'.repeat(64), '2'.repeat(64)] as never[];
  for (const leader of [undefined, one, undefined, one, undefined]) changes.seen(leader);
  assert.equal(changes.count, 0);
  for (const leader of [other, one, undefined, other]) changes.seen(leader);
  assert.equal(changes.count, 3);
});

test('a name a member chose cannot end its label or its line', async () => {
  const { world, first, third } = await threeNodes();
  await world.tick(3);
  const { node } = first.administration;
  const name = 'x"} 7\\';
  first.administration.node = (id) => {
    const entry = node.call(first.administration, id);
    return entry && { ...entry, name };
  };
  const line = `concordat_peer_active{node="${third.id}",name="x\\"} 7\\\\"} 1`;
  assert(renderMetrics(first, 0).split('\n').includes(line));
});
