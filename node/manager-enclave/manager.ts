import type { Verdict } from '@concordat/attestation';
import { dialSocket, listenerSocket, type ManagerStart } from '@concordat/bridge';
import type { InitialState } from '@concordat/consensus';
import { defaultPolicy, type Policies } from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import { type Height, type NodeId, toHeight, utf8 } from '@concordat/std';
import { Administration } from './administration.ts';
import type { AdministrativeQueue } from './administrative-queue.ts';
import { unknownNetwork } from './admission.ts';
import type { Archive } from './archive.ts';
import { ArchiveDesk } from './archive-desk.ts';
import type { Backfill } from './backfill.ts';
import type { BlockLog } from './block-log.ts';
import type { ChunkHealing } from './chunk-healing.ts';
import type { ControlLink } from './control-link.ts';
import { pause } from './enclave-sources.ts';
import type { EpochDesk } from './epoch-desk.ts';
import { createEpochParts } from './epoch-parts.ts';
import { ManagerError } from './errors.ts';
import { EvidenceDesk } from './evidence-desk.ts';
import { mayBeForwarded } from './forwarded-identity.ts';
import { GovernanceDesk } from './governance-desk.ts';
import type { HeldBlocks } from './held-blocks.ts';
import type { HistoryPages } from './history-pages.ts';
import type { KeyCollector } from './key-collector.ts';
import { KeyDesk } from './key-desk.ts';
import { LeaderChanges } from './leader-changes.ts';
import type { LedgerDriver } from './ledger-driver.ts';
import { createLedgerParts } from './ledger-parts.ts';
import type { LedgerConsequences } from './ledger-reactions.ts';
import { createLedgerSide, type LedgerSide } from './ledger-side.ts';
import { LifeCycle, type Phase } from './life-cycle.ts';
import { missingConsent } from './missing-consent.ts';
import type { NetworkKey } from './network-key.ts';
import type { NetworkKeyDesk } from './network-key-desk.ts';
import type { NetworkIdentity } from './node-context.ts';
import type { NodeIdentity } from './node-identity.ts';
import { NodeStanding, type StandingNode } from './node-standing.ts';
import { statusOf } from './node-status.ts';
import { PeerDesk, type PeerRequests } from './peer-desk.ts';
import type { PeerRoster } from './peer-roster.ts';
import type { PeerChannel } from './ports.ts';
import { ReadBarriers } from './read-barriers.ts';
import { ReceiptDesk } from './receipt-desk.ts';
import { RecordKeeper } from './record-keeper.ts';
import type { RecoveryDesk } from './recovery-desk.ts';
import type { RefusalCounts } from './refusal-counts.ts';
import { Reopening } from './reopening.ts';
import { RequestForwarding } from './request-forwarding.ts';
import type { ResumedLedger } from './resumed-ledger.ts';
import { encodePosition, type LogPosition, type RollCall } from './roll-call.ts';
import type { SealedRecords } from './sealed-records.ts';
import type { SessionKeys } from './session-keys.ts';
import type { ShareDesk } from './share-desk.ts';
import type { ShareVault } from './share-vault.ts';
import type { SnapshotDesk } from './snapshot-desk.ts';
import type { StoredBlocks } from './stored-blocks.ts';
import type { Doors, ManagerWays } from './ways.ts';
import { WorkerDesk } from './worker-desk.ts';
import { WorkerFeed } from './worker-feed.ts';
import { WorkerPrograms } from './worker-programs.ts';
import { WorkerStates } from './worker-states.ts';
import { WorkerWatch, workerCheckMs } from './worker-watch.ts';

const promoteIntervalMs = 100;
const progressIntervalMs = 1_000;
/** How long an orderly end waits for the host. */
const lastRecordMs = 2_000;
/** How long an ending leader waits for another one to take over and decide what is in flight. */
const handOverMs = 1_000;

