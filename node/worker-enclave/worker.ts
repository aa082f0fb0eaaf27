import type { ChannelToManager, ChannelToWorker } from '@concordat/bridge';
import type { ReadView, Store } from '@concordat/kv';
import { isHex64 } from '@concordat/std';
import { Accounts } from './accounts.ts';
import type { Actor } from './actors.ts';
import type { AdapterHost, BatchEnvironment, LedgerAdapter } from './adapter.ts';
import { parseConfiguration } from './configuration.ts';
import { WorkerError } from './errors.ts';
import { ExternalCalls } from './external-calls.ts';
import { Forwarding } from './forwarding.ts';
import { Front } from './front.ts';
import { makeGenesis } from './genesis.ts';
import { GenesisParts } from './genesis-parts.ts';
import { identityOf } from './identities.ts';
import { Intake } from './intake.ts';
import type { AnswerBounds } from './kept-answers.ts';
import { LaneHost } from './lane-host.ts';
import { createLanes } from './lanes.ts';
import { LedgerQuestions } from './ledger-questions.ts';
import {
  type BatchPolicy,
  defaultAnswerBounds,
  defaultBatchPolicy,
  defaultLimits,
  overlayNumbers,
  type WorkerLimits,
} from './limits.ts';
import { PastReader } from './past-reader.ts';
import { Pipeline } from './pipeline.ts';
import type { Preparer } from './preparation.ts';
import { ProgramDesk } from './program-desk.ts';
import { type ReadCallback, ReadGate } from './read-gate.ts';
import { Settlement } from './settlement.ts';
import { SnapshotMaker } from './snapshot-maker.ts';
import { SpeculativeChain } from './speculative-chain.ts';
import { StateRestorer } from './state-restorer.ts';
import { Stats } from './stats.ts';
import type { Lane } from './submission.ts';

/** What a worker is made of; clocks and entropy are injected so that tests decide them. */
export interface WorkerOptions {
  readonly adapters: readonly LedgerAdapter[];
  readonly limits?: Partial<WorkerLimits>;
  /** Prepares requests beside this thread; absent: every request is admitted as it comes. */
  readonly preparer?: Preparer;
  /** How long, and how much of, the answers to keyed requests are kept. */
  readonly answers?: Partial<AnswerBounds>;
  /** Sends one frame to the manager; false asks to hold back until {@link Worker.drained}. */
  readonly send: (message: ChannelToManager) => boolean;
  /** Wall clock, milliseconds since 1970. */
  readonly wallMs: () => number;
  /** Monotonic clock, milliseconds. */
  readonly nowMs: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

const sweepMs = 1_000;
const zeroNode = '0'.repeat(64);
/** Of why a snapshot was refused, in characters: at most 1,024 bytes on the wire. */
const maxReasonLength = 256;

/**
 * One worker enclave without its sockets: what the manager says goes in through `receive`, what
 * the worker says goes out through `send`. It answers `ready` when it has acted on `configure`, on
 * an adapter's last `genesis` frame, on `role`, on `rollback`, on the last `restore` frame, and on
 * the `refused` of a batch it still had: a batch that arrives before that `ready` was executed on a state that is gone, and the
 * manager refuses it.
 */
export class Worker {
  readonly limits: WorkerLimits;
  readonly stats = new Stats();
  /** What is asked of the manager about the ledger. */
  readonly questions: LedgerQuestions;
  /** Committed transactions of the past. */
  readonly past: PastReader;
  readonly external: ExternalCalls;
  readonly #options: WorkerOptions;
  readonly #store: Store;
  readonly #lanes: readonly Lane[];
  readonly #hosts: readonly LaneHost[];
  readonly #chain: SpeculativeChain;
  readonly #pipeline: Pipeline;
  readonly #forwarding: Forwarding;
  readonly #intake: Intake;
  readonly #reads: ReadGate;
  readonly #front: Front;
  readonly #settlement: Settlement;
  readonly #snapshots: SnapshotMaker;
  readonly #restorer: StateRestorer;
  readonly #programs: ProgramDesk;
  readonly #sweep: NodeJS.Timeout;
  #policy: BatchPolicy = defaultBatchPolicy;
  #nodeId = zeroNode;
  #leader = false;
  #view = 0;
  /** Clients are served. */
  #started = false;
  /** The adapters have been started: that happens once. */
  #adaptersStarted = false;
  #timeMs = 0;
  readonly #genesisParts: GenesisParts;

