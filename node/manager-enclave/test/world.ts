import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ManagerStart } from '@concordat/bridge';
import { createRaft, type InitialState } from '@concordat/consensus';
import { type Constitution, signNodeTuple } from '@concordat/governance';
import { type NodeId, toHeight, toHex, toView } from '@concordat/std';
import { Administration } from '../administration.ts';
import { AdministrativeQueue } from '../administrative-queue.ts';
import { unknownNetwork } from '../admission.ts';
import type { Announcement } from '../announcement.ts';
import type { Archive } from '../archive.ts';
import { ArchiveDesk } from '../archive-desk.ts';
import type { Backfill } from '../backfill.ts';
import type { BlockLog } from '../block-log.ts';
import { CatchUp } from '../catch-up.ts';
import type { ChunkHealing } from '../chunk-healing.ts';
import type { EpochDesk } from '../epoch-desk.ts';
import { createEpochParts } from '../epoch-parts.ts';
import { ManagerError } from '../errors.ts';
import { GovernanceDesk } from '../governance-desk.ts';
import type { HeldBlocks } from '../held-blocks.ts';
import type { HistoryPages } from '../history-pages.ts';
import { JoinDesk } from '../join-desk.ts';
import type { KeyCollector } from '../key-collector.ts';
import { KeyDesk } from '../key-desk.ts';
import { LeaderChanges } from '../leader-changes.ts';
import { LedgerDriver } from '../ledger-driver.ts';
import { createLedgerParts } from '../ledger-parts.ts';
import { LedgerReactions } from '../ledger-reactions.ts';
import type { NetworkKey } from '../network-key.ts';
import type { NetworkKeyDesk } from '../network-key-desk.ts';
import type { PeerTarget } from '../node-channel.ts';
import type { NetworkIdentity, NodeContext } from '../node-context.ts';
import { createNodeIdentity, type NodeIdentity } from '../node-identity.ts';
import type { PeerIdentity } from '../peer-policy.ts';
import { PeerRoster } from '../peer-roster.ts';
import { ReadBarriers } from '../read-barriers.ts';
import { ReadIndex } from '../read-index.ts';
import type { RefusalCounts } from '../refusal-counts.ts';
import { Reopening } from '../reopening.ts';
import { SealedRecords } from '../sealed-records.ts';
import type { SessionKeys } from '../session-keys.ts';
import type { ShareDesk } from '../share-desk.ts';
import { ShareVault } from '../share-vault.ts';
import type { SnapshotDesk } from '../snapshot-desk.ts';
import type { StoredBlocks } from '../stored-blocks.ts';
import { WorkerFeed } from '../worker-feed.ts';
import { WorkerPrograms } from '../worker-programs.ts';
import { WorkerStates } from '../worker-states.ts';
import { FakeHost } from './fake-host.ts';
import {
  entropyOf,
  FakeLink,
  managerCode,
  type Organisation,
  startOf,
  verdictOf,
} from './parties.ts';

/** The ledger side of one manager, on a host and a network in memory. */
export class TestNode implements NodeContext {
  readonly host: FakeHost;
  readonly identity: NodeIdentity;
  readonly start: ManagerStart;
  readonly owner: Organisation;
  readonly verdict = verdictOf(managerCode);
  readonly administration = new Administration();
  readonly feed = new WorkerFeed();
  readonly leaderChanges = new LeaderChanges();
  readonly states = new WorkerStates(this.feed);
  readonly programs = new WorkerPrograms(this.feed, () => [{ index: 1, adapters: ['keyvalue'] }]);
  readonly worker = new FakeLink(1);
  readonly sessionKeys: SessionKeys;
  readonly networkKey: NetworkKey;
  readonly networkKeyDesk: NetworkKeyDesk;
  readonly keyCollector: KeyCollector;
  readonly shareDesk: ShareDesk;
  readonly epochs: EpochDesk;
  readonly reopening = new Reopening();
  /** Why keys this node cannot go on without were not to be had, whenever they were not. */
  readonly missingKeys: Error[] = [];
  readonly log: BlockLog;
  readonly stored: StoredBlocks;
  readonly pages: HistoryPages;
  readonly held: HeldBlocks;
  readonly archive: Archive;
  readonly backfill: Backfill;
  readonly healing: ChunkHealing;
  readonly snapshots: SnapshotDesk;
  readonly refusals: RefusalCounts;
  /** Heights of snapshots this node's state was replaced by. */
  readonly restored: number[] = [];
  /** What the ledger said of snapshots this node was given. */
  readonly proofs: ('proven' | number)[] = [];
  readonly archiveDesk = new ArchiveDesk(this);
  readonly records: SealedRecords;
  readonly vault: ShareVault;
  readonly keyDesk: KeyDesk;
  readonly announced: Announcement[] = [];
  readonly refusedPeers: string[] = [];
  readonly refusedMessages: string[] = [];
  /** Constitutions that took effect here. */
  readonly constitutions: Constitution[] = [];
  broken: Error | undefined;
  network: NetworkIdentity = { id: unknownNetwork, certificate: '' };
  phase = 'running' as const;
  acceptsResumers = false;
  given: Constitution | undefined;
  governance: GovernanceDesk;
  joinDesk: JoinDesk | undefined;
  roster: PeerRoster | undefined;
  readonly readBarriers: ReadBarriers;
  #readIndex: ReadIndex | undefined;
  readonly #world: World;
  #driver: LedgerDriver | undefined;
  #queue: AdministrativeQueue | undefined;