/** What a manager is made of. */
export interface ManagerParts {
  readonly control: ControlLink;
  readonly records: SealedRecords;
  readonly vault: ShareVault;
  readonly start: ManagerStart;
  readonly identity: NodeIdentity;
  readonly verdict: Verdict;
  readonly bridgeDirectory: string;
  readonly ways: ManagerWays;
  /** Ends the process after a failure, with this code, has been told. */
  readonly exit: (code: string) => void;
}

/**
 * The manager enclave of one validating node: its parts and how they are wired. The ways a
 * node begins (`start-*.ts`) bring them to life in their own order.
 */
export class Manager implements StandingNode {
  readonly control: ControlLink;
  readonly records: SealedRecords;
  readonly vault: ShareVault;
  readonly keeper: RecordKeeper;
  readonly start: ManagerStart;
  readonly identity: NodeIdentity;
  readonly verdict: Verdict;
  readonly ways: ManagerWays;
  readonly lifeCycle: LifeCycle;
  readonly administration = new Administration();
  readonly feed = new WorkerFeed();
  readonly leaderChanges = new LeaderChanges();
  readonly states = new WorkerStates(this.feed);
  readonly programs = new WorkerPrograms(this.feed, () => this.start.workers);
  readonly sessionKeys: SessionKeys;
  readonly networkKey: NetworkKey;
  readonly networkKeyDesk: NetworkKeyDesk;
  readonly keyCollector: KeyCollector;
  readonly shareDesk: ShareDesk;
  readonly epochs: EpochDesk;
  readonly reopening = new Reopening();
  readonly keyDesk: KeyDesk;
  readonly log: BlockLog;
  readonly stored: StoredBlocks;
  readonly pages: HistoryPages;
  readonly held: HeldBlocks;
  readonly archive: Archive;
  readonly backfill: Backfill;
  readonly healing: ChunkHealing;
  readonly snapshots: SnapshotDesk;
  readonly refusals: RefusalCounts;
  readonly channel: PeerChannel;
  readonly forwarding: RequestForwarding;
  readonly readBarriers: ReadBarriers;
  readonly peerDesk: PeerDesk;
  readonly workers: WorkerDesk;
  readonly governance: GovernanceDesk;
  readonly doors: Doors;
  readonly genesisData = new Map<string, Uint8Array[]>();
  /** Where members give shares for the network this node recovers. */
  recovery: RecoveryDesk | undefined;
  /** While the ledger is resumed: what it says to a node without session keys. */
  resumed: ResumedLedger | undefined;
  /** Of a resumption. */
  rollCall: RollCall | undefined;
  /** View of the newest block when a resumption began; a committed one of a later view ends it. */
  resumedView = 0;
  /** That of the policies in force when this node began to take part. */
  electionTimeoutMs = defaultPolicy('electionTimeoutMs');
  readonly #standing = new NodeStanding(this);
  readonly #bridge: string;
  readonly #exit: (code: string) => void;
  readonly #timers: NodeJS.Timeout[] = [];
  #network: NetworkIdentity = { id: unknownNetwork, certificate: '' };
  #certificate = '';
  #side: LedgerSide | undefined;
  #onTruncated: (() => void) | undefined;

