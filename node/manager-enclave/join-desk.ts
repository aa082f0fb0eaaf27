import { fromPem, type SigningKey } from '@concordat/crypto';
import {
  constitutionTerms,
  currentEpoch,
  getNode,
  listProposals,
  nodeJoins,
  nodeTrusted,
  readConstitution,
  recordKeyGrant,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { toHex } from '@concordat/std';
import type { Administration } from './administration.ts';
import type { AdministrativeQueue } from './administrative-queue.ts';
import type { AdmittedPeer } from './admission.ts';
import { configurationUnder } from './configuration-record.ts';
import { ManagerError } from './errors.ts';
import { recordEvidence } from './evidence-table.ts';
import {
  decodeJoinRequest,
  encodeJoinMessage,
  type JoinOffer,
  type JoinReply,
  type JoinRequest,
} from './join-messages.ts';
import type { LedgerDriver } from './ledger-driver.ts';
import { endorseNode } from './node-identity.ts';
import type { PeerIdentity } from './peer-policy.ts';

/** A learner this many blocks behind the leader is close enough to vote. */
const promotionLag = 64;

/** Admits newcomers on the leader: into the node list's care, then among the voters (M11). */
export class JoinDesk {
  readonly #administration: Administration;
  readonly #queue: AdministrativeQueue;
  readonly #driver: Pick<LedgerDriver, 'leads' | 'status'>;
  readonly #network: { readonly id: string; readonly certificate: string };
  readonly #networkKey: { signing(): SigningKey };
  readonly #entropy: (bytes: number) => Uint8Array;
  readonly #log: (event: string, fields: Record<string, unknown>) => void;
  #promoting = false;
  /** Why the last promotion was refused: told once, not at every attempt. */
  #notTrusted = '';

  constructor(parts: {
    readonly administration: Administration;
    readonly queue: AdministrativeQueue;
    readonly driver: Pick<LedgerDriver, 'leads' | 'status'>;
    readonly network: { readonly id: string; readonly certificate: string };
    /** The network's private key. */
    readonly networkKey: { signing(): SigningKey };
    readonly entropy: (bytes: number) => Uint8Array;
    readonly log: (event: string, fields: Record<string, unknown>) => void;
  }) {
    this.#administration = parts.administration;
    this.#queue = parts.queue;
    this.#driver = parts.driver;
    this.#network = parts.network;
    this.#networkKey = parts.networkKey;
    this.#entropy = parts.entropy;
    this.#log = parts.log;
  }

  /**
   * Admits an attested newcomer that the node list names, under the constitution it approves; shows it
   * the constitution while it names none, and records nothing.
   * @throws ManagerError NODE_TOO_EARLY, NODE_NOT_ADMITTED, CONSTITUTION_CHANGED, NOT_LEADER,
   *   NETWORK_KEY_MISSING, CHANNEL_FAILED; GovernanceError
   */
  async join(peer: PeerIdentity, admitted: AdmittedPeer, body: Buffer): Promise<Uint8Array> {
    const request = decodeJoinRequest(body);
    const known = this.#administration.node(peer.nodeId);
    if (!known && !request.replaces) throw this.#notListed(peer);
    if (known?.status === 'retired') throw this.#notListed(peer);
    if (!request.replaces && !request.approved) return encodeJoinMessage(this.#offer(peer));
    if (!known || known.status === 'admitted') {
      this.#log('join.admitting', { joiner: peer.nodeId, replaces: request.replaces });
      await this.#queue.administer((set) => this.#take(set, peer, admitted, request));
    }
    return encodeJoinMessage(this.#replyFor(peer));
  }

  /** The committed constitution, to whom it concerns: it is not for everybody (paper, same section). */
  #offer(peer: PeerIdentity): JoinOffer {
    if (!this.#driver.leads) throw new ManagerError('NOT_LEADER', 'another node leads');
    const constitution = this.#administration.committedConstitution;
    // The vote may not be committed yet.
    if (!constitution.nodes.some(({ nodeId }) => nodeId === peer.nodeId)) {
      throw this.#notListed(peer);
    }
    const { id: networkId, certificate: networkCertificate } = this.#network;
    return { networkId, networkCertificate, constitution };
  }

  #notListed(peer: PeerIdentity): ManagerError {
    const key = toHex(peer.publicKey);
    const proposed = listProposals(this.#administration.head).some(
      ({ state, actions }) =>
        state === 'open' &&
        actions.some(({ name, args }) => name === 'add_node' && JSON.stringify(args).includes(key)),
    );
    if (proposed) {
      return new ManagerError(
        'NODE_TOO_EARLY',
        'the vote on this node is still open: it is tried again until the vote has passed',
      );
    }
    return new ManagerError(
      'NODE_NOT_ADMITTED',
      'the node list has no such node: a member must propose add_node with its tuple',
    );
  }

  #take(
    set: TransactionSet,
    peer: PeerIdentity,
    { verdict, evidence }: AdmittedPeer,
    request: JoinRequest,
  ): void {
    // Whom a certificate names is what the vote said, not what the newcomer's host says now.
    const place = getNode(set, peer.nodeId) ?? (request.replaces && getNode(set, request.replaces));
    if (!place) throw this.#notListed(peer);
    requireUnchanged(set, peer, request);
    const { address, adminAddress, applicationAddresses } = place;
    const hosts = hostsOf([address, adminAddress, ...applicationAddresses]);
    const certificate = this.#endorse(peer.publicKey, hosts);
    nodeJoins(set, {
      nodeId: peer.nodeId,
      certificate,
      verdict,
      encryptionKey: request.encryptionKey,
      ...(request.replaces && { replaces: request.replaces }),
    });
    recordEvidence(set, peer.nodeId, evidence);
    const to = [peer.nodeId];
    recordKeyGrant(set, { epochs: [1, currentEpoch(set)], reason: 'joined', to });
  }

  #endorse(nodePublicKey: Uint8Array, hosts: readonly string[]): string {
    return endorseNode({
      networkKey: this.#networkKey.signing(),
      networkCertificate: fromPem(this.#network.certificate)[0] as Uint8Array,
      nodePublicKey,
      hosts,
      serial: this.#entropy(16),
      nowMs: Date.now(),
    });
  }

  #replyFor(peer: PeerIdentity): JoinReply {
    const { constitution } = this.#administration;
    const entry = this.#administration.node(peer.nodeId);
    // Between its admission and now another vote may have removed it again.
    if (!entry?.certificate || entry.status === 'retired') throw this.#notListed(peer);
    return {
      networkId: this.#network.id,
      networkCertificate: this.#network.certificate,
      nodeCertificate: entry.certificate,
      constitution,
      configuration: configurationUnder(constitution),
    };
  }

  /** Makes voters of learners that have caught up; called at intervals on the leader. */
  promote(): void {
    if (this.#promoting || !this.#driver.leads || !this.#administration.exists) return;
    const { progress, lastHeight, configurations } = this.#driver.status;
    if (configurations.length > 1) return;
    const ready = this.#administration.constitution.nodes.find((node) => {
      const match = progress.get(node.nodeId)?.match;
      return (
        node.status === 'learning' && match !== undefined && match + promotionLag >= lastHeight
      );
    });
    if (!ready) return;
    this.#promoting = true;
    this.#queue
      .administer((set) => {
        nodeTrusted(set, ready.nodeId);
      })
      .then(
        () => this.#log('join.trusted', { joiner: ready.nodeId, replaces: ready.replaces }),
        (error: unknown) => {
          const refusal = { joiner: ready.nodeId, why: String(error) };
          if (this.#notTrusted === JSON.stringify(refusal)) return;
          this.#notTrusted = JSON.stringify(refusal);
          this.#log('join.not-trusted', refusal);
        },
      )
      .finally(() => {
        this.#promoting = false;
      });
  }
}

/** What a newcomer's operator approved is what it joins under. @throws ManagerError */
function requireUnchanged(set: TransactionSet, peer: PeerIdentity, request: JoinRequest): void {
  const { approved } = request;
  if (!approved) return;
  const newcomer = { nodeId: peer.nodeId, ...(approved.actorId && { actorId: approved.actorId }) };
  if (constitutionTerms(readConstitution(set), newcomer) === approved.terms) return;
  throw new ManagerError(
    'CONSTITUTION_CHANGED',
    'the constitution is not the one that was approved: it is shown again',
  );
}

/** Host names and addresses a node's certificate is valid for; loopback always. */
export function hostsOf(addresses: readonly string[]): string[] {
  const hosts = addresses.map((address) => address.slice(0, address.lastIndexOf(':')));
  return [...new Set([...hosts, 'localhost', '127.0.0.1'])].filter((host) => host !== '');
}
