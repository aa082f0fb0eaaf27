import type { Verdict } from '@concordat/attestation';
import type { BatchTransaction } from '@concordat/bridge';
import type { Constitution } from '@concordat/governance';
import type { TransactionRecord } from '@concordat/ledger';
import { equalBytes, fromHex, type NodeId, toDigest, utf8 } from '@concordat/std';
import {
  type AdmittedPeer,
  judgePeer,
  localReportData,
  reportDataFor,
  requireManifests,
  verifiedEvidence,
} from './admission.ts';
import { ManagerError } from './errors.ts';
import type { Manager } from './manager.ts';
import { nodeTupleFor } from './network-genesis.ts';
import type { Challenge, PeerIdentity, PeerPolicy, PeerRole, PeerSession } from './peer-session.ts';
import { currentEpoch } from './session-keys.ts';
import type { WorkerEvents, WorkerLink } from './worker-link.ts';

/**
 * Where others meet this node: it answers challenges, judges peers and workers, and directs what
 * they send to the part concerned.
 */
export class PeerDesk implements Omit<PeerPolicy, 'onClosed'> {
  readonly #manager: Manager;
  readonly #admitted = new WeakMap<PeerIdentity, AdmittedPeer>();
  readonly #workers: Verdict[] = [];
  /** The constitution a join reply brought: in force until the ledger has one of its own. */
  #given: Constitution | undefined;
  #newcomer = false;

  constructor(manager: Manager) {
    this.#manager = manager;
  }

  /** Attested code of this VN's workers. */
  get workerVerdicts(): readonly Verdict[] {
    return this.#workers;
  }

