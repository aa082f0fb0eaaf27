import { fromPem, importSigningKey } from '@concordat/crypto';
import { listProposals, type NodeEntry, nodeJoins, nodeTrusted } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { fromHex, fromUtf8, type NodeId, toHex, utf8 } from '@concordat/std';
import { type Administration, networkKeyRecord, votersOf } from './administration.ts';
import type { AdministrativeQueue } from './administrative-queue.ts';
import type { AdmittedPeer } from './admission.ts';
import { ManagerError } from './errors.ts';
import type { LedgerDriver } from './ledger-driver.ts';
import { endorseNode } from './node-identity.ts';
import type { PeerIdentity } from './peer-session.ts';
import type { SessionKeys } from './session-keys.ts';

/** What a newcomer asks with. */
export interface JoinRequest {
  readonly name: string;
  readonly address: string;
  readonly adminAddress: string;
  readonly applicationAddresses: readonly string[];
  /** 65 bytes in hex: where session keys are wrapped to. */
  readonly encryptionKey: string;
  /** Identity of this VN's earlier launch, whose place it takes. */
  readonly replaces?: string;
}

/** What an admitted newcomer gets. */
export interface JoinReply {
  readonly networkId: string;
  readonly networkCertificate: string;
  readonly nodeCertificate: string;
  /** The constitution in force, as canonical JSON describes it. */
  readonly constitution: unknown;
  /** Wrapped session key in hex by epoch. */
  readonly sessionKeys: Readonly<Record<string, string>>;
  readonly voters: readonly string[];
}

/** A learner this many blocks behind the leader is close enough to vote. */
const promotionLag = 64;

/** Admits newcomers on the leader: into the node list's care, then among the voters (M11). */
export class JoinDesk {
  readonly #administration: Administration;
  readonly #queue: AdministrativeQueue;
  readonly #driver: LedgerDriver;
  readonly #sessionKeys: SessionKeys;
  readonly #network: { readonly id: string; readonly certificate: string };
  readonly #entropy: (bytes: number) => Uint8Array;
  readonly #log: (event: string, fields: Record<string, unknown>) => void;
  #promoting = false;

  constructor(parts: {
    readonly administration: Administration;
    readonly queue: AdministrativeQueue;
    readonly driver: LedgerDriver;
    readonly sessionKeys: SessionKeys;
    readonly network: { readonly id: string; readonly certificate: string };
    readonly entropy: (bytes: number) => Uint8Array;
    readonly log: (event: string, fields: Record<string, unknown>) => void;
  }) {
    this.#administration = parts.administration;
    this.#queue = parts.queue;
    this.#driver = parts.driver;
    this.#sessionKeys = parts.sessionKeys;
    this.#network = parts.network;
    this.#entropy = parts.entropy;
    this.#log = parts.log;
  }

  /**
   * Admits an attested newcomer that the node list names.
   * @throws ManagerError NODE_TOO_EARLY, NODE_NOT_ADMITTED, NOT_LEADER; GovernanceError
   */
  async join(peer: PeerIdentity, admitted: AdmittedPeer, body: Buffer): Promise<Uint8Array> {
    const request = JSON.parse(fromUtf8(body)) as JoinRequest;
    const known = this.#administration.node(peer.nodeId);
    if (!known && !request.replaces) throw this.#notListed(peer);
    if (known?.status === 'retired') throw this.#notListed(peer);
    if (!known || known.status === 'admitted') {
      this.#log('join.admitting', { joiner: peer.nodeId, replaces: request.replaces });
      await this.#queue.administer((set) => this.#take(set, peer, admitted, request));
    }
    return utf8(JSON.stringify(this.#replyFor(peer.nodeId)));
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
    { verdict }: AdmittedPeer,
    request: JoinRequest,
  ): void {
    const encryptionKey = fromHex(request.encryptionKey) as Uint8Array;
    const certificate = this.#endorse(set, peer.publicKey, [
      request.address,
      request.adminAddress,
      ...request.applicationAddresses,
    ]);
    nodeJoins(set, {
      nodeId: peer.nodeId,
      certificate,
      verdict,
      encryptionKey: request.encryptionKey,
      ...(request.replaces && { replaces: request.replaces as NodeId }),
    });
    const recipient = { name: peer.nodeId, publicKey: encryptionKey };
    this.#sessionKeys.shareWith(set, recipient, this.#entropy);
  }

  #endorse(set: TransactionSet, nodePublicKey: Uint8Array, addresses: readonly string[]): string {
    const stored = set.table(networkKeyRecord.table).get(networkKeyRecord.key);
    if (!stored) throw new ManagerError('SESSION_KEY_MISSING', 'the network key is not at hand');
    return endorseNode({
      networkKey: importSigningKey(fromUtf8(stored)),
      networkCertificate: fromPem(this.#network.certificate)[0] as Uint8Array,
      nodePublicKey,
      hosts: hostsOf(addresses),
      serial: this.#entropy(16),
      nowMs: Date.now(),
    });
  }

  #replyFor(nodeId: NodeId): JoinReply {
    const { constitution } = this.#administration;
    const entry = this.#administration.node(nodeId) as NodeEntry;
    return {
      networkId: this.#network.id,
      networkCertificate: this.#network.certificate,
      nodeCertificate: entry.certificate ?? '',
      constitution,
      sessionKeys: this.#sessionKeys.wrapsFor(this.#administration.head, nodeId),
      voters: votersOf(constitution),
    };
  }

  /** Makes voters of learners that have caught up; called at intervals on the leader. */
  promote(): void {
    if (this.#promoting || !this.#driver.leads) return;
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
        (error: unknown) =>
          this.#log('join.not-trusted', { joiner: ready.nodeId, why: String(error) }),
      )
      .finally(() => {
        this.#promoting = false;
      });
  }
}

/** Host names and addresses a node's certificate is valid for; loopback always. */
export function hostsOf(addresses: readonly string[]): string[] {
  const hosts = addresses.map((address) => address.slice(0, address.lastIndexOf(':')));
  return [...new Set([...hosts, 'localhost', '127.0.0.1'])].filter((host) => host !== '');
}
