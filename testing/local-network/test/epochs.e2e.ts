import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ProposedAction } from '@concordat/governance';
import { AdminClient } from '@concordat/sdk';
import {
  anotherSecond,
  LocalNetwork,
  type LocalNode,
  type LogLine,
  onlyNewestKey,
  patienceMs,
  WriteLoad,
  waitUntil,
} from '../index.ts';

const epochBlocks = 60;
let network: LocalNetwork;
let vn1: LocalNode;
let vn2: LocalNode;
let vn3: LocalNode;

before(async () => {
  network = await LocalNetwork.start({
    elections: 'patient',
    policies: { sessionKeyTtl: 0 },
  });
  [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
});

after(() => network?.end());

async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
  const admin = await network.admin(node);
  return call(admin).finally(() => admin.close());
}

const epochOf = async (node: LocalNode): Promise<number> => {
  const { epoch } = await as(node, (admin) => admin.state());
  return epoch;
};

/** Has a majority of the three members accept. */
const decide = (action: ProposedAction): Promise<void> => decideOn([vn1, vn2], action);

/** Two members accept. */
async function decideOn(nodes: readonly LocalNode[], action: ProposedAction): Promise<void> {
  const [one, other] = nodes as [LocalNode, LocalNode];
  await anotherSecond();
  const { proposalId } = await as(one, (admin) => admin.propose([action]));
  await as(one, (admin) => admin.vote(proposalId, true));
  const { state } = await as(other, (admin) => admin.vote(proposalId, true));
  assert.equal(state, 'accepted');
}

/** The newest shared key is held by two of three, and session keys are encrypted to it. */
async function sharedByThree(): Promise<void> {
  const newest = async () => (await as(vn1, (admin) => admin.sharedKeys())).keys[0];
  let seen: unknown;
  await waitUntil(
    async () => {
      const sharing = (await newest())?.sharings.at(-1);
      seen = sharing;
      return sharing?.threshold === 2 && sharing.holders.length === 3;
    },
    { what: 'a shared key of two of three', seen: () => seen },
  );
}

test('epochs begin by blocks and by vote under load, and nothing is lost or held up', async () => {
  await sharedByThree();
  const load = new WriteLoad(network, { inFlight: 8 });
  await load.progress(200);
  await decide({ name: 'set_policy', args: { name: 'epochBlocks', value: epochBlocks } });
  const first = await epochOf(vn1);
  const isFurther = async (): Promise<boolean> => (await epochOf(vn1)) >= first + 5;
  await waitUntil(isFurther, { what: 'five more epochs' });
  await decide({ name: 'set_policy', args: { name: 'epochBlocks', value: 0 } });
  await network.level();
  const before = await epochOf(vn1);
  await decide({ name: 'begin_epoch', args: {} });
  await load.progress(200);
  const gapMs = load.longestGapMs;
  await load.stop();
  await network.level();
  assert.equal(await epochOf(vn1), before + 1);
  const gap = `longest time without an answer ${gapMs.toFixed(0)} ms`;
  console.log(`${before - first + 1} epochs began; ${gap}`);
  assert.deepEqual([...load.failures], []);
  for (const node of network.nodes) assert.deepEqual(await load.missingOn(node), []);
});

test('a follower that was killed comes back through five epochs, by shares of the others', async () => {
  // Who is killed comes back sooner where elections are quick.
  await decide({ name: 'set_policy', args: { name: 'electionTimeoutMs', value: 600 } });
  const leader = await network.leader();
  const away = [vn3, vn2].find((node) => node !== leader) as LocalNode;
  const formerId = away.status?.nodeId as string;
  await away.kill();
  for (let epoch = 0; epoch < 5; epoch++) {
    await decideOn(
      [vn1, vn2, vn3].filter((node) => node !== away),
      { name: 'begin_epoch', args: {} },
    );
  }
  const load = new WriteLoad(network, { nodes: [leader], prefix: 'meanwhile/' });
  await load.progress(50);
  await load.stop();
  const sinceMs = Date.now();
  away.start();
  await away.rejoined(formerId);
  await network.level();
  assert.deepEqual(await load.missingOn(away), []);
  await away.logged('keys.collected', { afterMs: sinceMs });
  const collected = away.log('keys.collected').filter(({ time }) => Date.parse(time) >= sinceMs);
  const ms = collected.map((line) => Number(line.ms)).sort((a, b) => a - b);
  console.log(`${ms.length} keys gathered, each in ms: ${ms.join(', ')}`);
});

/** Writes, and has another epoch begin after; the transaction and its epoch. */
async function writeInEpoch(key: string): Promise<{ readonly id: string; readonly epoch: number }> {
  const client = await network.keyvalue(vn1);
  const id = await client.promises.put(key, Buffer.from(`value of ${key}`));
  client.close();
  assert.ok(id);
  await network.level();
  const epoch = await epochOf(vn1);
  await decide({ name: 'begin_epoch', args: {} });
  // It begins with a block after that of the vote: what is written at once may still be before it.
  const hasBegun = async (): Promise<boolean> => (await epochOf(vn1)) > epoch;
  await waitUntil(hasBegun, { what: 'the next epoch to begin' });
  return { id, epoch };
}

let alone: string;

test('an old transaction has its receipt after its key is gone: it is gathered anew', async () => {
  const { id, epoch } = await writeInEpoch('old');
  ({ id: alone } = await writeInEpoch('older'));
  // However short the policy, a key is kept for five seconds after its epoch.
  await onlyNewestKey(network, vn1);
  const afterMs = Date.now();
  assert.ok(await as(vn1, (admin) => admin.receipt(id)));
  const isIt = (line: LogLine): boolean => (line.epochs as number[]).includes(epoch);
  await vn1.logged('keys.collected', { afterMs, where: isIt });
  assert.ok(await as(vn1, (admin) => admin.receipt(id)));
  const gathered = vn1.log('keys.collected').filter((line) => isIt(line));
  assert.equal(gathered.filter(({ time }) => Date.parse(time) >= afterMs).length, 1);
});

test('one member alone reads nothing whose key is gone, and says who is missing', async () => {
  for (const node of [vn2, vn3]) await node.kill();
  // Once: a client that asks again while that may help does so for most of a minute.
  const once = new AdminClient({
    address: `${vn1.host}:${vn1.ports.admin}`,
    networkCertificate: network.certificate,
    identity: await network.identity(vn1.organisation),
    retry: { attempts: 1 },
    timeoutMs: patienceMs,
  });
  await assert.rejects(once.receipt(alone, { timeoutMs: patienceMs }), {
    code: 'KEY_SHARES_MISSING',
  });
  once.close();
  for (const node of [vn2, vn3]) node.start();
  await network.leader();
  assert.ok(await as(vn1, (admin) => admin.receipt(alone, { timeoutMs: patienceMs })));
});