  /** What this node's owner signs and a member proposes. */
  get ownTuple() {
    return nodeTupleFor(this.#manager.start, this.#manager.identity);
  }

  /**
   * The constitution peers are judged by: the ledger's, or the one a join reply brought while the
   * ledger that is being caught up with does not list this node yet.
   */
  get constitution(): Constitution | undefined {
    const { administration, identity } = this.#manager;
    const own = administration.exists ? administration.constitution : undefined;
    if (this.#given && !own?.nodes.some(({ nodeId }) => nodeId === identity.nodeId)) {
      return this.#given;
    }
    return own;
  }

  /** Takes up what a join reply brought. */
  given(constitution: Constitution): void {
    this.#given = constitution;
    this.#newcomer = false;
  }

  /** Presents itself as a newcomer from now on. */
  beNewcomer(): void {
    this.#newcomer = true;
  }

  /** DER SPKI of a node's key: from the ledger, else from what the join reply brought. */
  nodeKey(nodeId: NodeId): Uint8Array | undefined {
    const known = this.#manager.administration.nodeKey(nodeId);
    if (known) return known;
    const entry = this.#given?.nodes.find((node) => node.nodeId === nodeId);
    return entry && fromHex(entry.publicKey);
  }

  challenge(): Challenge {
    const { administration, log, network, phase } = this.#manager;
    const role: PeerRole = this.#newcomer ? 'joiner' : phase === 'resuming' ? 'resumer' : 'peer';
    const epoch = administration.exists ? currentEpoch(administration.head) : 0;
    return { role, networkId: network.id, ledgerRoot: log.root, epoch };
  }

  async prove(challenge: Challenge): Promise<Uint8Array> {
    const { control, identity } = this.#manager;
    return control.attest(reportDataFor(identity.signing.publicKeySpki, challenge));
  }

  admit(peer: PeerIdentity, evidence: Uint8Array, asked: Challenge, role: PeerRole): void {
    this.#admitted.set(peer, judgePeer(this.#manager.judge, peer, { evidence, asked, role }));
  }

  /** Whether a peer's code and TEE are listed: for a newcomer, once it has the constitution. */
  checkAdmitted(peer: PeerIdentity, constitution: Constitution): void {
    const admitted = this.#admitted.get(peer);
    if (admitted) requireManifests(admitted.verdict, constitution, 'manager');
  }

  onConsensus(peer: NodeId, message: Buffer): void {
    if (this.#manager.takesPart) this.#manager.driver.received(peer, message);
  }

  async onRequest(session: PeerSession, kind: string, body: Buffer): Promise<Uint8Array> {
    const manager = this.#manager;
    if (kind === 'leader') return utf8(JSON.stringify({ address: this.#leaderAddress() }));
    if (kind === 'join') {
      const admitted = this.#admitted.get(session.peer);
      if (!admitted) throw new ManagerError('CHANNEL_REFUSED', 'not attested');
      return manager.joinDesk.join(session.peer, admitted, body);
    }
    if (session.role === 'joiner') {
      throw new ManagerError('NODE_NOT_ADMITTED', 'a newcomer can only ask to join');
    }
    if (kind === 'forward') return manager.forwarding.execute(session.peer.nodeId, body);
    if (kind === 'administer') return manager.governance.executeForPeer(body);
    throw new ManagerError('CHANNEL_FAILED', 'unknown request');
  }

  #leaderAddress(): string | undefined {
    const { leader, administration } = this.#manager;
    return leader && administration.node(leader)?.address;
  }

  /** A connection to a peer came up or went down. */
  channelChanged(peer: NodeId, up: boolean, reason?: Error): void {
    const code = reason && 'code' in reason ? reason.code : undefined;
    this.#manager.control.log(up ? 'channel.up' : 'channel.down', {
      peer,
      ...(reason && { code, why: reason.message }),
    });
    if (code === 'NETWORK_LIVE') this.#manager.networkIsLive();
    if (code === 'NODE_NOT_ADMITTED') this.#manager.notListed();
  }

  /** Checks a worker's evidence: genuine, bound to its TLS key, and of this very platform. */
  verifyWorker(evidence: Uint8Array, publicKey: Uint8Array): void {
    const verdict = verifiedEvidence(evidence, Date.now());
    const bound = equalBytes(verdict.reportData, localReportData('worker', publicKey));
    if (!bound || verdict.platformKey !== this.#manager.verdict.platformKey) {
      throw new ManagerError('WORKER_REFUSED', 'the evidence is not that of a worker of this node');
    }
    this.#workers.push(verdict);
  }

  /** What to do with a worker's messages. */
  workerEvents(link: () => WorkerLink): WorkerEvents {
    const manager = this.#manager;
    return {
      onBatch: (batch, transactions) => {
        // Executed on a state that has been taken back meanwhile: the worker drops it as well.
        if (link().ready) this.#sealBatch(link(), batch, transactions);
        else link().send({ kind: 'refused', batch, code: 'TRANSACTION_LOST' });
      },
      onGenesisBatch: (batch, transactions) => this.#sealBatch(link(), batch, transactions),
      onForward: (id, identity, request) =>
        manager.forwarding.forward(link().index, id, identity, request),
      onForwardedReply: ({ id, ...reply }) => manager.forwarding.replied(id, reply),
      onLog: (line) =>
        manager.control.log('worker.log', { worker: link().index, line: textOf(line) }),
      onClose: (error) => {
        manager.control.log('worker.gone', { worker: link().index, why: String(error) });
        manager.fail(new ManagerError('WORKER_REFUSED', 'the worker enclave is gone'));
      },
    };
  }

  #sealBatch(link: WorkerLink, batch: number, transactions: readonly BatchTransaction[]): void {
    const { driver, feed } = this.#manager;
    const placed = driver.place(link.index, transactions.map(recordOf));
    if (!placed.ok) {
      link.refuse(batch, placed.code);
      return;
    }
    feed.sealedHere(placed.height, link.index);
    const { view, height, firstSeqno } = placed;
    link.send({ kind: 'sealed', batch, view, height, firstSeqno });
  }
}

const recordOf = ({
  publicWrites,
  privateWrites,
  claimsDigest,
}: BatchTransaction): TransactionRecord =>
  claimsDigest
    ? { publicWrites, privateWrites, claimsDigest: toDigest(claimsDigest) }
    : { publicWrites, privateWrites };

const textOf = (line: Uint8Array): string => Buffer.from(line).toString('utf8').slice(0, 4096);
