import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { adminPaths, coseMediaType, deploymentMediaType, encodeDeployment } from '@concordat/api';
import { certificateFingerprint } from '@concordat/crypto';
import {
  buildGiving,
  buildKeyExport,
  buildProposal,
  type ProposedAction,
  programDigest,
} from '@concordat/governance';
import {
  AdminClient,
  createOrganisation,
  type Identity,
  issueOrganisationRevocations,
  issueStaffIdentity,
  openKeyValueClient,
  renewOrganisation,
  revocationAction,
  type SdkError,
  serialOf,
} from '@concordat/sdk';
import { utf8 } from '@concordat/std';
import { LocalNetwork, type LocalNode, waitUntil } from '../index.ts';

let network: LocalNetwork;
let vn1: LocalNode;
let vn2: LocalNode;
let vn3: LocalNode;
let networkId: string;
/** The organisation of vn1: a member that also transacts. */
let aurora: Identity;
const shop = createOrganisation({ name: 'corner-shop' });
const leaver = createOrganisation({ name: 'leaver' });
const stranger = createOrganisation({ name: 'stranger' });
let clerk: Identity;
let former: Identity;

before(async () => {
  network = await LocalNetwork.start({ elections: 'patient' });
  [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
  aurora = await network.identity(vn1.organisation);
  clerk = issueStaffIdentity(aurora, { name: 'clerk' });
  former = issueStaffIdentity(aurora, { name: 'former clerk' });
  ({ networkId } = await as(vn1, aurora, (admin) => admin.network()));
});

after(() => network?.end());

const adminAs = (node: LocalNode, identity: Identity): AdminClient =>
  new AdminClient({
    address: `127.0.0.1:${node.ports.admin}`,
    networkCertificate: network.certificate,
    identity,
  });

const as = <Result>(
  node: LocalNode,
  identity: Identity,
  call: (admin: AdminClient) => Promise<Result>,
): Promise<Result> => {
  const admin = adminAs(node, identity);
  return call(admin).finally(() => admin.close());
};

const keyvalueAs = (node: LocalNode, identity: Identity) =>
  openKeyValueClient({
    address: `127.0.0.1:${node.ports.application}`,
    networkCertificate: network.certificate,
    identity,
  });

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'SERVED',
    (error: SdkError) => error.code,
  );

/** Connects, and leaves again where that works. */
const knock = (node: LocalNode, identity: Identity): Promise<string> =>
  codeOf(keyvalueAs(node, identity).then((client) => client.close()));

/** Has a proposal accepted by the members of these nodes. */
async function decide(
  actions: readonly ProposedAction[],
  voters: readonly LocalNode[] = [vn2, vn3],
): Promise<void> {
  const [first] = voters as [LocalNode];
  const member = await network.identity(first.organisation);
  const { proposalId } = await as(first, member, (admin) => admin.propose(actions));
  for (const node of voters) {
    const voter = await network.identity(node.organisation);
    const { state } = await as(node, voter, (admin) => admin.vote(proposalId, true));
    if (state === 'accepted') {
      await network.level();
      return;
    }
    assert.equal(state, 'open');
  }
  assert.fail('the members have accepted, and the proposal is still open');
}

const participant = (identity: Identity): ProposedAction => ({
  name: 'add_actor',
  args: {
    kind: ['participant'],
    name: identity.name,
    certificate: identity.certificatePem,
    roles: [],
  },
});

/** Waits until each of these nodes answers an identity with a code. */
async function allAnswer(code: string, identity: Identity): Promise<void> {
  for (const node of network.nodes) {
    await waitUntil(async () => (await knock(node, identity)) === code, {
      what: `${node.name} to answer ${code}`,
    });
  }
}

/** Who asks, by what they are to the network. */
const askers = {
  anonymous: () => undefined,
  stranger: () => stranger,
  participant: () => shop,
  member: () => aurora,
  'staff of a member': () => clerk,
  'removed actor': () => leaver,
  'revoked staff': () => former,
} as const;

