import { type Constitution, currentEpoch } from '@concordat/governance';
import { AssertionError, fromHex, type NodeId } from '@concordat/std';
import {
  type AdmittedPeer,
  type Judge,
  judgePeer,
  reportDataFor,
  requireManifests,
} from './admission.ts';
import type { ArchiveDesk } from './archive-desk.ts';
import { ConstitutionApproval } from './constitution-approval.ts';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';
import type { Challenge, PeerIdentity, PeerPolicy, PeerRole, PresentPeer } from './peer-policy.ts';

/** What a peer may ask, and who answers. */
export interface PeerRequests {
  /** Where the leader is: JSON `{address?}`. */
  leader(): Uint8Array;
  join(peer: PeerIdentity, admitted: AdmittedPeer, body: Buffer): Promise<Uint8Array>;
  forward(origin: NodeId, body: Buffer): Promise<Uint8Array>;
  administer(body: Buffer): Promise<Uint8Array>;
  /** A signed proposal with the program it names. */
  deploy(body: Buffer): Promise<Uint8Array>;
  /** The sender, who leads, is about to put a program in force. */
  prepare(body: Buffer): Promise<Uint8Array>;
  /** The height of a linearizable read: u64. */
  readIndex(): Promise<Uint8Array>;
  /** Where the log of this node ends. */
  logPosition(): Uint8Array;
  /** Blocks of a ledger that is resumed, for a peer that resumes; undefined when this node does not. */
  publicBlocks(peer: NodeId, body: Buffer): Promise<Uint8Array> | undefined;
  /** Decryption shares for the peer. */
  shares(peer: NodeId, body: Buffer): Promise<Uint8Array>;
  /** The session key of an epoch that the peer began. */
  sessionKey(body: Buffer): Uint8Array;
  /** The session key of an epoch that the peer is granted and cannot gather. */
  grantedKey(peer: NodeId, body: Buffer): Promise<Uint8Array>;
  /** The network's private key. */
  networkKey(): Uint8Array;
  /** An actor's contribution to a key ceremony, for the leader. */
  keyCeremony(body: Buffer): Promise<Uint8Array>;
  /** The secret of a holder key, for another node of the same actor. */
  holderSecret(peer: NodeId, body: Buffer): Uint8Array;
  /** Blocks and pages of the past. */
  readonly archive: Pick<ArchiveDesk, 'blocks' | 'page'>;
}

/** Refusals of one peer's messages by one code are told at most this often. */
const refusalLogIntervalMs = 1_000;

/**
 * Where other nodes meet this one: it answers challenges, judges peers, and directs what they send
 * to the part concerned.
 */
export class PeerDesk implements Omit<PeerPolicy, 'onClosed' | 'onEstablished'> {
  readonly #context: NodeContext;
  readonly #requests: PeerRequests;
  readonly #admitted = new WeakMap<PeerIdentity, AdmittedPeer>();
  readonly #told = new Map<string, number>();
  /** The constitution a join reply brought: in force until the ledger has one of its own. */
  #given: Constitution | undefined;
  #newcomer = false;
  /** Of a newcomer: which constitution its operator approves. */
  readonly approval: ConstitutionApproval;

  constructor(context: NodeContext, requests: PeerRequests) {
    this.#context = context;
    this.approval = new ConstitutionApproval(context.start, context.identity.nodeId);
    this.#requests = requests;
  }

  /**
   * The constitution peers are judged by: the ledger's, or the one a join reply brought while the
   * ledger that is being caught up with does not list this node yet.
   */
  get constitution(): Constitution | undefined {
    const { administration, identity } = this.#context;
    const own = administration.exists ? administration.constitution : undefined;
    if (this.#given && !own?.nodes.some(({ nodeId }) => nodeId === identity.nodeId)) {
      return this.#given;
    }
    return own;
  }

  /** Takes up what a join reply or the genesis block says. */
  given(constitution: Constitution): void {
    this.#given = constitution;
    this.#newcomer = false;
  }

  /** Presents itself as a newcomer from now on. */
  beNewcomer(): void {
    this.#newcomer = true;
    this.#given = undefined;
  }

  /** DER SPKI of a node's key: from the ledger, else from what the join reply brought. */
  nodeKey(nodeId: NodeId): Uint8Array | undefined {
    const known = this.#context.administration.nodeKey(nodeId);
    if (known) return known;
    const entry = this.#given?.nodes.find((node) => node.nodeId === nodeId);
    return entry && fromHex(entry.publicKey);
  }

  challenge(): Challenge {
    const { administration, log, network, phase } = this.#context;
    const role: PeerRole = this.#newcomer ? 'joiner' : phase === 'resuming' ? 'resumer' : 'peer';
    const epoch = administration.exists ? currentEpoch(administration.head) : 0;
    return { role, networkId: network.id, ledgerRoot: log.root, epoch };
  }

  async prove(challenge: Challenge): Promise<Uint8Array> {
    const { control, identity } = this.#context;
    return control.attest(reportDataFor(identity.signing.publicKeySpki, challenge));
  }

  admit(peer: PeerIdentity, evidence: Uint8Array, asked: Challenge, theirs: Challenge): void {
    this.#admitted.set(peer, judgePeer(this.#judge, peer, { evidence, asked, theirs }));
    if (theirs.role === 'resumer') this.#context.reopening.need();
  }

