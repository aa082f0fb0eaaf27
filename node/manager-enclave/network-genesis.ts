import type { EvidenceRecord, Verdict } from '@concordat/attestation';
import type { ManagerStart } from '@concordat/bridge';
import { actorIdOf, fromPem, toPem } from '@concordat/crypto';
import {
  type Constitution,
  constitutionDigest,
  networkIdOf,
  parseConstitution,
  writeGenesis,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { fromHex, type NodeId, toHex, utf8 } from '@concordat/std';
import { networkKeyRecord } from './administration.ts';
import { ManagerError } from './errors.ts';
import { recordEvidence } from './evidence-table.ts';
import { hostsOf } from './join-desk.ts';
import { createNetworkIdentity, endorseNode, type NodeIdentity } from './node-identity.ts';
import type { KeyRecipient, SessionKeys } from './session-keys.ts';

/** A network about to begin: everything its first block will say. */
export interface Genesis {
  readonly constitution: Constitution;
  readonly networkId: string;
  readonly networkCertificate: string;
  readonly nodeCertificate: string;
  /** Digest the founders compare, hex. */
  readonly digest: string;
  /** What the first node's evidence is to answer: there is no ledger yet. */
  readonly challenge: Omit<EvidenceRecord, 'evidence' | 'verifiedAtMs'>;
  /** Writes the first block's transaction; call once, in the open write set. */
  write(set: TransactionSet, sessionKeys: SessionKeys, evidence: EvidenceRecord): void;
}

/** Who receives session keys under a constitution: nodes that run, and the key holders. */
export function keyRecipientsOf(constitution: Constitution): KeyRecipient[] {
  const nodes = constitution.nodes
    .filter(({ status }) => status === 'learning' || status === 'trusted')
    .map(({ nodeId, encryptionKey }) => ({
      name: nodeId as string,
      publicKey: point(encryptionKey),
    }));
  const holders = constitution.keyHolders.map(({ name, publicKey }) => ({
    name,
    publicKey: point(publicKey),
  }));
  return [...nodes, ...holders];
}

const point = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;

/**
 * Prepares a network from the genesis constitution a member uploaded (paper, "Bringing up the
 * Network"): draws the network's key, endorses this node and lists it as the first.
 * @throws ManagerError INVALID_START; GovernanceError when the constitution is refused
 */
export function prepareGenesis(options: {
  readonly start: ManagerStart;
  readonly identity: NodeIdentity;
  readonly verdict: Verdict;
  readonly entropy: (bytes: number) => Uint8Array;
  readonly nowMs: number;
}): Genesis {
  const { start, identity, verdict, entropy, nowMs } = options;
  const given = parseConstitution(start.genesis);
  const { key, certificate } = createNetworkIdentity(given.name, entropy, nowMs);
  const { node, admin, applications } = start.addresses;
  const nodeCertificate = endorseNode({
    networkKey: key,
    networkCertificate: certificate,
    nodePublicKey: identity.signing.publicKeySpki,
    hosts: hostsOf([node, admin, ...applications]),
    serial: entropy(16),
    nowMs,
  });
  const first = {
    nodeId: identity.nodeId,
    actorId: ownerOf(start, given),
    name: start.node.name,
    address: node,
    adminAddress: admin,
    applicationAddresses: [...applications],
    publicKey: toHex(identity.signing.publicKeySpki),
    encryptionKey: toHex(identity.encryption.publicKey),
    measurement: verdict.measurement,
    platform: verdict.platform,
    platformKey: verdict.platformKey,
    status: 'trusted' as const,
    certificate: nodeCertificate,
  };
  const constitution = parseConstitution({ ...given, nodes: [...given.nodes, first] });
  const networkCertificate = toPem(certificate);
  const networkId = networkIdOf(constitution, certificate);
  return {
    constitution,
    networkId,
    networkCertificate,
    nodeCertificate,
    digest: constitutionDigest(constitution),
    challenge: { networkId, ledgerRoot: new Uint8Array(32), epoch: 0 },
    write: (set, sessionKeys, evidence) => {
      writeGenesis(set, constitution, {
        networkId,
        networkCertificatePem: networkCertificate,
        timeMs: nowMs,
      });
      set.table(networkKeyRecord.table).set(networkKeyRecord.key, utf8(key.toPkcs8Pem()));
      recordEvidence(set, identity.nodeId, evidence);
      sessionKeys.begin(set, keyRecipientsOf(constitution), entropy);
    },
  };
}

/** The member that starts the network, named by its certificate. */
function ownerOf(start: ManagerStart, constitution: Constitution): string {
  const [certificate] = fromPem(start.node.actorCertificatePem ?? '');
  const actorId = certificate && actorIdOf(certificate);
  if (actorId && constitution.actors.some((actor) => actor.actorId === actorId)) return actorId;
  throw new ManagerError(
    'INVALID_START',
    'the first node belongs to no actor of the genesis constitution: give its actor certificate',
  );
}

/** What a newcomer's owner signs and a member proposes, as the host's operator reads it. */
export const nodeTupleFor = (start: ManagerStart, identity: NodeIdentity) => ({
  nodeId: identity.nodeId as NodeId,
  name: start.node.name,
  address: start.addresses.node,
  adminAddress: start.addresses.admin,
  applicationAddresses: start.addresses.applications,
  publicKey: toHex(identity.signing.publicKeySpki),
  encryptionKey: toHex(identity.encryption.publicKey),
});
