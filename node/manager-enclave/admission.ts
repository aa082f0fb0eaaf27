import {
  type AttestationRefusal,
  checkAgainst,
  reportData,
  type Verdict,
  verifyEvidence,
  virtualVerifier,
} from '@concordat/attestation';
import { fromPem, verifyCertificateChain } from '@concordat/crypto';
import type { Constitution } from '@concordat/governance';
import { equalBytes, type NodeId, toDigest, toEpoch } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { Challenge, PeerIdentity, PeerRole } from './peer-session.ts';

/** The network id a node shows before it knows its network. */
export const unknownNetwork = '0'.repeat(64);

/** What a node knows when it judges another one. */
export interface Judge {
  readonly self: NodeId;
  /** This node's network; {@link unknownNetwork} while joining. */
  readonly networkId: string;
  /** The constitution at the head; absent while joining. */
  readonly constitution?: Constitution;
  /** PEM of the network's certificate. */
  readonly networkCertificate?: string;
  /** Whether this node is starting the whole network again with its peers. */
  readonly resuming: boolean;
  readonly nowMs: number;
}

/** A peer that may be here: its attested code and platform. */
export interface AdmittedPeer {
  readonly verdict: Verdict;
  readonly role: PeerRole;
}

/** The report data evidence must carry to answer a challenge with a node's key. */
export const reportDataFor = (publicKey: Uint8Array, challenge: Challenge) =>
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

/**
 * Judges the other end of a node channel: its evidence is genuine, fresh and bound to its TLS
 * key, its code and TEE are in the manifests, and its role fits the node list (DESIGN 8, 9).
 * @throws ManagerError EVIDENCE_INVALID, NODE_NOT_ADMITTED, NETWORK_LIVE, WRONG_NETWORK; the codes of
 *   the manifests: UNLISTED_MEASUREMENT, UNLISTED_TEE, DEBUG
 */
export function judgePeer(
  judge: Judge,
  peer: PeerIdentity,
  { evidence, asked, role }: { evidence: Uint8Array; asked: Challenge; role: PeerRole },
): AdmittedPeer {
  const verdict = verifiedEvidence(evidence, judge.nowMs);
  if (!equalBytes(verdict.reportData, reportDataFor(peer.publicKey, asked))) {
    throw new ManagerError(
      'EVIDENCE_INVALID',
      'the evidence is not bound to this channel: another key, network, ledger or epoch',
    );
  }
  if (!judge.constitution) {
    requireNetworkCertificate(judge, peer);
    return { verdict, role };
  }
  requireManifests(verdict, judge.constitution, 'manager');
  if (role === 'peer') requireListed(judge.constitution, peer, ['learning', 'trusted']);
  if (role === 'resumer') {
    if (!judge.resuming) {
      throw new ManagerError('NETWORK_LIVE', 'the network is running: rejoin as a new node');
    }
    requireListed(judge.constitution, peer, ['trusted']);
  }
  return { verdict, role };
}

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
  const { code } = checked;
  throw new ManagerError(code === 'DEBUG' ? 'DEBUG_ENCLAVE' : code, checked.message, {
    measurement: verdict.measurement,
    platform: verdict.platform,
  });
}

function requireListed(
  constitution: Constitution,
  peer: PeerIdentity,
  statuses: readonly string[],
): void {
  const entry = constitution.nodes.find((node) => node.nodeId === peer.nodeId);
  if (entry && statuses.includes(entry.status)) return;
  throw new ManagerError(
    'NODE_NOT_ADMITTED',
    entry ? `the node list has this node as ${entry.status}` : 'the node list has no such node',
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
