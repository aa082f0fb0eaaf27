import type { EvidenceRecord, Verdict } from '@concordat/attestation';
import type { ManagerStart } from '@concordat/bridge';
import { certificateFingerprint, fromPem, toPem } from '@concordat/crypto';
import {
  type Constitution,
  certificatesOf,
  constitutionDigest,
  type FoundingHolder,
  type FoundingShare,
  foundSharedKey,
  networkIdOf,
  parseConstitution,
  writeGenesis,
} from '@concordat/governance';
import { createHolderKey, type HolderKey } from '@concordat/keys';
import type { TransactionSet } from '@concordat/kv';
import { type ActorId, type NodeId, toHex, toSeqno } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { recordEvidence } from './evidence-table.ts';
import { holderRegistration } from './holder-registration.ts';
import { hostsOf } from './join-desk.ts';
import type { EpochBeginner } from './key-sources.ts';
import type { NetworkKey } from './network-key.ts';
import { createNetworkIdentity, endorseNode, type NodeIdentity } from './node-identity.ts';

/** Where the keys drawn for a network are kept from its first block on. */
export interface FoundingKeys {
  readonly sessionKeys: EpochBeginner;
  /** Knows the network's certificate. */
  readonly networkKey: Pick<NetworkKey, 'own' | 'write'>;
}

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
  /** The founder's holder key: to be kept before the first block can be. */
  readonly holderKey: HolderKey;
  /**
   * Writes the first block's transaction; call once, in the open write set.
   * @returns the founder's share of the first shared key
   */
  write(set: TransactionSet, keys: FoundingKeys, evidence: EvidenceRecord): FoundingShare;
}

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
  /** Default a network that goes on from none. */
  readonly reason?: 'genesis' | 'recovery';
}): Genesis {
  const { start, identity, verdict, entropy, nowMs, reason = 'genesis' } = options;
  const given = parseConstitution(start.genesis);
  if (given.applications) {
    throw new ManagerError(
      'INVALID_START',
      'applications of a genesis constitution: nobody voted yet; found the network with genesis data',
    );
  }
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
  const founder = foundingHolder({ networkId, actorId: first.actorId, identity, entropy });
  return {
    constitution,
    networkId,
    networkCertificate,
    nodeCertificate,
    digest: constitutionDigest(constitution),
    challenge: { networkId, ledgerRoot: new Uint8Array(32), epoch: 0 },
    holderKey: founder.holderKey,
    write: (set, { sessionKeys, networkKey }, evidence) => {
      writeGenesis(set, constitution, {
        networkId,
        networkCertificatePem: networkCertificate,
        timeMs: nowMs,
      });
      recordEvidence(set, identity.nodeId, evidence);
      const share = foundSharedKey(set, founder, { seqno: toSeqno(1), entropy });
      networkKey.own(key);
      networkKey.write(set, entropy);
      sessionKeys.begin(set, { reason, nowMs, entropy });
      return share;
    },
  };
}

/** The founder's holder key, and its registration by this node. */
function foundingHolder(options: {
  readonly networkId: string;
  readonly actorId: ActorId;
  readonly identity: NodeIdentity;
  readonly entropy: (bytes: number) => Uint8Array;
}): FoundingHolder {
  const holderKey = createHolderKey(options.entropy(64));
  return { holderKey, registration: holderRegistration({ ...options, holderKey, number: 1 }) };
}

/** The member that starts the network, named by its certificate. */
function ownerOf(start: ManagerStart, constitution: Constitution): ActorId {
  const [certificate] = fromPem(start.node.actorCertificatePem ?? '');
  const fingerprint = certificate && certificateFingerprint(certificate);
  const owner = constitution.actors.find((actor) =>
    certificatesOf(actor).some((listed) => listed.fingerprint === fingerprint),
  );
  if (owner) return owner.actorId;
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