  /** What this node knows when it judges another one. */
  get #judge(): Judge {
    const { identity, network, administration, leader, acceptsResumers } = this.#context;
    const { constitution } = this;
    return {
      self: identity.nodeId,
      networkId: network.id,
      ...(constitution && { constitution }),
      ...(administration.isCommitted && { committed: administration.committedConstitution }),
      networkCertificate: network.certificate,
      acceptsResumers,
      hearsLeader: leader !== undefined,
      nowMs: Date.now(),
    };
  }

  /** Whether a peer's code and TEE are listed: for a newcomer, once it has the constitution. */
  checkAdmitted(peer: PeerIdentity, constitution: Constitution): void {
    const admitted = this.#admitted.get(peer);
    if (admitted) requireManifests(admitted.verdict, constitution, 'manager');
  }

  onConsensus({ peer, role }: PresentPeer, message: Buffer): void {
    // A newcomer is not in the node list: it may ask to join, and nothing else.
    if (role === 'joiner') {
      throw new ManagerError('NODE_NOT_ADMITTED', 'a newcomer takes no part in consensus');
    }
    if (this.#context.takesPart) this.#context.driver.received(peer.nodeId, message);
  }

  onTurn(): void {
    if (this.#context.takesPart) this.#context.driver.flush();
  }

  async onRequest(session: PresentPeer, kind: string, body: Buffer): Promise<Uint8Array> {
    const { peer } = session;
    if (kind === 'leader') return this.#requests.leader();
    if (kind === 'join') {
      const admitted = this.#admitted.get(peer);
      if (!admitted) throw new ManagerError('CHANNEL_REFUSED', 'not attested');
      return this.#requests.join(peer, admitted, body);
    }
    if (kind === 'log-position' && session.role !== 'joiner') return this.#requests.logPosition();
    if (kind === 'public-blocks' && session.role !== 'joiner') {
      return this.#publicBlocks(peer.nodeId, body);
    }
    if (kind === 'decryption-share') return this.#shares(session, body);
    if (kind === 'granted-key' && session.role === 'peer') {
      return this.#requests.grantedKey(peer.nodeId, body);
    }
    this.#requireTrusted(session);
    if (kind === 'session-key') return this.#requests.sessionKey(body);
    if (kind === 'network-key') return this.#requests.networkKey();
    if (kind === 'key-ceremony') return this.#requests.keyCeremony(body);
    if (kind === 'holder-secret') return this.#requests.holderSecret(peer.nodeId, body);
    if (kind === 'forward') return this.#requests.forward(peer.nodeId, body);
    if (kind === 'administer') return this.#requests.administer(body);
    if (kind === 'deploy') return this.#requests.deploy(body);
    if (kind === 'prepare') return this.#requests.prepare(body);
    if (kind === 'blocks') return this.#requests.archive.blocks(peer.nodeId, body);
    if (kind === 'page') return this.#requests.archive.page(peer.nodeId, body);
    if (kind === 'read-index') return this.#requests.readIndex();
    throw new ManagerError('CHANNEL_FAILED', 'unknown request');
  }

  #publicBlocks(peer: NodeId, body: Buffer): Promise<Uint8Array> {
    const answer = this.#requests.publicBlocks(peer, body);
    if (answer) return answer;
    throw new ManagerError('BLOCK_NOT_HELD', 'this node does not resume');
  }

  /** Learning nodes ask as well: whom shares are for, the committed ledger says. */
  #shares({ peer, role }: PresentPeer, body: Buffer): Promise<Uint8Array> {
    if (role !== 'joiner') return this.#requests.shares(peer.nodeId, body);
    throw new ManagerError('NODE_NOT_ADMITTED', 'a newcomer is given no shares');
  }

  /** A node that was removed is cut off at once, though consensus may still have to tell it. */
  #requireTrusted({ role, peer }: PresentPeer): void {
    const { administration } = this.#context;
    const status = administration.isCommitted
      ? administration.committedConstitution.nodes.find((n) => n.nodeId === peer.nodeId)?.status
      : undefined;
    if (role !== 'joiner' && status === 'trusted') return;
    throw new ManagerError('NODE_NOT_ADMITTED', 'only a trusted node of the list may ask this');
  }

  onFault({ peer }: PresentPeer, error: unknown): void {
    const why = error instanceof Error ? error.name : typeof error;
    this.#context.control.log('peer.request-failed', { peer: peer.nodeId, why });
    // A broken invariant is ours, whoever provoked it: the process ends on it.
    if (error instanceof AssertionError) throw error;
  }

  /** Tells the log what a peer must not have sent, without letting it fill the log. */
  refusedMessage(peer: NodeId, code: string, why: string): void {
    this.#context.refusals.add('consensus', code);
    const key = `${peer} ${code}`;
    const nowMs = Date.now();
    if (nowMs - (this.#told.get(key) ?? 0) < refusalLogIntervalMs) return;
    if (this.#told.size >= 1024) this.#told.clear();
    this.#told.set(key, nowMs);
    this.#context.control.log('consensus.refused', { peer, code, why });
  }
}
