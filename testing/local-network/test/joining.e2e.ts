import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { nodeTuple } from '@concordat/cli';
import type { ProposedAction } from '@concordat/governance';
import { createOrganisation, type Identity, saveIdentity } from '@concordat/sdk';
import { guestNode, LocalNetwork, type LocalNode, waitUntil } from '../index.ts';

const cliMain = resolve(import.meta.dirname, '../../../clients/cli/main.ts');
let network: LocalNetwork;
let vn1: LocalNode;

before(async () => {
  network = await LocalNetwork.start();
  vn1 = network.node('vn1');
});

after(() => network?.end());

async function propose(actions: readonly ProposedAction[]): Promise<string> {
  const admin = await network.admin(vn1);
  const { proposalId } = await admin.propose(actions).finally(() => admin.close());
  return proposalId;
}

async function accept(proposalId: string): Promise<void> {
  for (const node of network.nodes) {
    const admin = await network.admin(node);
    const { state } = await admin.vote(proposalId, true).finally(() => admin.close());
    if (state === 'accepted') {
      await network.level();
      return;
    }
  }
  assert.fail('every member has accepted, and the proposal is still open');
}

const decide = async (actions: readonly ProposedAction[]): Promise<void> =>
  accept(await propose(actions));

const addActor = (
  { name, certificatePem }: Identity,
  kind: readonly string[] = ['participant'],
): ProposedAction => ({
  name: 'add_actor',
  args: { kind, name, certificate: certificatePem, roles: [] },
});

/** A node of a new organisation, whose host knows the certificate of its actor. */
async function newcomer(
  name: string,
  approval: Readonly<Record<string, string>> = {},
): Promise<{ readonly node: LocalNode; readonly identity: Identity }> {
  const identity = createOrganisation({ name: `${name}-logistics` });
  const directory = join(network.directory, 'newcomers');
  mkdirSync(directory, { recursive: true });
  const files = {
    certificateFile: join(directory, `${name}.pem`),
    keyFile: join(directory, `${name}-key.pem`),
  };
  await saveIdentity(identity, files);
  const node = await guestNode(network, {
    name,
    organisation: identity.name,
    approval: { actorCertificateFile: files.certificateFile, ...approval },
  });
  node.start();
  return { node, identity };
}

const refusedAs = (node: LocalNode, code: string) =>
  node.waitFor(({ phase, reason }) => phase === 'joining' && reason?.startsWith(code) === true, {
    what: `${node.name} to be refused as ${code}`,
  });

/** The status of a node that waits for its operator. */
interface Shown {
  readonly terms: string;
  readonly digest: string;
  readonly constitution: { readonly policies: { readonly epochBlocks: number } };
}

async function shownTo(node: LocalNode, where = (_: Shown): boolean => true): Promise<Shown> {
  const status = await node.waitFor(
    (one) => {
      const { approval } = one as { approval?: Shown };
      return one.phase === 'awaiting-approval' && approval !== undefined && where(approval);
    },
    { what: `${node.name} to be shown a constitution` },
  );
  return (status as unknown as { approval: Shown }).approval;
}

function cli(...args: string[]): string {
  const run = spawnSync(process.execPath, [cliMain, ...args], { encoding: 'utf8' });
  assert.equal(run.status, 0, `${args.join(' ')}: ${run.stdout}${run.stderr}`);
  return run.stdout;
}

/** What nothing may have been written to before the approval. */
const hasLedger = (node: LocalNode): boolean =>
  existsSync(node.ledgerDirectory) && readdirSync(node.ledgerDirectory).length > 0;

async function nodeStatus(nodeId: string): Promise<string | undefined> {
  const admin = await network.admin(vn1);
  const { nodes } = await admin.network().finally(() => admin.close());
  return nodes.find((node) => node.nodeId === nodeId)?.status;
}