  constructor(world: World, n: number, owner: Organisation, genesis?: unknown) {
    this.#world = world;
    this.owner = owner;
    this.start = startOf(n, owner, genesis);
    this.identity = createNodeIdentity(entropyOf(`node ${n}`), Date.now());
    this.host = new FakeHost(this);
    const { nodeId } = this.identity;
    const keys = createEpochParts(this, {
      constitution: () => this.listed,
      committed: () =>
        this.administration.isCommitted ? this.administration.committedState : undefined,
      onMissing: (why) => {
        if (why) this.missingKeys.push(why);
      },
    });
    this.sessionKeys = keys.sessionKeys;
    this.networkKey = keys.networkKey;
    this.networkKeyDesk = keys.networkKeyDesk;
    this.keyCollector = keys.keyCollector;
    this.shareDesk = keys.shareDesk;
    this.epochs = keys.epochs;
    this.records = new SealedRecords(this.host, new Uint8Array(32), entropyOf(`records ${n}`));
    this.vault = new ShareVault(this.records);
    const ledger = createLedgerParts(this, {
      nodeKey: (node) => this.nodeKey(node),
      onProven: () => this.proofs.push('proven'),
      onUnproven: (height) => this.proofs.push(height),
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
    this.feed.add(this.worker.asLink());
    this.worker.onSnapshot = (message) => this.states.received(1, message);
    this.governance = new GovernanceDesk(this);
    this.keyDesk = new KeyDesk(this);
    this.readBarriers = new ReadBarriers({
      self: nodeId,
      leader: () => this.leader,
      readIndex: () => this.#readIndex,
      channel: world.channelOf(this),
      committedHeight: () => this.log.committedHeight,
      nowMs: () => performance.now(),
    });
  }

  get control() {
    return this.host as unknown as NodeContext['control'];
  }

  get channel() {
    return this.#world.channelOf(this) as unknown as NodeContext['channel'];
  }

  get driver(): LedgerDriver {
    return this.#driver as LedgerDriver;
  }

  get queue(): AdministrativeQueue {
    return this.#queue as AdministrativeQueue;
  }

  get takesPart(): boolean {
    return this.#driver !== undefined;
  }

  get leader(): NodeId | undefined {
    return this.#driver?.status.leader;
  }

  get id(): NodeId {
    return this.identity.nodeId;
  }

  /** How this node looks to another one that has attested it. */
  get asPeer(): PeerIdentity {
    const publicKey = this.identity.signing.publicKeySpki;
    return { nodeId: this.id, publicKey, certificate: new Uint8Array() };
  }

  /** The constitution peers are judged by, as a peer desk has it. */
  get listed(): Constitution | undefined {
    const own = this.administration.exists ? this.administration.constitution : undefined;
    const isListed = own?.nodes.some(({ nodeId }) => nodeId === this.id);
    return isListed ? own : (this.given ?? own);
  }

  nodeKey(node: NodeId): Uint8Array | undefined {
    const known = this.administration.nodeKey(node);
    if (known) return known;
    const entry = this.given?.nodes.find(({ nodeId }) => nodeId === node);
    return entry && Buffer.from(entry.publicKey, 'hex');
  }

  belongTo(network: NetworkIdentity): void {
    this.network = network;
    this.vault.belongTo(network.id);
  }

  begin(initial: Partial<InitialState> & Pick<InitialState, 'configuration'>, draw = 0): void {
    const consensus = createRaft({
      self: this.id,
      electionTicks: 10,
      heartbeatTicks: 1,
      random: () => draw,
      maxAppendBytes: 1 << 20,
      maxInflightAppends: 64,
      maxMemoryBytes: this.#world.memoryBytes,
      snapshotGap: this.#world.snapshotGap,
      initial: {
        view: toView(0),
        lastHeight: toHeight(0),
        lastView: toView(0),
        committed: toHeight(0),
        configurationHeight: toHeight(0),
        viewHistory: [],
        ...initial,
      },
    });
    const reactions = new LedgerReactions(this, {
      onCommitted: (height) => this.readBarriers.committed(height),
      onRestoring: () => undefined,
      onAnnouncement: (announcement) => announcement && this.announced.push(announcement),
      onConstitution: (constitution) => {
        this.constitutions.push(constitution);
        this.roster?.update(constitution, Date.now());
        if (this.#world.holdsCeremonies) this.keyDesk.wake();
      },
      onStanding: () => {
        this.readBarriers.standingChanged();
        if (this.#world.holdsCeremonies) this.keyDesk.wake();
      },
      onRefusedMessage: (_peer, code) => this.refusedMessages.push(code),
      onBroken: (error) => {
        this.broken = error;
      },
    });
    const { administration, log } = this;
    const peers = this.#world.channelOf(this);
    this.#readIndex = new ReadIndex((requestId) => this.driver.readIndex(requestId));
    this.#driver = new LedgerDriver({
      consensus,
      log,
      disk: this.host,
      stored: this.stored,
      peers,
      events: reactions,
      reads: this.#readIndex,
      snapshots: new CatchUp(this, {
        onRestoring: (height) => this.restored.push(height),
        onRestored: (height) => reactions.restored(height),
      }),
    });
    this.epochs.onKey(() => {
      this.driver.keyCame();
      reactions.keyCame();
    });
    const offered = this.snapshots.newestUsable;
    if (offered) this.#driver.offerSnapshot(offered);
    this.#queue = new AdministrativeQueue({
      administration,
      driver: this.#driver,
      log,
      sessionKey: () => reactions.sessionKey(),
      onPlaced: (height, announcement) => reactions.placed(height, announcement),
      onTakenBack: () => reactions.takenBack(),
      timeoutMs: 200,
    });
    this.roster = new PeerRoster(this.id, peers, this.#driver);
    this.joinDesk = new JoinDesk({
      administration,
      queue: this.#queue,
      driver: this.#driver,
      network: this.network,
      networkKey: this.networkKey,
      entropy: entropyOf(`join desk ${this.id}`),
      log: (event, fields) => this.host.log(event, fields),
    });
  }

  /** The text of the constitution's node entry for this node, as a member proposes it. */
  get tuple() {
    const { address, adminAddress, applicationAddresses } = {
      address: this.start.addresses.node,
      adminAddress: this.start.addresses.admin,
      applicationAddresses: [...this.start.addresses.applications],
    };
    const publicKey = this.identity.signing.publicKeySpki;
    return {
      actorId: this.owner.actorId,
      name: this.start.node.name,
      address,
      adminAddress,
      applicationAddresses,
      publicKey: toHex(publicKey),
      encryptionKey: toHex(this.identity.encryption.publicKey),
      signature: signNodeTuple(this.owner.key, { address, publicKey }),
    };
  }
}

const isOfKeys = (kind: string): boolean => kind === 'key-ceremony' || kind === 'holder-secret';

/** A network of managers in one process: messages wait until `settle` delivers them. */
export class World {
  readonly nodes: TestNode[] = [];
  readonly cut = new Set<NodeId>();
  /** Nodes that hear no consensus messages, while requests reach them. */
  readonly deaf = new Set<NodeId>();
  /** Nodes register, deal and check as the ledger moves; else its blocks are the test's alone. */
  holdsCeremonies = false;
  /** Session keys that leaders send never arrive. */
  losesSentKeys = false;
  /** Payload bytes consensus keeps in memory. */
  memoryBytes = 1 << 24;
  /** Blocks a node may lack before it is sent a snapshot. */
  snapshotGap = Number.POSITIVE_INFINITY;
  /** Changes messages on their way. */
  intercept: ((bytes: Buffer, to: NodeId) => Buffer) | undefined;
  #wire: { from: NodeId; to: NodeId; bytes: Buffer }[] = [];

