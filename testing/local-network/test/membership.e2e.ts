import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { nodeTuple } from '@concordat/cli';
import type { KeyGrant, ProposedAction } from '@concordat/governance';
import { decodeWriteSet } from '@concordat/kv';
import { decodeHeader, openPublicPart, scanChunk } from '@concordat/ledger';
import {
  AdminClient,
  createOrganisation,
  type Identity,
  issueStaffIdentity,
  openKeyValueClient,
  type SdkError,
} from '@concordat/sdk';
import {
  guestNode,
  LocalNetwork,
  type LocalNode,
  measurementOfImage,
  modifiedImage,
  waitUntil,
} from '../index.ts';
import { falsePeer } from './false-peer.ts';

let network: LocalNetwork;
let vn1: LocalNode;
let vn2: LocalNode;
let vn3: LocalNode;

before(async () => {
  network = await LocalNetwork.start();
  [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
});

after(() => network?.end());

/** Runs one call on an administrative channel of its own. */
async function as<Result>(
  node: LocalNode,
  call: (admin: AdminClient) => Promise<Result>,
  identity?: Identity,
): Promise<Result> {
  const admin = identity ? adminAs(node, identity) : await network.admin(node);
  return call(admin).finally(() => admin.close());
}

const adminAs = (node: LocalNode, identity: Identity): AdminClient =>
  new AdminClient({
    address: `127.0.0.1:${node.ports.admin}`,
    networkCertificate: network.certificate,
    identity,
  });

const propose = (actions: readonly ProposedAction[], by: LocalNode = vn1) =>
  as(by, (admin) => admin.propose(actions));

const vote = (proposalId: string, by: LocalNode) => as(by, (admin) => admin.vote(proposalId, true));

/** Has a proposal accepted by as many members as it takes; returns how many votes that took. */
async function decide(actions: readonly ProposedAction[]): Promise<number> {
  const { proposalId } = await propose(actions);
  for (const [at, node] of network.nodes.entries()) {
    const { state } = await vote(proposalId, node);
    if (state === 'accepted') {
      await network.level();
      return at + 1;
    }
    assert.equal(state, 'open');
  }
  return assert.fail('every member has accepted, and the proposal is still open');
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'SERVED',
    (error: SdkError) => error.code,
  );

const keyvalueAs = (node: LocalNode, identity: Identity) =>
  openKeyValueClient({
    address: `127.0.0.1:${node.ports.application}`,
    networkCertificate: network.certificate,
    identity,
  });

const setPolicy = (policy: object): ProposedAction => ({
  name: 'set_voting_policy',
  args: { kind: 'default', policy },
});

const addParticipant = (identity: Identity): ProposedAction => ({
  name: 'add_actor',
  args: {
    kind: ['participant'],
    name: identity.name,
    certificate: identity.certificatePem,
    roles: [],
  },
});

test('a change of the voting policy is judged, like all that was open, under the old one', async () => {
  const early = createOrganisation({ name: 'early-bird' });
  const open = await propose([addParticipant(early)]);
  assert.equal((await vote(open.proposalId, vn1)).state, 'open');
  // Majority of three: two votes change it to unanimity.
  assert.equal(await decide([setPolicy({ kind: 'unanimous' })]), 2);
  // Opened before the change: two votes still suffice.
  assert.equal((await vote(open.proposalId, vn2)).state, 'accepted');
  await network.level();
  // Opened after it: all three are needed, to change back, too.
  assert.equal(await decide([setPolicy({ kind: 'majority' })]), 3);
  const { constitution } = await as(vn3, (admin) => admin.constitution());
  assert.deepEqual(constitution.votingPolicies.default, { kind: 'majority' });
  const events = await as(vn2, (admin) => admin.proposal(open.proposalId));
  assert.equal(events.state, 'accepted');
});

test('a participant transacts from the commit on, cannot vote, and is cut off when removed', async () => {
  const shop = createOrganisation({ name: 'corner-shop' });
  assert.equal(await codeOf(keyvalueAs(vn2, shop)), 'UNKNOWN_ACTOR');
  await decide([addParticipant(shop)]);
  const client = await keyvalueAs(vn2, shop);
  assert.ok(await client.promises.put('shop', Buffer.from('open')));
  const vain = as(vn1, (admin) => admin.propose([setPolicy({ kind: 'unanimous' })]), shop);
  assert.equal(await codeOf(vain), 'NOT_A_MEMBER');
  const cut = new Promise((resolve) => {
    client.frames.onClose = resolve;
  });
  await decide([{ name: 'remove_actor', args: { actorId: shop.actorId } }]);
  await cut;
  for (const node of network.nodes) {
    await waitUntil(async () => (await codeOf(keyvalueAs(node, shop))) === 'UNKNOWN_ACTOR', {
      what: `${node.name} to refuse who was removed`,
    });
  }
});

test('a node is refused by name: unlisted code, no place in the node list, too early; then joins', async () => {
  const image = join(network.directory, 'images', 'modified');
  const measurement = await modifiedImage(network.images.manager, image);
  assert.notEqual(measurement, await measurementOfImage(network.images.manager));
  const dune = createOrganisation({ name: 'dune-logistics' });
  const vn4 = await guestNode(network, {
    name: 'vn4',
    organisation: 'dune-logistics',
    managerImage: image,
  });
  vn4.start();
  const reason = async (code: string) =>
    vn4.waitFor(
      (status) => status.phase === 'joining' && status.reason?.startsWith(code) === true,
      {
        what: `vn4 to be refused as ${code}`,
      },
    );
  await reason('UNLISTED_MEASUREMENT');
  await vn4.logged('join.refused', { where: ({ code }) => code === 'UNLISTED_MEASUREMENT' });

  const entry = { measurement, role: 'manager', name: 'manager', version: '0.1.1' };
  await decide([{ name: 'add_code', args: entry }]);
  const status = await reason('NODE_NOT_ADMITTED');

  const { proposalId } = await propose([
    {
      name: 'add_actor',
      args: {
        kind: ['member', 'participant'],
        name: dune.name,
        certificate: dune.certificatePem,
        roles: [],
      },
    },
    { name: 'add_node', args: nodeTuple(dune, status) },
  ]);
  await reason('NODE_TOO_EARLY');

  await vote(proposalId, vn1);
  assert.equal((await vote(proposalId, vn2)).state, 'accepted');
  await vn4.running();
  const writer = await keyvalueAs(vn4, dune);
  assert.ok(await writer.promises.put('dune', Buffer.from('here')));
  writer.close();
  guest = { node: vn4, identity: dune, measurement };
});

let guest: { node: LocalNode; identity: Identity; measurement: string };

test('a platform that is not the one of a node cannot take its place', async () => {
  const { nodeId, networkId = '' } = vn3.status ?? assert.fail('vn3 has a status');
  const measurement = await measurementOfImage(network.images.manager);
  const claims = {
    port: vn1.ports.node,
    platformKeyFile: join(network.directory, 'other-platform.pem'),
    measurement,
    networkId,
  };
  const leader = await network.leader();
  const rejoin = {
    kind: 'join',
    body: () => ({
      name: 'vn3',
      address: `127.0.0.1:${vn3.ports.node}`,
      adminAddress: `127.0.0.1:${vn3.ports.admin}`,
      applicationAddresses: [`127.0.0.1:${vn3.ports.application}`],
      encryptionKey: vn3.status?.node.encryptionKey,
      replaces: nodeId,
    }),
  };
  const asJoiner = { ...claims, port: leader.ports.node, role: 'joiner', ask: rejoin } as const;
  assert.equal(await falsePeer(asJoiner), 'REJOIN_REFUSED');
  assert.equal(await falsePeer({ ...claims, role: 'peer' }), 'NODE_NOT_ADMITTED');
  assert.equal(await falsePeer({ ...claims, role: 'resumer' }), 'NETWORK_LIVE');
  const unlisted = { ...claims, role: 'joiner', measurement: 'ab'.repeat(32) } as const;
  assert.equal(await falsePeer(unlisted), 'UNLISTED_MEASUREMENT');
  const stolen = { ...claims, role: 'joiner', boundKey: Buffer.from('another key') } as const;
  assert.equal(await falsePeer(stolen), 'EVIDENCE_INVALID');
  assert.equal(vn3.status?.nodeId, nodeId, 'vn3 was not disturbed');
  assert.equal(vn3.status?.phase, 'running');
});

test('a removed member is cut off at commit, its node is retired, and a new epoch begins', async () => {
  const { node, identity } = guest;
  const staff = issueStaffIdentity(identity, { name: 'driver' });
  // The key that the fourth member takes part in begins an epoch of its own.
  await vn1.waitFor(({ keys }) => keys?.holders.length === 4 && !keys.ceremony && !keys.due, {
    what: 'four members to hold the key',
  });
  const before = await as(vn1, (admin) => admin.state());
  const removedId = node.status?.nodeId as string;
  const stream = await keyvalueAs(vn2, staff);
  await stream.promises.put('before', Buffer.from('removal'));
  const streamCut = new Promise<SdkError>((resolve) => {
    stream.frames.onClose = resolve;
  });
  const admin = adminAs(vn1, identity);
  const events = await admin.connection.stream({ path: '/gov/events' });
  // A stream that is cut ends in an error, which is what is waited for.
  const eventsCut = new Promise((resolve) => {
    events.on('error', () => undefined).on('close', resolve);
  });
  events.resume();

  await decide([{ name: 'remove_actor', args: { actorId: identity.actorId } }]);
  assert.equal((await streamCut).code, 'CONNECTION_LOST');
  await eventsCut;
  admin.close();
  for (const other of network.nodes) {
    for (const who of [identity, staff]) {
      assert.equal(await codeOf(keyvalueAs(other, who)), 'UNKNOWN_ACTOR');
      assert.equal(await codeOf(as(other, (a) => a.state(), who)), 'UNKNOWN_ACTOR');
    }
  }
  const gone = await node.waitFor(({ phase }) => phase !== 'running', { what: 'vn4 to stop' });
  assert.match(gone.reason ?? '', /^(NODE_REMOVED|NODE_NOT_ADMITTED)/);
  const { constitution } = await as(vn2, (a) => a.constitution());
  const entry = constitution.nodes.find(({ nodeId }) => nodeId === removedId);
  assert.equal(entry?.status, 'retired');
  await epochWithout(removedId, before.epoch);
});

/** New blocks are of a later epoch, whose key is granted to everyone but the removed node. */
async function epochWithout(removedId: string, formerEpoch: number): Promise<void> {
  const isLater = async () => (await as(vn1, (admin) => admin.state())).epoch > formerEpoch;
  await waitUntil(isLater, { what: 'a new epoch' });
  const client = await network.keyvalue(vn1);
  const id = (await client.promises.put('after', Buffer.from('removal'))) as string;
  client.close();
  await network.level();
  const blocks = vn1.chunkFiles.flatMap((file) =>
    scanChunk(readFileSync(file)).frames.map(({ block }) => block),
  );
  const { epoch } = decodeHeader(blocks.at(-1) as Uint8Array);
  assert.ok(epoch > formerEpoch);
  const granted = new Map<number, Set<string>>();
  for (const block of blocks.filter((one) => decodeHeader(one).source === 0)) {
    for (const { epochs, to } of openPublicPart(block).publicWrites.flatMap(grantsIn)) {
      for (let of = epochs[0]; of <= epochs[1]; of++) {
        granted.set(of, new Set([...(granted.get(of) ?? []), ...to]));
      }
    }
  }
  for (const [of, to] of granted) {
    if (of > formerEpoch) assert.ok(!to.has(removedId), `epoch ${of} is not for the removed node`);
  }
  const recipients = granted.get(epoch) ?? new Set();
  for (const { status } of network.nodes) assert.ok(recipients.has(status?.nodeId as string));
  const report = await network.verify(vn1.ledgerDirectory, id);
  assert.deepEqual(report.damage, undefined);
}

function grantsIn(writes: Uint8Array): KeyGrant[] {
  if (writes.length === 0) return [];
  return [...decodeWriteSet(writes)].flatMap(({ table, value }) =>
    table === 'public:concordat.key-grants' && value
      ? [JSON.parse(Buffer.from(value).toString('utf8')) as KeyGrant]
      : [],
  );
}

test('a removed node does not come back, nor does code that was struck off', async () => {
  const { node, measurement } = guest;
  // Its own ledger tells it, or the network does, whichever it heard of its removal from.
  const back = await node.waitFor(
    ({ phase, reason = '' }) =>
      (phase === 'joining' && /_/.test(reason)) || reason.startsWith('NODE_REMOVED'),
    { what: 'vn4 to be told why it may not rejoin' },
  );
  assert.match(back.reason ?? '', /^(NODE_REMOVED|REJOIN_REFUSED|NODE_NOT_ADMITTED)/);
  await node.kill();
  for (const name of readdirSync(node.dataDirectory)) {
    rmSync(join(node.dataDirectory, name), { recursive: true, force: true });
  }
  node.start();
  await node.waitFor(({ reason = '' }) => reason.startsWith('NODE_NOT_ADMITTED'), {
    what: 'vn4 to be refused with an empty disk, too',
  });
  await decide([{ name: 'remove_code', args: { measurement } }]);
  await node.waitFor(({ reason = '' }) => reason.startsWith('UNLISTED_MEASUREMENT'), {
    what: 'vn4 to be refused for its code',
  });
});
