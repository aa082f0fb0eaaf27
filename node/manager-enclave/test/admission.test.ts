import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isErrorCode } from '@concordat/api';
import { createVirtualEvidence } from '@concordat/attestation';
import { createSigningKey, fromPem } from '@concordat/crypto';
import { type Constitution, parseConstitution } from '@concordat/governance';
import { toHex } from '@concordat/std';
import { type Judge, judgePeer, reportDataFor, unknownNetwork } from '../admission.ts';
import { ManagerError, managerErrorCodes } from '../errors.ts';
import { createNetworkIdentity, createNodeIdentity, endorseNode } from '../node-identity.ts';
import type { Challenge, PeerIdentity, PeerRole } from '../peer-policy.ts';
import { entropyOf, genesisOf, managerCode, organisation, platform } from './fixture.ts';

const owner = organisation('owner');
const network = createNetworkIdentity('net', entropyOf('net'), Date.now());
const networkId = 'ab'.repeat(32);
const self = createNodeIdentity(entropyOf('self'), Date.now());
const other = createNodeIdentity(entropyOf('other'), Date.now());
const otherCertificate = endorseNode({
  networkKey: network.key,
  networkCertificate: network.certificate,
  nodePublicKey: other.signing.publicKeySpki,
  hosts: ['localhost'],
  serial: Uint8Array.of(9),
  nowMs: Date.now(),
});

const asked: Challenge = {
  role: 'peer',
  networkId,
  ledgerRoot: new Uint8Array(32).fill(5),
  epoch: 3,
};

const peer: PeerIdentity = {
  nodeId: other.nodeId,
  publicKey: other.signing.publicKeySpki,
  certificate: fromPem(otherCertificate)[0] as Uint8Array,
};

/** A constitution that lists the other node in a status. */
function listing(status: string | undefined, platformKey?: string): Constitution {
  const node = {
    nodeId: other.nodeId,
    actorId: owner.actorId,
    name: 'other',
    address: 'o:1',
    adminAddress: 'o:2',
    applicationAddresses: ['o:3'],
    publicKey: toHex(other.signing.publicKeySpki),
    encryptionKey: toHex(other.encryption.publicKey),
    status,
    ...(status === 'retired' && { retired: 'removed' }),
    ...(platformKey && { platformKey }),
  };
  const genesis = genesisOf([owner]);
  const nodes = status ? [node] : [];
  return { ...parseConstitution(genesis), nodes: nodes as unknown as Constitution['nodes'] };
}

const judgeOf = (status: string | undefined, over: Partial<Judge> = {}): Judge => ({
  self: self.nodeId,
  networkId,
  constitution: listing(status),
  networkCertificate: '',
  acceptsResumers: false,
  hearsLeader: true,
  nowMs: Date.now(),
  ...over,
});

const evidenceFor = (challenge: Challenge, measurement = managerCode, key = platform) =>
  createVirtualEvidence({
    measurement,
    reportData: reportDataFor(other.signing.publicKeySpki, challenge),
    platformKey: key,
  });

const presenting = (role: PeerRole, evidence = evidenceFor(asked), ofNetwork = networkId) => ({
  evidence,
  asked,
  theirs: { role, networkId: ofNetwork },
});

const refused = (judge: Judge, shown: ReturnType<typeof presenting>, code: string): void =>
  assert.throws(() => judgePeer(judge, peer, shown), { code });

test('a trusted or learning node of the list comes in as a peer', () => {
  for (const status of ['trusted', 'learning']) {
    assert.equal(judgePeer(judgeOf(status), peer, presenting('peer')).role, 'peer');
  }
});

test('a node that is not in the list, not in yet, or not any more is refused as NODE_NOT_ADMITTED', () => {
  for (const status of [undefined, 'admitted', 'retired']) {
    refused(judgeOf(status), presenting('peer'), 'NODE_NOT_ADMITTED');
  }
});

test('a node whose removal is not committed yet still gets through to vote', () => {
  const judge = judgeOf('retired', { committed: listing('trusted') });
  assert.equal(judgePeer(judge, peer, presenting('peer')).role, 'peer');
});

test('code that is not listed is refused as UNLISTED_MEASUREMENT, in every role', () => {
  for (const role of ['peer', 'joiner', 'resumer'] as const) {
    const shown = presenting(role, evidenceFor(asked, 'ee'.repeat(32)));
    refused(judgeOf('trusted'), shown, 'UNLISTED_MEASUREMENT');
  }
});

test('a worker that poses as a manager is refused as WRONG_ROLE', () => {
  const shown = presenting('peer', evidenceFor(asked, 'bb'.repeat(32)));
  refused(judgeOf('trusted'), shown, 'WRONG_ROLE');
});

