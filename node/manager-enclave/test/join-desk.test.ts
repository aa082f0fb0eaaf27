import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import {
  decodeEvidenceRecord,
  verifyRecordedEvidence,
  virtualVerifier,
} from '@concordat/attestation';
import { fromPem } from '@concordat/crypto';
import {
  buildProposal,
  constitutionTerms,
  currentEpoch,
  keyGrants,
  parseConstitution,
} from '@concordat/governance';
import { type NodeId, toEpoch, toHex, utf8 } from '@concordat/std';
import type { JoinDesk } from '../join-desk.ts';
import {
  decodeJoinOffer,
  decodeJoinReply,
  decodeJoinRequest,
  encodeJoinMessage,
} from '../join-messages.ts';
import {
  askToJoin,
  attested,
  decide,
  grow,
  join,
  newNetwork,
  organisation,
  type TestNode,
  takeUp,
  threeNodes,
  verdictOf,
  World,
} from './fixture.ts';

const members = [organisation('org 1'), organisation('org 2')];

async function network() {
  const { world, first } = await newNetwork(members);
  const node = world.add(members[1] as (typeof members)[number]);
  return { world, first, node };
}

const admit = (world: World, first: TestNode, node: TestNode) =>
  decide(world, first, members, [{ name: 'add_node', args: node.tuple }]);

test('a node that nobody proposed is refused by name', async () => {
  const { world, first, node } = await network();
  await assert.rejects(join(world, first, node), { code: 'NODE_NOT_ADMITTED' });
});

test('a node whose vote is still open is too early, and gets in once the vote has passed', async () => {
  const { world, first, node } = await network();
  const [proposer] = members as [(typeof members)[number]];
  const proposal = buildProposal({
    actions: [{ name: 'add_node', args: node.tuple }] as never,
    networkId: first.network.id,
    createdAtSeconds: Math.floor(Date.now() / 1000),
    key: proposer.key,
    certificateDer: proposer.der,
  });
  await world.until(first.governance.submit(proposal));
  await assert.rejects(join(world, first, node), { code: 'NODE_TOO_EARLY' });
  await admit(world, first, node);
  const reply = await join(world, first, node);
  assert.equal(reply.networkId, first.network.id);
});

test('an admitted node is granted every session key, gets a certificate for its voted addresses, and learns', async () => {
  const { world, first, node } = await network();
  await admit(world, first, node);
  const reply = await join(world, first, node);
  takeUp(node, reply);
  await world.until(node.epochs.readyFor(first.host.blocks[0] as Uint8Array));
  const key = first.sessionKeys.get(toEpoch(1));
  assert.deepEqual(node.sessionKeys.get(toEpoch(1))?.key, key?.key);
  const [, granted] = [...keyGrants(first.administration.committedState)];
  const epoch = currentEpoch(first.administration.committedState);
  assert.deepEqual(granted, { epochs: [1, epoch], reason: 'joined', to: [node.id] });
  const certificate = new X509Certificate(reply.nodeCertificate);
  assert.equal(certificate.checkHost('n2'), 'n2');
  assert.equal(certificate.checkHost('elsewhere.example'), undefined);
  assert(certificate.verify(new X509Certificate(reply.networkCertificate).publicKey));
  assert.equal(first.administration.node(node.id)?.status, 'learning');
  assert.equal(fromPem(reply.nodeCertificate).length, 1);
});

test('what a node showed when it joined is recorded, and proves the same when judged anew', async () => {
  const { world, first, node } = await network();
  await admit(world, first, node);
  await join(world, first, node);
  for (const { id, identity } of [first, node]) {
    const bytes = first.administration.head.table('public:concordat.evidence').get(id);
    const record = decodeEvidenceRecord(bytes as Uint8Array);
    const verdict = verifyRecordedEvidence(record, {
      publicKeySpki: identity.signing.publicKeySpki,
      verifiers: [virtualVerifier],
    });
    assert.ok('measurement' in verdict, JSON.stringify(verdict));
    assert.equal(verdict.measurement, first.administration.node(id)?.measurement);
    assert.equal(record.networkId, first.network.id);
  }
});