test('a newcomer is too early until the vote, is shown the constitution, and joins once it is approved', async () => {
  const { node, identity } = await newcomer('vn4');
  await refusedAs(node, 'NODE_NOT_ADMITTED');
  // The actor first, its node in a second proposal, made by another member.
  await decide([addActor(identity, ['member', 'participant'])]);
  const listed = await refusedAs(node, 'NODE_NOT_ADMITTED');
  const proposalId = await propose([{ name: 'add_node', args: nodeTuple(identity, listed) }]);
  await refusedAs(node, 'NODE_TOO_EARLY');
  await accept(proposalId);

  const shown = await shownTo(node);
  const { nodeId } = listed;
  assert.equal(await nodeStatus(nodeId), 'admitted', 'the network has only listed it');
  assert.equal(hasLedger(node), false);
  const admin = await network.admin(vn1);
  const { digest, constitution } = await admin.constitution().finally(() => admin.close());
  assert.equal(shown.digest, digest);
  assert.deepEqual(shown.constitution, constitution);

  const text = cli('constitution', 'show', '--from', node.dataDirectory);
  for (const seen of [shown.terms, digest, 'vn4-logistics', 'majority', 'epochBlocks']) {
    assert.ok(text.includes(seen), `${seen} in ${text}`);
  }
  // Members see the same by its digest; the terms are the newcomer's own.
  const { status, stderr } = spawnSync(
    process.execPath,
    [cliMain, 'node', 'approve', 'ab'.repeat(32), '--data', node.dataDirectory],
    { encoding: 'utf8' },
  );
  assert.equal(status, 1);
  assert.match(stderr, /MISMATCH: the node is shown other terms/);

  // Changed while the operator reads: what was read is not what would be joined.
  cli('constitution', 'show', '--from', node.dataDirectory);
  await decide([{ name: 'set_policy', args: { name: 'epochBlocks', value: 1_000 } }]);
  const changed = await shownTo(node, ({ terms }) => terms !== shown.terms);
  assert.equal(changed.constitution.policies.epochBlocks, 1_000);
  assert.equal(hasLedger(node), false);
  assert.equal(await nodeStatus(nodeId), 'admitted');

  cli('node', 'approve', changed.terms, '--data', node.dataDirectory);
  await node.running();
  assert.equal(await nodeStatus(nodeId), 'trusted');
  assert.ok(hasLedger(node));
  // What a restart finds was approved once: it takes its place again unasked.
  await node.stop();
  node.start();
  await node.rejoined(nodeId);
});

test('an operator that refuses ends its node: nothing was downloaded, the network has only listed it', async () => {
  const { node, identity } = await newcomer('vn5');
  const status = await refusedAs(node, 'NODE_NOT_ADMITTED');
  // Actor and first node in one proposal.
  await decide([addActor(identity), { name: 'add_node', args: nodeTuple(identity, status) }]);
  const { terms } = await shownTo(node);
  cli('node', 'refuse', terms, '--data', node.dataDirectory);
  await waitUntil(() => !node.isUp, { what: 'the host of vn5 to end' });
  assert.match(await node.refused(), /^CONSTITUTION_REFUSED/);
  assert.equal(hasLedger(node), false);
  assert.equal(await nodeStatus(status.nodeId), 'admitted');
  await decide([{ name: 'remove_node', args: { nodeId: status.nodeId } }]);
});

test('a constitution that was handed over and approved is joined unasked; one that changed since is not', async () => {
  const handedOver = join(network.directory, 'constitution.json');
  const sandbox = ['--directory', network.sandbox.layout.directory];
  writeFileSync(handedOver, cli('constitution', 'show', '--json', ...sandbox));

  const approval = { approvedConstitutionFile: handedOver };
  const [good, late] = [await newcomer('vn6', approval), await newcomer('vn7', approval)];
  const status = await refusedAs(good.node, 'NODE_NOT_ADMITTED');
  await decide([
    addActor(good.identity),
    { name: 'add_node', args: nodeTuple(good.identity, status) },
  ]);
  await good.node.running();
  assert.deepEqual(good.node.log('approval.given'), []);

  // Another member has joined since: vn7 did not approve that.
  const its = await refusedAs(late.node, 'NODE_NOT_ADMITTED');
  await decide([
    addActor(late.identity),
    { name: 'add_node', args: nodeTuple(late.identity, its) },
  ]);
  const { terms } = await shownTo(late.node);
  assert.equal(hasLedger(late.node), false);
  const text = cli('constitution', 'show', '--from', late.node.dataDirectory);
  const [, changes = ''] = text.split('Since what was approved before');
  assert.match(changes, /\+ actors › vn6-logistics/);
  assert.match(changes, /\+ nodes › vn6/);
  cli('node', 'approve', terms, '--data', late.node.dataDirectory);
  await late.node.running();
});

test('a newcomer refuses a network whose certificate is not the one it was given', async () => {
  const other = createOrganisation({ name: 'somebody-else' });
  const file = join(network.directory, 'false-network.pem');
  writeFileSync(file, other.certificatePem);
  const { node } = await newcomer('vn8', { networkCertificateFile: file, approve: 'any' });
  await refusedAs(node, 'WRONG_NETWORK');
  assert.equal(hasLedger(node), false);
  await node.kill();
});