  channelOf(node: TestNode) {
    return {
      send: (to: NodeId, parts: readonly Uint8Array[]): void => {
        this.#wire.push({ from: node.id, to, bytes: Buffer.concat(parts) });
      },
      flush: (): void => undefined,
      connected: (to: NodeId): boolean => !this.cut.has(to) && !this.cut.has(node.id),
      isAsking: (): boolean => false,
      request: async (to: NodeId, kind: string, body: Uint8Array): Promise<Buffer> => {
        const other = this.node(to);
        if (!other) throw new ManagerError('CHANNEL_FAILED', 'no such node');
        if (kind === 'read-index') return Buffer.from(await other.readBarriers.answerPeer());
        if (kind === 'blocks') return Buffer.from(await other.archiveDesk.blocks(node.id, body));
        if (kind === 'page') return Buffer.from(await other.archiveDesk.page(node.id, body));
        if (kind === 'decryption-share') {
          if (this.cut.has(to) || this.cut.has(node.id)) throw new ManagerError('PEER_TIMEOUT', '');
          return Buffer.from(await other.shareDesk.give(node.id, body));
        }
        if (kind === 'session-key') {
          if (this.cut.has(to) || this.cut.has(node.id)) throw new ManagerError('PEER_TIMEOUT', '');
          if (this.losesSentKeys) throw new ManagerError('CHANNEL_FAILED', 'lost');
          return Buffer.from(other.epochs.received(Buffer.from(body)));
        }
        const isCut = this.cut.has(to) || this.cut.has(node.id);
        if (isCut && isOfKeys(kind)) throw new ManagerError('PEER_TIMEOUT', kind);
        if (kind === 'granted-key') return Buffer.from(await other.epochs.give(node.id, body));
        if (kind === 'network-key') return Buffer.from(other.networkKeyDesk.give());
        if (kind === 'key-ceremony') return Buffer.from(await other.keyDesk.contribute(body));
        if (kind === 'holder-secret') return Buffer.from(other.keyDesk.holderSecret(node.id, body));
        if (kind !== 'administer') throw new Error(kind);
        return Buffer.from(await other.governance.executeForPeer(body));
      },
      set targets(_targets: readonly PeerTarget[]) {},
      refuse: (peer: NodeId, code: string): void => {
        node.refusedPeers.push(`${peer} ${code}`);
      },
    };
  }