test('a newcomer that names no constitution is shown it, and nothing of it is recorded', async () => {
  const { world, first, node } = await network();
  await assert.rejects(askToJoin(world, first, node, {}), { code: 'NODE_NOT_ADMITTED' });
  await admit(world, first, node);
  const height = first.log.lastHeight;
  const offer = decodeJoinOffer(await askToJoin(world, first, node, {}));
  assert.deepEqual(parseConstitution(offer.constitution), first.administration.constitution);
  assert.equal(offer.networkCertificate, first.network.certificate);
  assert.equal(first.log.lastHeight, height);
  assert.equal(first.administration.node(node.id)?.status, 'admitted');
  assert.throws(() => decodeJoinReply(utf8(JSON.stringify(offer))), { code: 'CHANNEL_FAILED' });
});

test('what was voted on since the approval is to be approved again before the node is let in', async () => {
  const { world, first, node } = await network();
  await admit(world, first, node);
  const offer = decodeJoinOffer(await askToJoin(world, first, node, {}));
  const constitution = parseConstitution(offer.constitution);
  const approved = { terms: constitutionTerms(constitution, { nodeId: node.id }) };
  const policy = { name: 'set_policy', args: { name: 'epochBlocks', value: 50 } };
  await decide(world, first, members, [policy]);
  const refused = askToJoin(world, first, node, { approved });
  await assert.rejects(refused, { code: 'CONSTITUTION_CHANGED' });
  assert.equal(first.administration.node(node.id)?.status, 'admitted');
  await join(world, first, node);
  assert.equal(first.administration.node(node.id)?.status, 'learning');
});

test('asking again is answered alike, so that a lost reply is no dead end', async () => {
  const { world, first, node } = await network();
  await admit(world, first, node);
  const height = first.log.lastHeight;
  const once = await join(world, first, node);
  const placed = first.log.lastHeight;
  assert.equal(placed, height + 1);
  assert.deepEqual(await join(world, first, node), once);
  assert.equal(first.log.lastHeight, placed);
});

test('two nodes that ask at once both get in', async () => {
  const { world, first, node } = await network();
  const other = world.add(members[0] as (typeof members)[number]);
  await admit(world, first, node);
  await admit(world, first, other);
  const [one, two] = await Promise.all([join(world, first, node), join(world, first, other)]);
  assert.equal(one.networkId, two.networkId);
  const statuses = [node, other].map(({ id }) => first.administration.node(id)?.status);
  assert.deepEqual(statuses, ['learning', 'learning']);
});

test('code that is not listed, or another platform in a predecessor’s place, does not get in', async () => {
  const { world, members: three, first, second } = await threeNodes();
  const successor = world.add(three[1] as (typeof members)[number]);
  const desk = first.joinDesk as JoinDesk;
  const body = Buffer.from(
    encodeJoinMessage({
      encryptionKey: toHex(successor.identity.encryption.publicKey),
      replaces: second.id,
    }),
  );
  const { createSigningKey } = await import('@concordat/crypto');
  const elsewhere = createSigningKey(new Uint8Array(32).fill(3));
  for (const [verdict, code] of [
    [verdictOf('ee'.repeat(32)), 'UNLISTED_MEASUREMENT'],
    [verdictOf('aa'.repeat(32), elsewhere), 'REJOIN_REFUSED'],
  ] as const) {
    const challenge = { networkId: first.network.id, ledgerRoot: first.log.root, epoch: 1 };
    const admitted = { ...(await attested(successor, challenge)), verdict };
    const asked = desk.join(successor.asPeer, admitted, body);
    await assert.rejects(world.until(asked), { code });
  }
  assert.equal(first.administration.node(successor.id), undefined);
});

test('a restarted node takes the place of its predecessor, which ceases to vote', async () => {
  const { world, members: three, first, second, third } = await threeNodes();
  world.cut.add(second.id);
  const successor = world.add(three[1] as (typeof members)[number]);
  const reply = await join(world, first, successor, second.id);
  takeUp(successor, reply);
  successor.begin({ configuration: reply.configuration }, 0.5);
  await world.tick(3, [first, third, successor]);
  for (let round = 0; round < 10; round++) {
    first.joinDesk?.promote();
    await world.tick(1, [first, third, successor]);
  }
  const status = (id: NodeId) => first.administration.node(id)?.status;
  assert.equal(status(successor.id), 'trusted');
  assert.equal(status(second.id), 'retired');
  assert.deepEqual(successor.log.root, first.log.root);
  await assert.rejects(join(world, first, second), { code: 'NODE_NOT_ADMITTED' });
});