  constructor(parts: ManagerParts) {
    const { control, identity } = parts;
    this.control = control;
    this.records = parts.records;
    this.vault = parts.vault;
    this.keeper = new RecordKeeper(parts.records);
    this.start = parts.start;
    this.identity = identity;
    this.verdict = parts.verdict;
    this.ways = parts.ways;
    this.#bridge = parts.bridgeDirectory;
    this.#exit = parts.exit;
    this.lifeCycle = new LifeCycle({
      onPhase: (phase, reason) => this.#phaseChanged(phase, reason),
      onFailed: (code, message) => this.#failed(code, message),
    });
    const keys = createEpochParts(this, {
      constitution: () => this.peerDesk.constitution,
      committed: () => this.#grantingState,
      onMissing: (why) => this.#keysMissing(why),
    });
    this.sessionKeys = keys.sessionKeys;
    this.networkKey = keys.networkKey;
    this.networkKeyDesk = keys.networkKeyDesk;
    this.keyCollector = keys.keyCollector;
    this.shareDesk = keys.shareDesk;
    this.epochs = keys.epochs;
    const ledger = createLedgerParts(this, {
      nodeKey: (node) => this.peerDesk.nodeKey(node),
      onProven: () => this.#standing.proven(),
      onUnproven: (height) => this.#standing.unproven(height),
    });
    this.log = ledger.log;
    this.stored = ledger.stored;
    this.pages = ledger.pages;
    this.held = ledger.held;
    this.archive = ledger.archive;
    this.backfill = ledger.backfill;
    this.healing = ledger.healing;
    this.snapshots = ledger.snapshots;
    this.refusals = ledger.refusals;
    this.keyDesk = new KeyDesk(this);
    this.governance = new GovernanceDesk(this);
    this.doors = parts.ways.doors(this);
    this.peerDesk = new PeerDesk(this, this.#peerRequests());
    this.channel = parts.ways.channel({
      paths: { listen: listenerSocket(this.#bridge, 'node'), dial: dialSocket(this.#bridge) },
      credentials: this.credentials,
      policy: this.peerDesk,
      onChange: (peer, up, reason) => this.#standing.channelChanged(peer, up, reason),
      onRefused: (_peer, code) => this.refusals.add('channel', code),
      onRefusedBy: (peer, code) => this.lifeCycle.refusedBy(peer, code, Date.now()),
    });
    this.forwarding = new RequestForwarding({
      channel: this.channel,
      feed: this.feed,
      leader: () => this.leader,
      maySpeak: (who) => mayBeForwarded(who, this.administration.committedConstitution, Date.now()),
    });
    this.readBarriers = new ReadBarriers({
      self: identity.nodeId,
      leader: () => this.leader,
      readIndex: () => this.#side?.readIndex,
      channel: this.channel,
      committedHeight: () => this.log.committedHeight,
      nowMs: () => performance.now(),
    });
    this.workers = new WorkerDesk(this, this, (error) => this.lifeCycle.fail(error));
  }

  /** @throws ManagerError NOT_LEADER while it is not known */
  get #logPosition(): LogPosition {
    if (!this.takesPart && this.resumed) return this.resumed.own.end;
    const { status } = this.#taking.driver;
    return { view: this.log.lastView, height: status.lastHeight };
  }

  /** What shares are given by: the committed ledger, or what is public of it while it is resumed. */
  get #grantingState(): ReadView | undefined {
    if (this.resumed) return this.resumed.shown.administration.head;
    return this.administration.isCommitted ? this.administration.committedState : undefined;
  }

  /** What peers may ask of this node. */
  #peerRequests(): PeerRequests {
    return {
      leader: () => this.#leaderAddress(),
      join: (peer, admitted, body) => this.#taking.joinDesk.join(peer, admitted, body),
      forward: (origin, body) => this.forwarding.execute(origin, body),
      administer: (body) => this.governance.executeForPeer(body),
      deploy: (body) => this.governance.deployForPeer(body),
      prepare: (body) => this.governance.prepareForPeer(body),
      readIndex: () => this.readBarriers.answerPeer(),
      logPosition: () => encodePosition(this.#logPosition),
      shares: (peer, body) => {
        const give = () => this.shareDesk.give(peer, body);
        return this.resumed ? this.resumed.shares(peer, body, give) : give();
      },
      publicBlocks: (peer, body) => this.resumed?.blocks(peer, body),
      sessionKey: (body) => this.epochs.received(body),
      grantedKey: (peer, body) => this.epochs.give(peer, body),
      networkKey: () => this.networkKeyDesk.give(),
      keyCeremony: (body) => this.keyDesk.contribute(body),
      holderSecret: (peer, body) => this.keyDesk.holderSecret(peer, body),
      archive: new ArchiveDesk(this),
    };
  }

  /** Key and best certificate of this node. */
  get credentials() {
    const certificate = this.#certificate || this.identity.selfSignedCertificate;
    return { key: this.identity.signing.toPkcs8Pem(), certificate };
  }

  get network(): NetworkIdentity {
    return this.#network;
  }

  get phase(): Phase {
    return this.lifeCycle.phase;
  }

  get driver(): LedgerDriver {
    return this.#taking.driver;
  }

  get takesPart(): boolean {
    return this.#side !== undefined;
  }

  get queue(): AdministrativeQueue {
    return this.#taking.queue;
  }

  get roster(): PeerRoster | undefined {
    return this.#side?.roster;
  }

  get leader(): NodeId | undefined {
    return this.#side?.driver.status.leader;
  }

  get acceptsResumers(): boolean {
    return this.lifeCycle.acceptsResumers(this.electionTimeoutMs, Date.now());
  }

  /** @throws ManagerError NOT_LEADER while this node does not take part */
  get #taking(): LedgerSide {
    if (this.#side) return this.#side;
    throw new ManagerError('NOT_LEADER', 'this node does not take part yet');
  }

  #leaderAddress(): Uint8Array {
    const address = this.leader && this.administration.node(this.leader)?.address;
    return utf8(JSON.stringify({ address }));
  }