  /** @throws WorkerError INVALID_ADAPTERS */
  constructor(options: WorkerOptions) {
    this.#options = options;
    this.limits = { ...defaultLimits, ...options.limits };
    const { limits, stats } = this;
    this.#genesisParts = new GenesisParts(limits.maxGenesisBytes);
    const { nowMs, send, log } = options;
    const answers = { ...defaultAnswerBounds, ...options.answers };
    const { store, lanes } = createLanes(options.adapters, answers);
    this.#store = store;
    this.#lanes = lanes;
    this.#chain = new SpeculativeChain(store, (change) => {
      for (const { adapter } of lanes) adapter.stateChanged?.(change);
    });
    const accounts = new Accounts();
    this.#intake = new Intake({
      lanes,
      accounts,
      limits,
      stats,
      nowMs,
      isOpen: () => this.#started,
      isLeader: () => this.#leader,
      sendAnswer: (answer) => send({ kind: 'forwardedReply', ...answer }),
      onPressure: (high) => this.#front.pressure(high),
    });
    const { answer } = this.#intake;
    const dispatch = this.#intake.dispatch.bind(this.#intake);
    this.#pipeline = new Pipeline({
      ...options,
      lanes,
      chain: this.#chain,
      stats,
      limits,
      policy: () => this.#policy,
      environment: () => this.#environment(),
      sendBatch: (batch, transactions) => send({ kind: 'batch', batch, transactions }),
      answer,
      whenCurrent: ({ actor }, done) => this.whenCurrent(actor, done),
      reroute: dispatch,
    });
    this.#forwarding = new Forwarding({
      send: (id, identity, request) => send({ kind: 'forward', id, identity, request }),
      identityOf: (submission) => identityOf(submission.actor),
      answer,
      dispatch,
      committedHeight: () => this.#settlement.committedHeight,
    });
    this.#intake.connect(this.#pipeline, this.#forwarding);
    this.#settlement = this.#createSettlement();
    const ask = (id: number) => send({ kind: 'readBarrier', id });
    this.#reads = new ReadGate({ accounts, limits, ask, nowMs });
    this.questions = new LedgerQuestions({ ask: (question) => send(question), nowMs });
    this.past = new PastReader((request) => send(request), nowMs);
    this.external = new ExternalCalls({ send });
    this.#hosts = lanes.map((lane) => new LaneHost(lane, this.#intake, this));
    this.#front = this.#createFront(accounts);
    const committedHeight = () => this.#settlement.committedHeight;
    this.#snapshots = new SnapshotMaker({ store, lanes, committedHeight, send, nowMs, log });
    this.#restorer = this.#createRestorer();
    this.#programs = new ProgramDesk(lanes, send);
    this.#sweep = setInterval(() => this.#expire(), sweepMs).unref();
  }

  #createSettlement(): Settlement {
    return new Settlement({
      lanes: this.#lanes,
      chain: this.#chain,
      pipeline: this.#pipeline,
      intake: this.#intake,
      forwarding: this.#forwarding,
      stats: this.stats,
      nowMs: this.#options.nowMs,
      isServing: () => this.#started,
      sawTime: (timeMs) => {
        this.#timeMs = Math.max(this.#timeMs, timeMs);
      },
    });
  }

  #createFront(accounts: Accounts): Front {
    return new Front({
      ...this.#options,
      routes: this.#hosts.map((host, at) => ({
        endpoints: (this.#lanes[at] as Lane).adapter.endpoints,
        host,
      })),
      accounts,
      limits: this.limits,
      isReady: () => this.#started,
      whenCurrent: (actor, done) => this.whenCurrent(actor, done),
      health: () => this.health(),
      statistics: () => this.statistics(),
      questions: this.questions,
    });
  }

  #createRestorer(): StateRestorer {
    return new StateRestorer({
      store: this.#store,
      lanes: this.#lanes,
      began: () => this.#stopService(),
      restored: ({ height, timeMs }) => {
        this.#timeMs = Math.max(this.#timeMs, timeMs);
        this.#settlement.restored(height);
        this.log('worker.restored', { height });
      },
      refused: (code, message) => {
        this.log('worker.restore-refused', { code });
        const reason = message.slice(0, maxReasonLength);
        this.#options.send({ kind: 'restoreRefused', code, message: reason });
      },
      ended: () => this.#ready(),
    });
  }

  /** The committed state of every adapter. */
  get committed(): ReadView {
    return this.#store.committed();
  }

  /** The speculative head of every adapter. */
  get head(): ReadView {
    return this.#store.head();
  }

  /** What an adapter's endpoints work with; for callers beside the HTTP front. */
  hostOf(adapterId: string): AdapterHost | undefined {
    return this.#hosts.find((host) => host.adapterId === adapterId);
  }

  /** Transactions that wait to be executed. */
  get queued(): number {
    return this.#pipeline.queued;
  }

  whenCurrent(actor: Actor, done: ReadCallback): void {
    this.#reads.whenCurrent(actor, done);
  }

  role(): { readonly leader: boolean; readonly view: number } {
    return { leader: this.#leader, view: this.#view };
  }

  timeMs(): number {
    return this.#options.wallMs();
  }

  log(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#options.log(event, fields);
  }

  /** What `GET /app/health` answers. */
  health(): { ok: boolean; [field: string]: unknown } {
    return {
      ok: this.#started,
      role: this.#leader ? 'leader' : 'follower',
      view: this.#view,
      committedHeight: this.#settlement.committedHeight,
    };
  }

  /** What `GET /app/stats` answers. */
  statistics(): Record<string, unknown> {
    return {
      ...this.health(),
      nodeId: this.#nodeId,
      adapters: this.#lanes.map((lane) => lane.adapter.id),
      pipeline: this.stats.snapshot(this.#options.nowMs()),
      queue: {
        open: this.#intake.open,
        queued: this.#pipeline.queued,
        queuedBytes: this.#pipeline.queuedBytes,
        batchesInFlight: this.#chain.length,
        forwardedWaiting: this.#forwarding.waiting,
        heldReads: this.#reads.held,
      },
      connections: this.#front.counts(),
    };
  }

  /** The manager takes frames again after `send` returned false. */
  drained(): void {
    this.#front.drained();
    this.#snapshots.drained();
  }

  /** Ends every connection and timer. */
  close(): void {
    clearInterval(this.#sweep);
    this.#front.close();
    this.#pipeline.stop();
    this.external.stop();
    this.#snapshots.stop();
    this.#forwarding.stop();
    for (const { adapter } of this.#lanes) adapter.stop?.();
  }

  /**
   * Acts on one frame of the manager.
   * @throws WorkerError PROTOCOL, AdapterError, KvError: this worker cannot go on
   */
  receive(message: ChannelToWorker): void {
    switch (message.kind) {
      case 'streamData':
        this.#front.data(message.id, message.data);
        return;
      case 'streamOpen':
      case 'streamEnd':
      case 'streamReset':
      case 'opened':
        this.#front.receive(message);
        return;
      case 'sealed':
        this.#chain.sealed(message.batch, message);
        this.#pipeline.numbered();
        return;
      case 'committed':
        this.#settlement.committed(message.height);
        return;
      case 'committedByAll':
        this.#settlement.committedByAll(message.height);
        return;
      case 'applied':
        for (const block of message.blocks) this.#settlement.applied(block);
        return;
      case 'forwarded':
        this.#intake.forwarded(message);
        return;
      case 'forwardReply':
        this.#forwarding.replied(message);
        return;
      case 'readBarrierReply':
        this.#reads.replied(message);
        return;
      case 'answer':
        this.questions.answered(message);
        return;
      case 'pastReply':
        this.past.replied(message);
        return;
      case 'external':
        this.external.received(message);
        return;
      default:
        this.#receiveRare(message);
    }
  }

  #receiveRare(message: ChannelToWorker): void {
    switch (message.kind) {
      case 'ping':
        this.#options.send({ kind: 'pong' });
        return;
      case 'role':
        this.#role(message.leader, message.view);
        return;
      case 'rollback':
        this.#rollback(message.height);
        return;
      case 'refused':
        this.#refused(message.batch);
        return;
      case 'configure':
        this.#configure(message.json);
        return;
      case 'genesis':
        this.#genesis(message.adapterId, message.last, message.part);
        return;
      case 'start':
        this.#start();
        return;
      case 'restore':
        this.#restorer.receive(message);
        return;
      case 'program':
        void this.#programs.receive(message);
        return;
      case 'snapshot':
      case 'snapshotTaken':
      case 'snapshotCancel':
        this.#snapshots.receive(message);
        return;
      default:
        throw new WorkerError('PROTOCOL', `unexpected frame ${message.kind}`);
    }
  }

  #role(leader: boolean, view: number): void {
    const changed = leader !== this.#leader || view !== this.#view;
    if (view !== this.#view) this.#forwarding.viewChanged();
    this.#leader = leader;
    this.#view = view;
    if (this.#started && changed) {
      // The environment of a running execution names the old view.
      if (leader) this.#pipeline.interrupt();
      else this.#settlement.follow();
      if (leader) this.#lead();
      else this.#forwarding.unpark();
      this.log('worker.role', { leader, view });
    }
    this.#ready();
  }

  #lead(): void {
    this.#pipeline.lead();
    this.#forwarding.unpark();
  }

  #rollback(height: number): void {
    const blocks = this.#settlement.rollback(height);
    this.log('worker.rollback', { height, blocks });
    this.#ready();
  }

  #refused(batch: number): void {
    if (this.#chain.isUnsealed(batch)) this.#ready();
    this.#pipeline.refused(batch);
  }

  #configure(json: Uint8Array): void {
    const { adapters, policies, nodeId, networkId, trust, ...rest } = parseConfiguration(json);
    this.external.configure(rest.externalSystems);
    this.#policy = overlayNumbers(this.#policy, policies);
    if (typeof nodeId === 'string') this.#nodeId = nodeId;
    for (const { adapter, answers } of this.#lanes) {
      if (isHex64(networkId)) answers.network = networkId;
      adapter.configure(adapters[adapter.id]);
      adapter.trustChanged?.(trust);
    }
    this.#ready();
  }

  #genesis(adapterId: string, last: boolean, part: Uint8Array): void {
    const data = this.#genesisParts.take(part, last);
    if (data === undefined) return;
    const lane = this.#lanes.find((candidate) => candidate.adapter.id === adapterId);
    if (lane === undefined) {
      throw new WorkerError('PROTOCOL', `genesis data for unknown adapter ${adapterId}`);
    }
    makeGenesis(lane, data.length === 0 ? undefined : data, {
      chain: this.#chain,
      numbers: this.#pipeline,
      blockBytes: this.limits.genesisBlockBytes,
      env: this.#environment(),
      send: (batch, transactions) =>
        this.#options.send({ kind: 'genesisBatch', batch, transactions }),
    });
    this.#ready();
  }

  #start(): void {
    if (this.#started) return;
    this.#chain.adoptUnsealed();
    this.#started = true;
    if (!this.#adaptersStarted) {
      this.#adaptersStarted = true;
      this.#lanes.forEach((lane, at) => {
        lane.adapter.start?.(this.#hosts[at] as LaneHost);
      });
    }
    this.log('worker.started', { committedHeight: this.#settlement.committedHeight });
    if (this.#leader) this.#lead();
  }

  /** The state is about to be replaced: nothing of it, and nothing in between, may be seen. */
  #stopService(): void {
    if (this.#leader) throw new WorkerError('PROTOCOL', 'a leader is not given another state');
    this.#snapshots.abandon();
    this.#settlement.forget();
    this.#started = false;
    this.#front.dropAll();
    this.#store.clear();
  }

  #ready(): void {
    this.#settlement.dropUnsealed();
    this.#options.send({ kind: 'ready' });
  }

  #environment(): BatchEnvironment {
    this.#timeMs = Math.max(this.#timeMs, this.#options.wallMs());
    const { random } = this.#options;
    return { timeMs: this.#timeMs, view: this.#view, nodeId: this.#nodeId, random };
  }

  #expire(): void {
    const before = this.#options.nowMs() - this.limits.commitTimeoutMs;
    this.#settlement.expire(before);
    this.#pipeline.expire(before);
    this.#forwarding.expire(before);
    this.#reads.expire();
    this.questions.expire();
    this.#front.expire();
    this.past.expire();
  }
}
