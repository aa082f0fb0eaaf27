import {
  type AttestationRefusal,
  checkAgainst,
  type EvidenceRecord,
  reportData,
  type Verdict,
  verifyEvidence,
  virtualVerifier,
} from '@concordat/attestation';
import { fromPem, verifyCertificateChain } from '@concordat/crypto';
import type { Constitution } from '@concordat/governance';
import { equalBytes, type NodeId, toDigest, toEpoch } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { Challenge, PeerIdentity, PeerRole } from './peer-policy.ts';

/** The network id a node shows before it knows its network. */
export const unknownNetwork = '0'.repeat(64);

/** What a node knows when it judges another one. */
export interface Judge {
  readonly self: NodeId;
  /** This node's network; {@link unknownNetwork} while joining. */
  readonly networkId: string;
  /** The constitution at the head; absent while joining. */
  readonly constitution?: Constitution;
  /** The committed constitution: whom the head removes may come until the removal commits. */
  readonly committed?: Constitution;
  /** PEM of the network's certificate. */
  readonly networkCertificate?: string;
  /** Whether stopped nodes may come back under their identities: no majority runs without them. */
  readonly acceptsResumers: boolean;
  /** Whether this node hears a leader. */
  readonly hearsLeader: boolean;
  readonly nowMs: number;
}

/** A peer that may be here: its attested code and platform. */
export interface AdmittedPeer {
  readonly verdict: Verdict;
  readonly role: PeerRole;
  /** What it showed and was asked: a node that joins has it recorded. */
  readonly evidence: EvidenceRecord;
}

/** The report data evidence must carry to answer a challenge with a node's key. */
export const reportDataFor = (publicKey: Uint8Array, challenge: Omit<Challenge, 'role'>) =>
  reportData({
    domain: 'node',
    networkId: challenge.networkId,
    publicKeySpki: publicKey,
    ledgerRoot: toDigest(challenge.ledgerRoot),
    epoch: toEpoch(challenge.epoch),
  });

/** Report data between the two enclaves of one node, which share no ledger yet. */
export const localReportData = (domain: 'node' | 'worker', publicKey: Uint8Array) =>
  reportData({
    domain,
    networkId: unknownNetwork,
    publicKeySpki: publicKey,
    ledgerRoot: toDigest(new Uint8Array(32)),
    epoch: toEpoch(0),
  });

/** What the other side of a session says and shows. */
export interface Presented {
  readonly evidence: Uint8Array;
  /** The challenge the evidence must answer. */
  readonly asked: Challenge;
  /** How the peer presents itself, and the network it says it belongs to. */
  readonly theirs: Pick<Challenge, 'role' | 'networkId'>;
}

/**
 * Judges the other end of a node channel: its evidence is genuine, fresh and bound to its TLS
 * key, its code and TEE are in the manifests, and its role fits the node list (DESIGN 8, 9).
 * @throws ManagerError EVIDENCE_INVALID, NODE_NOT_ADMITTED, NETWORK_LIVE, WRONG_NETWORK; the codes of
 *   the manifests: UNLISTED_MEASUREMENT, UNLISTED_TEE, DEBUG_ENCLAVE, WRONG_ROLE, WRONG_PLATFORM_KEY
 */
export function judgePeer(judge: Judge, peer: PeerIdentity, presented: Presented): AdmittedPeer {
  const { evidence, asked, theirs } = presented;
  const { role } = theirs;
  if (peer.nodeId === judge.self) {
    throw new ManagerError('CHANNEL_REFUSED', 'this node itself answers at the address');
  }
  const verdict = verifiedEvidence(evidence, judge.nowMs);
  if (!equalBytes(verdict.reportData, reportDataFor(peer.publicKey, asked))) {
    throw new ManagerError(
      'EVIDENCE_INVALID',
      'the evidence is not bound to this channel: another key, network, ledger or epoch',
    );
  }
  const admitted = { verdict, role, evidence: recordOf(presented, judge.nowMs) };
  const { constitution } = judge;
  if (!constitution) {
    requireNetworkCertificate(judge, peer);
    return admitted;
  }
  if (role !== 'joiner' && theirs.networkId !== judge.networkId) {
    throw new ManagerError('WRONG_NETWORK', 'the node belongs to another network');
  }
  requireManifests(verdict, constitution, 'manager');
  if (role === 'joiner') return admitted;
  if (role === 'resumer' && !judge.acceptsResumers) {
    if (judge.hearsLeader) {
      throw new ManagerError('NETWORK_LIVE', 'the network is running: rejoin as a new node');
    }
    throw new ManagerError('LEADER_UNKNOWN', 'an election runs: try again to resume or rejoin');
  }
  requireListed(judge, constitution, { peer, verdict, role });
  return admitted;
}