  /** Takes up the network's identity and this node's endorsed certificate. */
  belongTo(network: NetworkIdentity, nodeCertificate: string): void {
    this.#network = network;
    if (network.id !== unknownNetwork) this.vault.belongTo(network.id);
    this.#certificate = nodeCertificate;
    if (nodeCertificate) this.channel.credentials = this.credentials;
  }

  #phaseChanged(phase: Phase, reason: string | undefined): void {
    this.control.log('node.phase', { phase, ...(reason && { reason }) });
    this.publishStatus();
  }

  /** Without the key of the epoch in force a node neither leads nor follows: its operator must see why. */
  #keysMissing(why: ManagerError | undefined): void {
    if (why) this.control.log('keys.missing', { code: why.code, why: why.message, ...why.details });
    this.lifeCycle.enter(
      this.phase,
      why &&
        missingConsent(
          {
            self: this.identity.nodeId,
            constitution: this.peerDesk.constitution,
            connected: (nodeId) => this.channel.connected(nodeId),
          },
          why,
        ),
    );
  }

  #failed(code: string, message: string): void {
    this.#side?.driver.stop();
    this.epochs.stop();
    this.networkKeyDesk.stop();
    this.keyDesk.stop();
    this.snapshots.stop();
    this.backfill.stop();
    for (const timer of this.#timers) clearInterval(timer);
    this.control.log('manager.failed', { level: 'error', code, why: message });
    this.control.flush();
    this.#exit(code);
  }

  /** Tells the host what an operator wants to know at a glance. */
  publishStatus(): void {
    this.control.status(statusOf(this, this.lifeCycle.reason, this.peerDesk.approval.shown));
  }

  /** Seals what a later start of this VN needs. */
  async sealIdentity(): Promise<void> {
    await this.keeper.keepConstitution(this.administration.committedConstitution);
    await this.keeper.sealIdentity(this.identity, {
      certificate: this.#certificate,
      networkId: this.#network.id,
      networkCertificate: this.#network.certificate,
    });
  }

  /** Starts taking part in consensus. */
  startConsensus(initial: InitialState, policies: Policies): void {
    this.electionTimeoutMs = policies.electionTimeoutMs;
    this.control.durability(policies.durability);
    const side = createLedgerSide(this, this.#consequences, { initial, policies });
    this.#side = side;
    this.every(this.start.tickMs, () => {
      if (this.leader === undefined && this.rollCall?.holdsBack()) return;
      side.driver.tick();
    });
    this.every(promoteIntervalMs, () => {
      this.readBarriers.expire();
      side.joinDesk.promote();
      this.keyDesk.tick();
      side.roster.dismiss(Date.now());
    });
    this.every(progressIntervalMs, () => {
      this.epochs.tick();
      this.governance.tick();
      this.networkKeyDesk.work();
      this.#standing.takeStock();
    });
    const watch = this.#watchOver(side.driver);
    this.every(workerCheckMs, () => watch.check());
  }

  #watchOver(driver: LedgerDriver): WorkerWatch {
    return new WorkerWatch({
      links: () => (this.phase === 'running' ? this.feed.links : []),
      leads: () => driver.leads,
      handOver: () => driver.transferLeadership(),
      tell: (event, fields) => this.control.log(event, fields),
      electionTimeoutMs: () => this.electionTimeoutMs,
    });
  }

  get #consequences(): LedgerConsequences {
    return {
      onCommitted: (height) => {
        this.readBarriers.committed(height);
        this.#standing.committed(height);
      },
      onRestoring: (height) => this.#standing.restoring(height),
      onAnnouncement: (announcement) => this.doors.notify(announcement),
      onConstitution: (constitution) => {
        this.#standing.constitutionChanged(constitution);
        this.keyDesk.wake();
        this.networkKeyDesk.work();
      },
      onStanding: () => {
        this.publishStatus();
        this.readBarriers.standingChanged();
        this.keyDesk.wake();
      },
      onRefusedMessage: (peer, code, message) => this.peerDesk.refusedMessage(peer, code, message),
      onBroken: (error) => this.lifeCycle.fail(error),
    };
  }

  /** Does something at intervals until this launch ends. */
  every(intervalMs: number, action: () => void): void {
    this.#timers.push(setInterval(action, intervalMs));
  }

  /** Connects and attests every worker of this VN. */
  connectWorkers(): Promise<void> {
    return this.workers.connect(this.#bridge);
  }

  /** Opens the application and administrative ports: this node serves. */
  async serve(): Promise<void> {
    await this.doors.open(this.#bridge, this.credentials, {
      governance: this.governance,
      receipts: new ReceiptDesk(this),
      evidence: new EvidenceDesk(this, () => this.workers.verdicts),
    });
    this.nowServes();
    this.backfill.start();
  }

  /** Says that this node serves, and whom: nobody but operators while a recovered network is closed. */
  nowServes(): void {
    this.#standing.serves();
  }

  /** Drops blocks above a height from the host's ledger before this node takes part. */
  truncateLedger(after: number): Promise<void> {
    this.control.truncate(after);
    return new Promise((resolve) => {
      this.#onTruncated = resolve;
    });
  }

  /** The host carried out a truncation. @throws ManagerError HOST_FAULT when none was asked for */
  truncated(): void {
    if (this.#side) this.#side.driver.truncated();
    else if (this.#onTruncated) this.#onTruncated();
    else throw new ManagerError('HOST_FAULT', 'the host truncated the ledger unasked');
  }

  /** The host made blocks up to a height durable. */
  synced(height: number): void {
    this.#side?.driver.synced(height);
  }

  /** Another node leads and has decided what this one sealed last: clients have their answers. */
  async #handedOver(driver: LedgerDriver, sealed: Height): Promise<void> {
    const inFlight = () => driver.leads || this.log.committedHeight < sealed;
    for (let waited = 0; inFlight() && waited < handOverMs; waited += 20) await pause(20);
  }

  /** Hands over leadership, remembers how far it got, and ends. */
  async shutdown(): Promise<void> {
    this.control.log('node.stopping');
    const driver = this.#side?.driver;
    if (driver?.transferLeadership()) await this.#handedOver(driver, this.log.lastHeight);
    for (const timer of this.#timers) clearInterval(timer);
    this.doors.close();
    this.channel.stop();
    driver?.stop();
    this.snapshots.stop();
    this.backfill.stop();
    this.readBarriers.stop();
    this.epochs.stop();
    this.networkKeyDesk.stop();
    this.keyDesk.stop();
    if (driver && driver.durableHeight > 0) {
      const progress = this.log.progressAt(toHeight(driver.durableHeight));
      const kept = this.keeper.keepProgress(progress).catch(() => undefined);
      await Promise.race([kept, pause(lastRecordMs)]);
    }
    this.workers.stop();
    this.sessionKeys.close();
    this.networkKey.close();
    this.vault.erase();
  }
}