type Asker = keyof typeof askers;

/** What those who are nobody are told. */
const nobodies: Partial<Record<Asker, string>> = {
  anonymous: 'CLIENT_CERTIFICATE_REQUIRED',
  stranger: 'UNKNOWN_ACTOR',
  'removed actor': 'UNKNOWN_ACTOR',
  'revoked staff': 'CLIENT_CERTIFICATE_REVOKED',
};

interface Asked {
  readonly path: string;
  readonly type?: string;
  /** Bytes to post, signed by whoever asks. */
  readonly body?: (by: Identity) => Uint8Array;
  /** What somebody of the network is answered, when that is no 2xx. */
  readonly answers?: Partial<Record<Asker, string>>;
  /** The same for everybody of the network. */
  readonly code?: string;
  /** Answered whoever asks. */
  readonly isPublic?: true;
}

/** Signs as whoever asks; a stranger and an anonymous asker sign as the stranger. */
const signing = (by: Identity) => ({
  ...(by.messageSigner as NonNullable<Identity['messageSigner']>),
  networkId,
  createdAtSeconds: Math.floor(Date.now() / 1000),
  certificateDer: by.certificateDer,
});

const lessDelay: ProposedAction = {
  name: 'set_policy',
  args: { name: 'maxBatchDelayMs', value: 6 },
};
const program = utf8('a program');
const deployment = (): ProposedAction => ({
  name: 'set_application',
  args: { adapter: 'nothing', digest: programDigest(program), bytes: program.length },
});
const point = '04'.padEnd(130, '1');
const nonce = 'd'.repeat(64);

/** A participant has no vote, and staff of a member does not sign for it: only its own key does. */
const signed = {
  participant: 'NOT_A_MEMBER',
  'staff of a member': 'UNKNOWN_ACTOR',
};
const cose = { type: coseMediaType };

const endpoints: Readonly<Record<keyof typeof adminPaths, Asked>> = {
  state: { path: adminPaths.state },
  network: { path: adminPaths.network },
  openApi: { path: adminPaths.openApi },
  metrics: { path: adminPaths.metrics },
  health: { path: adminPaths.health },
  ready: { path: adminPaths.ready },
  evidence: { path: `${adminPaths.evidence}?nonce=${nonce}`, isPublic: true },
  transaction: { path: `${adminPaths.transaction}?transaction_id=2.1` },
  receipt: { path: `${adminPaths.receipt}?transaction_id=9999.1`, code: 'TRANSACTION_NOT_FOUND' },
  commit: { path: adminPaths.commit },
  constitution: { path: adminPaths.constitution },
  proposals: { path: adminPaths.proposals },
  events: { path: adminPaths.events },
  messages: {
    ...cose,
    path: adminPaths.messages,
    body: (by) => buildProposal({ ...signing(by), actions: [lessDelay] }),
    answers: signed,
  },
  deployments: {
    path: adminPaths.deployments,
    type: deploymentMediaType,
    body: (by) => {
      const message = buildProposal({ ...signing(by), actions: [deployment()] });
      return encodeDeployment({ message, program });
    },
    answers: { ...signed, member: 'PROGRAM_REFUSED' },
  },
  programs: { path: `${adminPaths.programs}/${nonce}`, code: 'APPLICATION_NOT_FOUND' },
  keys: { path: adminPaths.keys },
  keyExports: {
    ...cose,
    path: adminPaths.keyExports,
    body: (by) => buildKeyExport({ ...signing(by), request: { publicKey: point, again: false } }),
    // A node gives its own actor's shares only, so it asks first whose the message is.
    answers: { participant: 'NOT_OWN_NODE', 'staff of a member': 'NOT_OWN_NODE' },
    code: 'MALFORMED_MESSAGE',
  },
  auditShares: {
    ...cose,
    path: adminPaths.auditShares,
    body: (by) =>
      buildGiving({
        ...signing(by),
        giving: { auditor: 'nobody', encryptionKey: point, epochs: [1] },
      }),
    answers: { participant: 'NOT_OWN_NODE', 'staff of a member': 'NOT_OWN_NODE' },
    code: 'MALFORMED_MESSAGE',
  },
  recovery: { path: adminPaths.recovery, code: 'NETWORK_NOT_RECOVERING' },
  recoveryOffer: {
    path: `${adminPaths.recoveryOffer}?nonce=${nonce}`,
    code: 'NETWORK_NOT_RECOVERING',
  },
  recoveryShares: {
    path: adminPaths.recoveryShares,
    type: 'application/json',
    body: () => utf8('{}'),
    code: 'NETWORK_NOT_RECOVERING',
  },
};

