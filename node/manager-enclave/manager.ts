import { randomBytes } from 'node:crypto';
import type { Verdict } from '@concordat/attestation';
import {
  applicationListener,
  dialSocket,
  listenerSocket,
  type ManagerStart,
  workerSocket,
} from '@concordat/bridge';
import { createRaft, type InitialState } from '@concordat/consensus';
import type { Constitution, Policies } from '@concordat/governance';
import { type ActorId, type Height, type NodeId, utf8 } from '@concordat/std';
import { AdminServer } from './admin-server.ts';
import { Administration } from './administration.ts';
import { AdministrativeQueue } from './administrative-queue.ts';
import { type Judge, localReportData, requireManifests, unknownNetwork } from './admission.ts';
import { ApplicationListener } from './application-listener.ts';
import { BlockLog } from './block-log.ts';
import { judgeClient } from './client-identity.ts';
import type { ControlLink } from './control-link.ts';
import { entropy, pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { GovernanceDesk } from './governance-desk.ts';
import { JoinDesk } from './join-desk.ts';
import { LedgerDriver } from './ledger-driver.ts';
import { type Announcement, LedgerReactions } from './ledger-reactions.ts';
import { NodeChannel } from './node-channel.ts';
import type { NodeIdentity, SealedIdentity } from './node-identity.ts';
import { PeerDesk } from './peer-desk.ts';
import { ReceiptDesk } from './receipt-desk.ts';
import { RequestForwarding } from './request-forwarding.ts';
import type { SealedRecords } from './sealed-records.ts';
import { SessionKeys } from './session-keys.ts';
import { WorkerFeed } from './worker-feed.ts';
import { WorkerLink } from './worker-link.ts';

/** The network a manager belongs to, once known. */
export interface NetworkIdentity {
  readonly id: string;
  /** PEM. */
  readonly certificate: string;
}

/** What this node is doing, as its operator sees it. */
export type Phase = 'starting' | 'joining' | 'resuming' | 'learning' | 'running' | 'failed';

const maxAppendBytes = 4 * 1024 * 1024;
const payloadCacheBytes = 128 * 1024 * 1024;
const promoteIntervalMs = 100;
const progressIntervalMs = 1_000;

/**
 * The manager enclave of one validating node: its parts and how they are wired. The three ways a
 * node begins (`start-*.ts`) bring them to life in their own order.
 */
export class Manager {
  readonly control: ControlLink;
  readonly records: SealedRecords;
  readonly start: ManagerStart;
  readonly identity: NodeIdentity;
  readonly verdict: Verdict;
  readonly administration = new Administration();
  readonly feed = new WorkerFeed();
  readonly sessionKeys: SessionKeys;
  readonly log: BlockLog;
  readonly channel: NodeChannel;
  readonly forwarding: RequestForwarding;
  readonly peerDesk: PeerDesk;
  readonly governance: GovernanceDesk;
  readonly receipts: ReceiptDesk;
  readonly genesisData = new Map<string, Uint8Array[]>();
  readonly #bridge: string;
  readonly #links: WorkerLink[] = [];
  readonly #applications: ApplicationListener[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #network: NetworkIdentity = { id: unknownNetwork, certificate: '' };
  #certificate = '';
  #phase: Phase = 'starting';
  #reason: string | undefined;
  #driver: LedgerDriver | undefined;
  #queue: AdministrativeQueue | undefined;
  #joinDesk: JoinDesk | undefined;
  #admin: AdminServer | undefined;
  #savedProgress = 0;
  #configuration = '';
  #resumedView = 0;
  #onTruncated: (() => void) | undefined;
  #onLive: (() => void) | undefined;
  #onTrusted: (() => void) | undefined;
  #onRejoin: (() => void) | undefined;

  constructor(parts: {
    readonly control: ControlLink;
    readonly records: SealedRecords;
    readonly start: ManagerStart;
    readonly identity: NodeIdentity;
    readonly verdict: Verdict;
    readonly bridgeDirectory: string;
  }) {
    this.control = parts.control;
    this.records = parts.records;
    this.start = parts.start;
    this.identity = parts.identity;
    this.verdict = parts.verdict;
    this.#bridge = parts.bridgeDirectory;
    const { identity } = parts;
    this.sessionKeys = new SessionKeys(identity.nodeId, identity.encryption);
    this.log = new BlockLog(identity.nodeId, {
      sessionKey: (epoch) => this.sessionKeys.get(epoch),
      nodeKey: (node) => this.peerDesk.nodeKey(node),
      sign: (bytes) => identity.signing.sign(bytes),
    });
    this.peerDesk = new PeerDesk(this);
    this.governance = new GovernanceDesk(this);
    this.receipts = new ReceiptDesk(this);
    this.channel = new NodeChannel({
      paths: { listen: listenerSocket(this.#bridge, 'node'), dial: dialSocket(this.#bridge) },
      credentials: this.credentials,
      policy: this.peerDesk,
      onChange: (peer, up, reason) => this.peerDesk.channelChanged(peer, up, reason),
    });
    this.forwarding = new RequestForwarding(this.channel, this.feed, () => this.leader);
  }

  /** Key and best certificate of this node. */
  get credentials() {
    const certificate = this.#certificate || this.identity.selfSignedCertificate;
    return { key: this.identity.signing.toPkcs8Pem(), certificate };
  }

  /** The network this node belongs to. */
  get network(): NetworkIdentity {
    return this.#network;
  }

  /** What this node is doing. */
  get phase(): Phase {
    return this.#phase;
  }

  /** The consensus side; only after {@link startConsensus}. */
  get driver(): LedgerDriver {
    if (!this.#driver) throw new ManagerError('NOT_LEADER', 'this node does not take part yet');
    return this.#driver;
  }

  /** Whether consensus has been started. */
  get takesPart(): boolean {
    return this.#driver !== undefined;
  }

  /** Administrative transactions; only after {@link startConsensus}. */
  get queue(): AdministrativeQueue {
    if (!this.#queue) throw new ManagerError('NOT_LEADER', 'this node does not take part yet');
    return this.#queue;
  }

  /** Where newcomers are admitted; only after {@link startConsensus}. */
  get joinDesk(): JoinDesk {
    if (!this.#joinDesk) throw new ManagerError('NOT_LEADER', 'this node does not take part yet');
    return this.#joinDesk;
  }

  /** The leader as this node knows it. */
  get leader(): NodeId | undefined {
    return this.#driver?.status.leader;
  }

  /** What this node knows when it judges another one. */
  get judge(): Judge {
    return {
      self: this.identity.nodeId,
      networkId: this.#network.id,
      ...(this.peerDesk.constitution && { constitution: this.peerDesk.constitution }),
      networkCertificate: this.#network.certificate,
      resuming: this.#phase === 'resuming',
      nowMs: Date.now(),
    };
  }

  /** Takes up the network's identity and this node's endorsed certificate. */
  belongTo(network: NetworkIdentity, nodeCertificate: string): void {
    this.#network = network;
    this.sessionKeys.networkId = network.id;
    this.#certificate = nodeCertificate;
    if (nodeCertificate) this.channel.credentials = this.credentials;
  }

  /** Moves to another phase and tells host and log, with a reason an operator can act on. */
  enter(phase: Phase, reason?: string): void {
    if (this.#phase === phase && this.#reason === reason) return;
    this.#phase = phase;
    this.#reason = reason;
    this.control.log('node.phase', { phase, ...(reason && { reason }) });
    this.publishStatus();
  }

  /** Tells the host what an operator wants to know at a glance. */
  publishStatus(): void {
    const { nodeId } = this.identity;
    const status = this.#driver?.status;
    this.control.status({
      phase: this.#phase,
      ...(this.#reason && { reason: this.#reason }),
      nodeId,
      node: this.peerDesk.ownTuple,
      networkId: this.#network.id === unknownNetwork ? undefined : this.#network.id,
      networkCertificate: this.#network.certificate || undefined,
      measurement: this.verdict.measurement,
      platform: this.verdict.platform,
      ...(status && {
        role: status.role,
        view: status.view,
        leader: status.leader,
        height: status.lastHeight,
        committedHeight: status.committed,
      }),
    });
  }

  /** Seals what a later start of this VN needs. */
  async sealIdentity(): Promise<void> {
    const sealed: SealedIdentity = {
      signing: this.identity.signing.toPkcs8Pem(),
      encryption: this.identity.encryption.toPkcs8Pem(),
      certificate: this.#certificate,
      networkId: this.#network.id,
      networkCertificate: this.#network.certificate,
    };
    await this.records.put('identity', sealed);
  }

  /** Starts taking part in consensus. */
  startConsensus(initial: InitialState, policies: Policies): void {
    const { tickMs } = this.start;
    const consensus = createRaft({
      self: this.identity.nodeId,
      electionTicks: Math.max(4, Math.ceil(policies.electionTimeoutMs / tickMs)),
      heartbeatTicks: Math.max(1, Math.floor(policies.heartbeatMs / tickMs)),
      random: () => randomBytes(4).readUInt32BE() / 0x1_0000_0000,
      maxAppendBytes,
      maxInflightAppends: 256,
      maxMemoryBytes: payloadCacheBytes,
      initial,
    });
    const reactions = new LedgerReactions(this);
    const { administration, log } = this;
    const driver = new LedgerDriver({
      consensus,
      log,
      disk: this.control,
      peers: this.channel,
      events: reactions,
    });
    const sessionKey = () => reactions.sessionKey();
    const queue = new AdministrativeQueue({
      administration,
      driver,
      log,
      sessionKey,
      onPlaced: (height, announcement) => reactions.placed(height, announcement),
    });
    this.#driver = driver;
    this.#queue = queue;
    this.#joinDesk = new JoinDesk({
      administration,
      queue,
      driver,
      sessionKeys: this.sessionKeys,
      network: this.#network,
      entropy,
      log: (event, fields) => this.control.log(event, fields),
    });
    this.#every(tickMs, () => driver.tick());
    this.#every(promoteIntervalMs, () => this.#joinDesk?.promote());
    this.#every(progressIntervalMs, () => this.#saveProgress());
  }

  #every(intervalMs: number, action: () => void): void {
    this.#timers.push(setInterval(action, intervalMs));
  }

  /** Remembers, sealed, how far the ledger is final: less than that on disk is a truncation. */
  #saveProgress(): void {
    const committed = this.log.committedHeight;
    this.publishStatus();
    if (committed === this.#savedProgress) return;
    this.#savedProgress = committed;
    this.records.put('progress', { committed }).catch((error: unknown) => {
      this.control.log('node.progress-not-saved', { why: String(error) });
    });
  }

  /** Connects and attests every worker of this VN. */
  async connectWorkers(): Promise<void> {
    const evidence = await this.control.attest(
      localReportData('node', this.identity.signing.publicKeySpki),
    );
    const credentials = {
      key: this.identity.signing.toPkcs8Pem(),
      certificate: this.identity.selfSignedCertificate,
    };
    const connecting = this.start.workers.map(async ({ index }) => {
      const verify = (bytes: Uint8Array, key: Uint8Array): void => {
        this.peerDesk.verifyWorker(bytes, key);
      };
      const link: WorkerLink = new WorkerLink(
        index,
        { credentials, evidence, verify },
        this.peerDesk.workerEvents(() => link),
      );
      this.#links.push(link);
      await link.connect(workerSocket(this.#bridge, index));
      this.feed.add(link);
    });
    await Promise.all(connecting);
  }

  /** Checks the workers' code against the code manifest, and gives them their configuration. */
  configureWorkers(constitution: Constitution): void {
    for (const verdict of this.peerDesk.workerVerdicts) {
      requireManifests(verdict, constitution, 'worker');
    }
    const { adapters, policies } = constitution;
    const { nodeId } = this.identity;
    const text = JSON.stringify({ adapters, policies, networkId: this.#network.id, nodeId });
    if (text === this.#configuration) return;
    this.#configuration = text;
    for (const link of this.feed.links) link.send({ kind: 'configure', json: utf8(text) });
  }

  /** Opens the application and administrative ports: this node serves. */
  async serve(): Promise<void> {
    const judge = (socket: Parameters<typeof judgeClient>[0]) =>
      judgeClient(socket, this.administration.committedConstitution, Date.now());
    for (const link of this.feed.links) {
      link.send({ kind: 'start' });
      const which = applicationListener(link.index);
      const path = listenerSocket(this.#bridge, which);
      const { credentials } = this;
      const application = new ApplicationListener({ path, credentials, worker: link, judge });
      this.#applications.push(application);
      await application.listen();
      this.control.listening(which);
    }
    const path = listenerSocket(this.#bridge, 'admin');
    this.#admin = new AdminServer({ path, credentials: this.credentials, manager: this, judge });
    await this.#admin.listen();
    this.control.listening('admin');
    this.enter('running');
  }

  /** Blocks up to this height are final. */
  committed(height: Height): void {
    if (this.#phase !== 'resuming' || (this.log.viewAt(height) ?? 0) <= this.#resumedView) return;
    this.#resumedView = 0;
    this.#onLive?.();
  }

  /** Resolves when this node is part of a network that commits again, after a resumption. */
  live(restoredView: number): Promise<void> {
    this.#resumedView = restoredView;
    return new Promise((resolve) => {
      this.#onLive = resolve;
    });
  }

  /** Resolves when the committed node list has this node among the voters. */
  trusted(): Promise<void> {
    return new Promise((resolve) => {
      this.#onTrusted = resolve;
    });
  }

  /** The committed node list says this of the node itself. */
  nodeStatusChanged(status: string): void {
    if (status === 'learning' && this.#phase === 'joining') this.enter('learning');
    if (status === 'trusted') this.#onTrusted?.();
    if (status === 'retired')
      this.fail(new ManagerError('NODE_REMOVED', 'the node list has retired this node'));
  }

  /** A peer says the network is running: this launch must become a new node (DESIGN 6). */
  networkIsLive(): void {
    if (this.#phase === 'resuming') this.#onRejoin?.();
  }

  /** A peer says this node is not listed (any more). */
  notListed(): void {
    if (this.#phase === 'running' || this.#phase === 'learning') {
      this.control.log('node.not-listed');
    }
  }

  /** What to do when the network turns out to be running during a resumption. */
  set onRejoin(action: () => void) {
    this.#onRejoin = action;
  }

  /** Ends this launch: the host starts a pristine one. */
  fail(error: Error): void {
    const code = 'code' in error ? String(error.code) : 'INTERNAL_ERROR';
    this.control.log('manager.failed', { code, why: error.message });
    this.enter('failed', `${code}: ${error.message}`);
    this.control.flush();
    setTimeout(() => process.exit(1), 50);
  }

  /** Client connections open now. */
  get connections(): number {
    return this.#applications.reduce((sum, { connections }) => sum + connections, 0);
  }

  /** The administrative ledger changed: whoever was removed is cut off now (M12). */
  actorsChanged(): void {
    const actors = new Set(this.administration.committedConstitution.actors.map((a) => a.actorId));
    const removed = (actor: ActorId): boolean => !actors.has(actor);
    for (const application of this.#applications) application.cutOff(removed);
    this.#admin?.cutOff(removed);
  }

  /** Tells those who watch the administrative channel what a committed block changed. */
  notify(announcement: Announcement): void {
    this.#admin?.notify(announcement);
  }

  /** Drops the host's ledger before this node takes part: everything is fetched anew. */
  truncateLedger(): Promise<void> {
    this.control.truncate(0);
    return new Promise((resolve) => {
      this.#onTruncated = resolve;
    });
  }

  /** The host carried out a truncation. */
  truncated(): void {
    if (this.#driver) this.#driver.truncated();
    else this.#onTruncated?.();
  }

  /** Hands over leadership, saves how far it got, and ends. */
  async shutdown(): Promise<void> {
    this.control.log('node.stopping');
    const driver = this.#driver;
    if (driver?.transferLeadership()) {
      for (let waited = 0; driver.leads && waited < 1_000; waited += 20) await pause(20);
    }
    for (const timer of this.#timers) clearInterval(timer);
    for (const application of this.#applications) application.stop();
    this.#admin?.stop();
    this.channel.stop();
    if (this.log.committedHeight > 0) {
      await this.records.put('progress', { committed: this.log.committedHeight });
    }
  }
}