  node(id: NodeId): TestNode {
    return this.nodes.find((node) => node.id === id) as TestNode;
  }

  add(owner: Organisation, genesis?: unknown): TestNode {
    const node = new TestNode(this, this.nodes.length + 1, owner, genesis);
    this.nodes.push(node);
    return node;
  }

  get running(): TestNode[] {
    return this.nodes.filter((node) => node.takesPart);
  }

  get leader(): TestNode | undefined {
    return this.running
      .filter((node) => node.driver.leads && !this.cut.has(node.id))
      .toSorted((a, b) => b.driver.status.view - a.driver.status.view)[0];
  }

  /** Delivers everything until nothing is on its way. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      const wire = this.#wire;
      this.#wire = [];
      for (const { from, to, bytes } of wire) {
        if (this.cut.has(from) || this.cut.has(to) || this.deaf.has(to)) continue;
        const node = this.nodes.find(({ id }) => id === to);
        if (node?.takesPart) {
          node.driver.received(from, this.intercept ? this.intercept(bytes, to) : bytes);
        }
      }
      let moved = wire.length > 0;
      for (const node of this.running) moved = node.host.report() || moved;
      await nextTurn();
      quiet = moved ? 0 : quiet + 1;
    }
  }

  /** Lets time pass for some nodes, all by default. */
  async tick(ticks: number, nodes: readonly TestNode[] = this.running): Promise<void> {
    for (let tick = 0; tick < ticks; tick++) {
      for (const node of nodes) node.driver.tick();
      await this.settle();
    }
  }

  /** Lets time pass for the nodes that are not cut off, until one of them leads. */
  async elect(): Promise<TestNode> {
    for (let ticks = 0; ticks < 200; ticks++) {
      const { leader } = this;
      if (leader) return leader;
      await this.tick(
        1,
        this.running.filter(({ id }) => !this.cut.has(id)),
      );
    }
    throw new Error('no leader');
  }

  /** Waits for what needs messages to be delivered. */
  async until<Result>(promise: Promise<Result>): Promise<Result> {
    let done = false;
    const settled = promise.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    for (let turn = 0; turn < 400 && !done; turn++) await this.settle();
    return settled;
  }
}