/** The code a request is refused with; SERVED for 2xx. */
async function ask(node: LocalNode, who: Identity | undefined, asked: Asked): Promise<string> {
  const body = asked.body?.(who ?? stranger);
  const sent: ClientRequest = request({
    host: '127.0.0.1',
    port: node.ports.admin,
    path: asked.path,
    method: body === undefined ? 'GET' : 'POST',
    agent: false,
    ca: network.certificate,
    checkServerIdentity: () => undefined,
    ...(who && { cert: who.certificatePem, key: who.keyPem }),
    headers:
      body === undefined ? {} : { 'content-type': asked.type, 'content-length': body.length },
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const { statusCode = 0 } = response;
  if (statusCode < 300) {
    response.destroy();
    return 'SERVED';
  }
  let text = '';
  for await (const part of response) text += part;
  return (JSON.parse(text) as { error: { code: string } }).error.code;
}

test('staff of a revoked certificate is cut off on every port of every node when the vote commits', async () => {
  await decide([participant(shop), participant(leaver)]);
  const kept = await keyvalueAs(vn2, clerk);
  const channels = await Promise.all(network.nodes.map((node) => keyvalueAs(node, former)));
  const cut = channels.map(
    (client) =>
      new Promise((resolve) => {
        client.frames.onClose = resolve;
      }),
  );
  const watching = openStream(vn3, former);
  await watching.open;
  assert.ok(await channels[0]?.promises.put('clerk', Buffer.from('was here')));
  const list = issueOrganisationRevocations(aurora, { serials: [serialOf(former.certificateDer)] });
  await decide([revocationAction(aurora.actorId, list)]);
  await Promise.all([...cut, watching.closed]);
  await allAnswer('CLIENT_CERTIFICATE_REVOKED', former);
  // Whoever is not on the list has not noticed, on the very connection it had.
  assert.ok(await kept.promises.put('clerk', Buffer.from('still here')));
  kept.close();
});

test('an older list is refused, and the list in force stays', async () => {
  const older = issueOrganisationRevocations(aurora, { serials: [], number: 3n });
  const refused = as(vn1, aurora, (admin) =>
    admin.propose([revocationAction(aurora.actorId, older)]),
  );
  assert.equal(await codeOf(refused), 'REVOCATION_LIST_NOT_NEWER');
  assert.equal(await knock(vn1, former), 'CLIENT_CERTIFICATE_REVOKED');
});

test('a removed actor is cut off on the administrative channel too', async () => {
  const watching = openStream(vn1, leaver);
  await watching.open;
  await decide([{ name: 'remove_actor', args: { actorId: leaver.actorId } }]);
  await watching.closed;
  await allAnswer('UNKNOWN_ACTOR', leaver);
});

/** An event stream of the administrative channel. */
function openStream(node: LocalNode, who: Identity) {
  const sent = request({
    host: '127.0.0.1',
    port: node.ports.admin,
    path: adminPaths.events,
    agent: false,
    ca: network.certificate,
    checkServerIdentity: () => undefined,
    cert: who.certificatePem,
    key: who.keyPem,
  });
  sent.end();
  const closed = new Promise<void>((resolve) => {
    sent.once('close', resolve);
  });
  sent.on('error', () => undefined);
  const open = once(sent, 'response').then(([response]: IncomingMessage[]) => {
    assert.equal(response?.statusCode, 200);
    response?.on('error', () => undefined).resume();
  });
  return { open, closed };
}

for (const [name, asked] of Object.entries(endpoints)) {
  test(`who may ask ${name}: each kind of caller, and nobody else`, async () => {
    for (const asker of Object.keys(askers) as Asker[]) {
      const node = vn1;
      const expected = asked.isPublic
        ? 'SERVED'
        : (nobodies[asker] ?? asked.answers?.[asker] ?? asked.code ?? 'SERVED');
      assert.equal(await ask(node, askers[asker](), asked), expected, `${asker} at ${asked.path}`);
    }
  });
}

test('a certificate rolls over without downtime: both hold, then the old one and its staff are cut', async () => {
  const renewed = renewOrganisation(aurora);
  const fresh = issueStaffIdentity(renewed, { name: 'clerk' });
  const { actorId } = aurora;
  assert.equal(await knock(vn2, fresh), 'UNKNOWN_ACTOR');
  const old = await keyvalueAs(vn2, clerk);
  const load = writing(old);
  await decide([
    { name: 'add_actor_certificate', args: { actorId, certificate: renewed.certificatePem } },
  ]);
  await allAnswer('SERVED', fresh);
  // The actor votes with its new certificate, under the id it always had.
  const { proposalId } = await as(vn1, renewed, (admin) => admin.propose([lessDelay]));
  await as(vn1, renewed, (admin) => admin.vote(proposalId, true));
  const { proposer, votes } = await as(vn1, renewed, (admin) => admin.proposal(proposalId));
  assert.equal(proposer, actorId);
  assert.deepEqual(
    votes.map((vote) => vote.actorId),
    [actorId],
  );
  const next = await keyvalueAs(vn2, fresh);
  const nextLoad = writing(next);
  assert.equal(load.failed, undefined);
  const fingerprint = certificateFingerprint(aurora.certificateDer);
  await decide([{ name: 'remove_actor_certificate', args: { actorId, fingerprint } }]);
  await load.ended;
  await allAnswer('UNKNOWN_ACTOR', clerk);
  assert.ok(load.written > 0);
  // Whoever uses the new one has not noticed.
  const before = nextLoad.written;
  await waitUntil(async () => nextLoad.written > before + 5, { what: 'writes to go on' });
  assert.equal(nextLoad.failed, undefined);
  nextLoad.stop();
  await nextLoad.ended;
  next.close();
  assert.equal(await codeOf(as(vn1, aurora, (admin) => admin.network())), 'CERTIFICATE_RETIRED');
  const stale = buildProposal({ ...signing(aurora), actions: [lessDelay] });
  const asked = { path: adminPaths.messages, type: coseMediaType, body: () => stale };
  assert.equal(await ask(vn1, renewed, asked), 'CERTIFICATE_RETIRED');
  // Its node was admitted under the old certificate, and stays.
  const { nodes } = await as(vn1, renewed, (admin) => admin.network());
  assert.deepEqual(
    nodes.map(({ status }) => status),
    ['trusted', 'trusted', 'trusted'],
  );
});

/** Writes until it is stopped or cut off. */
function writing(client: Awaited<ReturnType<typeof keyvalueAs>>) {
  const load = { written: 0, failed: undefined as unknown, stopped: false };
  const ended = (async () => {
    try {
      while (!load.stopped) {
        await client.promises.put('roll-over', Buffer.from(String(load.written)));
        load.written += 1;
      }
    } catch (error) {
      load.failed = error;
    }
  })();
  return Object.assign(load, {
    ended,
    stop: () => {
      load.stopped = true;
    },
  });
}

test('the auditor executes renewals and revocations anew and agrees', async () => {
  await vn2.stop();
  const report = await network.verify(vn2.ledgerDirectory);
  assert.ok(report.ok, JSON.stringify(report.damage));
});