/** Copied: what was received is part of a buffer that is used again. */
const recordOf = ({ evidence, asked }: Presented, verifiedAtMs: number): EvidenceRecord => ({
  evidence: Uint8Array.from(evidence),
  networkId: asked.networkId,
  ledgerRoot: Uint8Array.from(asked.ledgerRoot),
  epoch: asked.epoch,
  verifiedAtMs,
});

/** @throws ManagerError EVIDENCE_INVALID */
export function verifiedEvidence(evidence: Uint8Array, atMs: number): Verdict {
  const verdict: Verdict | AttestationRefusal = verifyEvidence(evidence, {
    atMs,
    verifiers: [virtualVerifier],
  });
  if (!('platform' in verdict)) {
    throw new ManagerError('EVIDENCE_INVALID', `evidence refused: ${verdict.code}`);
  }
  return verdict;
}

/** @throws ManagerError with the manifest's code */
export function requireManifests(
  verdict: Verdict,
  { codeManifest, teeManifest }: Constitution,
  role: 'manager' | 'worker',
): void {
  const checked = checkAgainst(verdict, { codeManifest, teeManifest, role });
  if (checked.ok) return;
  throw new ManagerError(codes[checked.code], checked.message, {
    measurement: verdict.measurement,
    platform: verdict.platform,
  });
}

const codes = {
  DEBUG: 'DEBUG_ENCLAVE',
  UNLISTED_MEASUREMENT: 'UNLISTED_MEASUREMENT',
  UNLISTED_TEE: 'UNLISTED_TEE',
  WRONG_ROLE: 'WRONG_ROLE',
  WRONG_PLATFORM_KEY: 'WRONG_PLATFORM_KEY',
  WRONG_REPORT_DATA: 'EVIDENCE_INVALID',
} as const;

/** The node is in the list in a fitting status, and runs on the machine it was admitted with. */
function requireListed(
  judge: Judge,
  constitution: Constitution,
  { peer, verdict, role }: { peer: PeerIdentity } & Pick<AdmittedPeer, 'verdict' | 'role'>,
): void {
  const statuses = role === 'resumer' ? ['trusted'] : ['learning', 'trusted'];
  const entries = [constitution, judge.committed].map((list) =>
    list?.nodes.find((node) => node.nodeId === peer.nodeId),
  );
  const entry = entries.find((listed) => listed && statuses.includes(listed.status));
  if (!entry) {
    const status = entries[0]?.status;
    throw new ManagerError(
      'NODE_NOT_ADMITTED',
      status ? `the node list has this node as ${status}` : 'the node list has no such node',
      { nodeId: peer.nodeId },
    );
  }
  if (entry.platformKey === undefined || entry.platformKey === verdict.platformKey) return;
  throw new ManagerError(
    'WRONG_PLATFORM_KEY',
    'another machine vouches for the node than the one it was admitted with',
    { nodeId: peer.nodeId },
  );
}

/** A newcomer knows its network by the network certificate it was given, and nothing else yet. */
function requireNetworkCertificate(judge: Judge, peer: PeerIdentity): void {
  const [root] = fromPem(judge.networkCertificate ?? '');
  const verified =
    root &&
    verifyCertificateChain({
      leaf: peer.certificate,
      intermediates: [],
      roots: [root],
      atMs: judge.nowMs,
      usage: 'serverAuth',
    }).ok;
  if (verified) return;
  throw new ManagerError(
    'WRONG_NETWORK',
    'the node that answers does not belong to the network this node was told to join',
  );
}