test('a platform that is not listed is refused as UNLISTED_TEE', () => {
  const constitution = { ...listing('trusted'), teeManifest: [] };
  refused(judgeOf('trusted', { constitution }), presenting('peer'), 'UNLISTED_TEE');
});

test('evidence for another key, network, root or epoch, cut, flipped or none is EVIDENCE_INVALID', () => {
  const good = evidenceFor(asked);
  for (const evidence of [
    evidenceFor({ ...asked, networkId: 'cd'.repeat(32) }),
    evidenceFor({ ...asked, ledgerRoot: new Uint8Array(32) }),
    evidenceFor({ ...asked, epoch: 4 }),
    createVirtualEvidence({
      measurement: managerCode,
      reportData: reportDataFor(self.signing.publicKeySpki, asked),
      platformKey: platform,
    }),
    good.subarray(0, -1),
    good.with(60, (good[60] as number) ^ 1),
    new Uint8Array(),
  ]) {
    refused(judgeOf('trusted'), presenting('peer', evidence), 'EVIDENCE_INVALID');
  }
});

test('a listed node on another machine than it was admitted with is refused', () => {
  const constitution = listing('trusted', 'dd'.repeat(32));
  refused(judgeOf('trusted', { constitution }), presenting('peer'), 'WRONG_PLATFORM_KEY');
  const thief = createSigningKey(entropyOf('thief')(32));
  const shown = presenting('peer', evidenceFor(asked, managerCode, thief));
  const admitted = judgePeer(judgeOf('trusted'), peer, presenting('peer')).verdict.platformKey;
  const pinned = { constitution: listing('trusted', admitted) };
  judgePeer(judgeOf('trusted', pinned), peer, presenting('peer'));
  refused(judgeOf('trusted', pinned), shown, 'WRONG_PLATFORM_KEY');
});

test('a node of another network is refused as WRONG_NETWORK', () => {
  refused(
    judgeOf('trusted'),
    presenting('peer', evidenceFor(asked), 'cd'.repeat(32)),
    'WRONG_NETWORK',
  );
  refused(
    judgeOf('trusted'),
    presenting('peer', evidenceFor(asked), unknownNetwork),
    'WRONG_NETWORK',
  );
});

test('a node that resumes is refused while there is a leader or may be one soon, and taken in after', () => {
  refused(judgeOf('trusted'), presenting('resumer'), 'NETWORK_LIVE');
  const leaderless = judgeOf('trusted', { hearsLeader: false });
  refused(leaderless, presenting('resumer'), 'LEADER_UNKNOWN');
  refused(judgeOf('trusted', { hearsLeader: false }), presenting('resumer'), 'LEADER_UNKNOWN');
  const resuming = judgeOf('trusted', { acceptsResumers: true });
  assert.equal(judgePeer(resuming, peer, presenting('resumer')).role, 'resumer');
  refused(
    judgeOf('learning', { acceptsResumers: true }),
    presenting('resumer'),
    'NODE_NOT_ADMITTED',
  );
});

test('a newcomer needs no place in the list, only listed code', () => {
  const shown = presenting('joiner', evidenceFor(asked), unknownNetwork);
  assert.equal(judgePeer(judgeOf(undefined), peer, shown).role, 'joiner');
});

test('a newcomer itself accepts only who has a certificate of the network it was told to join', () => {
  const { constitution: _, ...unknowing } = judgeOf(undefined);
  const pem = (der: Uint8Array): string =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
  const right = { ...unknowing, networkCertificate: pem(network.certificate) };
  judgePeer(right, peer, presenting('peer'));
  const impostor = createNetworkIdentity('net', entropyOf('impostor'), Date.now());
  const wrong = { ...unknowing, networkCertificate: pem(impostor.certificate) };
  refused(wrong, presenting('peer'), 'WRONG_NETWORK');
  const selfSigned = {
    ...peer,
    certificate: fromPem(other.selfSignedCertificate)[0] as Uint8Array,
  };
  assert.throws(() => judgePeer(right, selfSigned, presenting('peer')), { code: 'WRONG_NETWORK' });
});

test('a node does not talk to itself', () => {
  const judge = judgeOf('trusted', { self: other.nodeId });
  refused(judge, presenting('peer'), 'CHANNEL_REFUSED');
});

test('every code of this room is in the catalogue', () => {
  assert.deepEqual(
    managerErrorCodes.filter((code) => !isErrorCode(code)),
    [],
  );
  assert.equal(new ManagerError('NETWORK_LIVE', 'x').code, 'NETWORK_LIVE');
});
