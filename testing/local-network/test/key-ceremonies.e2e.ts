import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type NodeStatus, nodeTuple } from '@concordat/cli';
import type { ProposedAction } from '@concordat/governance';
import type { AdminClient } from '@concordat/sdk';
import { guestNode, LocalNetwork, type LocalNode } from '../index.ts';

let network: LocalNetwork;

before(async () => {
  network = await LocalNetwork.start({ policies: { keyCeremonyDuration: 2 } });
});

after(() => network?.end());

type Keys = NonNullable<NodeStatus['keys']>;

/** Waits until a node says that the key is shared as it should be, and as asked. */
async function settled(node: LocalNode, wanted: (keys: Keys) => boolean): Promise<Keys> {
  const isSettled = ({ keys }: NodeStatus): boolean =>
    keys !== undefined && !keys.ceremony && !keys.due && wanted(keys);
  const what = `the shared key as ${node.name} sees it`;
  const { keys } = await node.waitFor(isSettled, { what });
  return keys as Keys;
}

const held =
  (threshold: number, holders: number) =>
  (keys: Keys): boolean =>
    keys.threshold === threshold && keys.holders.length === holders;

async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
  const admin = await network.admin(node);
  return call(admin).finally(() => admin.close());
}

/** Has a proposal accepted by the organisations of these nodes. */
async function decide(nodes: readonly LocalNode[], actions: readonly ProposedAction[]) {
  const [first] = nodes as [LocalNode];
  const { proposalId } = await as(first, (admin) => admin.propose(actions));
  for (const node of nodes) {
    const { state } = await as(node, (admin) => admin.vote(proposalId, true));
    if (state === 'accepted') return;
  }
  assert.fail('nobody is left to vote');
}

const setPolicy = (name: string, value: unknown): ProposedAction => ({
  name: 'set_policy',
  args: { name, value },
});

const opened = (node: LocalNode): number => node.log('key.ceremony-opened').length;

const ceremonies = (): number => network.nodes.reduce((sum, node) => sum + opened(node), 0);

async function write(node: LocalNode, key: string): Promise<void> {
  const client = await network.keyvalue(node);
  assert.ok(await client.promises.put(key, Buffer.from('written')));
  client.close();
}

test('once three members have joined, two of three hold the key', async () => {
  for (const node of network.nodes) {
    const { holders } = await settled(node, held(2, 3));
    assert.deepEqual([...holders].sort(), network.nodes.map((one) => one.organisation).sort());
  }
});

test('a node that is restarted keeps its share, and no ceremony is held for it', async () => {
  const [vn1, , vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
  const before = await settled(vn1, held(2, 3));
  const count = ceremonies();
  const { nodeId } = await vn3.running();
  const startedMs = Date.now();
  await vn3.kill();
  vn3.start();
  await vn3.rejoined(nodeId);
  assert.equal((await settled(vn3, held(2, 3))).key, before.key);
  await write(vn3, 'restarted');
  const since = vn3.log().filter(({ time }) => Date.parse(time) > startedMs);
  assert.ok(!since.some(({ event }) => event === 'key.holder-registering'));
  assert.equal(ceremonies(), count);
});

test('a member that orders its holder key replaced gets its shares anew, and nobody another key', async () => {
  const [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
  const before = await settled(vn1, held(2, 3));
  const count = ceremonies();
  await as(vn3, (admin) => admin.rotateHolder());
  await vn3.logged('key.holder-registering', { where: (line) => line.number === 2 });
  const dealtAnew = (): boolean => ceremonies() >= count + before.key;
  await vn3.waitFor(dealtAnew, { what: 'a resharing of every key there is' });
  for (const node of [vn1, vn2, vn3]) {
    assert.equal((await settled(node, held(2, 3))).key, before.key);
  }
  await write(vn3, 'rotated');
});

test('a second node of a member gets its holder key from the first: the member holds one share', async () => {
  const [vn1, vn2] = network.nodes as [LocalNode, LocalNode];
  const count = ceremonies();
  const vn4 = await guestNode(network, { name: 'vn4', organisation: vn2.organisation });
  vn4.start();
  const status = await vn4.waitFor(
    ({ phase, reason = '' }) => phase === 'joining' && reason.startsWith('NODE_NOT_ADMITTED'),
    { what: 'vn4 to ask for admission' },
  );
  const owner = await network.identity(vn2.organisation);
  await decide([vn1, vn2], [{ name: 'add_node', args: nodeTuple(owner, status) }]);
  await vn4.running();
  await vn4.logged('key.holder-received');
  await settled(vn4, held(2, 3));
  assert.equal(ceremonies(), count);
  const { constitution } = await as(vn1, (admin) => admin.constitution());
  const { nodeId } = constitution.nodes.find(({ name }) => name === 'vn4') ?? assert.fail();
  await decide([vn1, vn2], [{ name: 'remove_node', args: { nodeId } }]);
  await vn4.kill();
});

test('a leader that is killed during a ceremony is no end of it', async () => {
  const leader = await network.leader();
  const { key } = await settled(leader, held(2, 3));
  const afterMs = Date.now();
  const watch = leader.logged('key.ceremony-opened', { afterMs });
  await decide(network.nodes, [setPolicy('keyThreshold', 3)]);
  await watch;
  await leader.kill();
  leader.start();
  for (const node of network.nodes) {
    await node.running();
    assert.ok((await settled(node, held(3, 3))).key > key);
  }
  await write(leader, 'after the leader');
});

test('while a member’s node is down, the key that needs it waits, and the status names the member', async () => {
  await decide(network.nodes, [setPolicy('keyThreshold', 2)]);
  for (const node of network.nodes) await settled(node, held(2, 3));
  const leader = await network.leader();
  const [down, other] = (await network.followers()) as [LocalNode, LocalNode];
  await down.kill();
  await decide([leader, other], [setPolicy('keyThreshold', 3)]);
  const { keys } = await leader.waitFor(({ keys: now }) => (now?.due?.waitsFor.length ?? 0) > 0);
  assert.deepEqual(keys?.due?.waitsFor, [down.organisation]);
  assert.equal(keys?.threshold, 2, 'the one before serves meanwhile');
  down.start();
  for (const node of network.nodes) {
    await node.running();
    await settled(node, held(3, 3));
  }
});

test('when a member is removed, those who are left make a key of their own', async () => {
  const leader = await network.leader();
  const [gone, other] = (await network.followers()) as [LocalNode, LocalNode];
  const { key } = await settled(leader, held(3, 3));
  const { constitution } = await as(leader, (admin) => admin.constitution());
  const { actorId } =
    constitution.actors.find(({ name }) => name === gone.organisation) ?? assert.fail();
  await decide(
    [leader, other],
    [setPolicy('keyThreshold', 'majority'), { name: 'remove_actor', args: { actorId } }],
  );
  for (const node of [leader, other]) {
    const now = await settled(node, held(2, 2));
    assert.ok(now.key > key);
    assert.ok(!now.holders.includes(gone.organisation));
  }
  await write(other, 'after the removal');
});