test('a learner is not made a voter once leadership is lost', async () => {
  const { world, first, second, third } = await threeNodes();
  world.cut.add(first.id);
  first.joinDesk?.promote();
  await world.elect();
  first.joinDesk?.promote();
  await world.tick(1, [second, third]);
  assert.equal(first.administration.constitution.nodes.length, 3);
});

test('a node that a vote removes while it learns is told so when it asks', async () => {
  const { world, first, node } = await network();
  await admit(world, first, node);
  await join(world, first, node);
  await decide(world, first, members, [{ name: 'remove_node', args: { nodeId: node.id } }]);
  await assert.rejects(join(world, first, node), { code: 'NODE_NOT_ADMITTED' });
});

test('a network grows to five nodes and all agree', async () => {
  const { world, members: three, first } = await threeNodes();
  await grow(world, three, three[0] as (typeof members)[number]);
  const last = await grow(world, three, three[1] as (typeof members)[number]);
  assert.equal(first.driver.status.configurations[0]?.voters.length, 5);
  assert.deepEqual(last.log.root, first.log.root);
});

test('join messages that are not what they should be are refused, none escapes as another error', () => {
  const key = '04'.padEnd(130, '1');
  for (const text of [
    '',
    '[]',
    'null',
    '{}',
    '{"encryptionKey":1}',
    `{"encryptionKey":"${'0'.repeat(128)}"}`,
    `{"encryptionKey":"${key}","replaces":"x"}`,
    `{"encryptionKey":"${key}","replaces":{}}`,
    `{"encryptionKey":"${key}","approved":null}`,
    `{"encryptionKey":"${key}","approved":{}}`,
    `{"encryptionKey":"${key}","approved":{"terms":"x"}}`,
    `{"encryptionKey":"${key}","approved":{"terms":"${'ab'.repeat(32)}","actorId":1}}`,
    '['.repeat(100_000),
  ]) {
    assert.throws(() => decodeJoinRequest(utf8(text)), { code: 'CHANNEL_FAILED' });
  }
  assert.deepEqual(decodeJoinRequest(utf8(`{"encryptionKey":"${key}"}`)), { encryptionKey: key });
  const good = {
    networkId: 'ab'.repeat(32),
    networkCertificate: 'x',
    nodeCertificate: 'y',
    constitution: {},
    configuration: { voters: ['cd'.repeat(32)] },
  };
  assert.deepEqual(decodeJoinReply(utf8(JSON.stringify(good))), good);
  const { voters } = good.configuration;
  const sized = { voters, quorums: { replication: 1, election: 1 } };
  const reply = decodeJoinReply(utf8(JSON.stringify({ ...good, configuration: sized })));
  assert.deepEqual(reply.configuration, sized);
  for (const bad of [
    { networkId: 'ab' },
    { configuration: undefined },
    { configuration: voters },
    { configuration: { voters: [] } },
    { configuration: { voters: ['cd'] } },
    { configuration: { voters: [voters[0], voters[0]] } },
    { configuration: { voters, others: [] } },
    { configuration: { voters, quorums: null } },
    { configuration: { voters, quorums: { replication: 1 } } },
    { configuration: { voters, quorums: { replication: 1, election: 2 } } },
    { configuration: { voters, quorums: { replication: 1, election: 1, third: 1 } } },
    { networkCertificate: 7 },
  ]) {
    assert.throws(() => decodeJoinReply(utf8(JSON.stringify({ ...good, ...bad }))), {
      code: 'CHANNEL_FAILED',
    });
  }
});

test('before the genesis block there is nobody to make a voter', async () => {
  const world = new World();
  const first = world.add(members[0] as (typeof members)[number]);
  first.belongTo({ id: 'ab'.repeat(32), certificate: '' });
  first.begin({ configuration: { voters: [first.id] } });
  await world.elect();
  assert.equal(first.administration.exists, false);
  assert(first.joinDesk);
  first.joinDesk.promote();
});
