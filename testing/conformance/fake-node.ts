import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Store, type TableDeclaration } from '@concordat/kv';
import { assert } from '@concordat/std';
import {
  type Actor,
  type ExternalSystem,
  type LedgerAdapter,
  type NetworkTrust,
  type Submitted,
  type Wait,
  Worker,
  type WorkerLimits,
  type WorkerOptions,
} from '@concordat/worker-enclave';
import { createFakeActor } from './fake-actor.ts';
import { FakeExternal } from './fake-external.ts';
import {
  type FakeBlock,
  FakeLedger,
  type FakeSnapshot,
  type FromWorker,
  type ToWorker,
} from './fake-ledger.ts';
import { FakeListener } from './fake-listener.ts';
import { dumpTables } from './table-dump.ts';

/** What an adapter thinks of a program; without a code it is as it should be. */
export interface ProgramVerdict {
  readonly code?: string;
  readonly message?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An opened request. */
export type Opened = Omit<Extract<ToWorker, { kind: 'opened' }>, 'kind' | 'id' | 'message'>;

/** How a fake node begins. */
export interface FakeNodeOptions {
  /** The adapter's part of the constitution. */
  readonly config?: unknown;
  readonly genesisData?: Uint8Array;
  /** Who speaks on the default port. */
  readonly actor?: Actor;
  /** `at-once`: a batch commits in the next turn; `on-demand`: when the test says so. */
  readonly commit?: 'at-once' | 'on-demand';
  /** Constitution policies that shape batches, e.g. `{maxBatchTransactions: 1}`. */
  readonly policies?: Readonly<Record<string, number>>;
  readonly limits?: Partial<WorkerLimits>;
  /** Default: 64 times `f`. */
  readonly networkId?: string;
  /** Whom the network trusts; default: nobody. */
  readonly trust?: NetworkTrust;
  /** Systems that the constitution lists; their ports are asked for on the loopback device. */
  readonly externalSystems?: readonly ExternalSystem[];
  /** Bounds of the answers kept for idempotency keys. */
  readonly answers?: WorkerOptions['answers'];
  /** Prepares requests; default: nobody. */
  readonly preparer?: WorkerOptions['preparer'];
  /** Wall clock, milliseconds since 1970. Default: this machine's. */
  readonly timeMs?: () => number;
  /** Entropy of the adapter. Default: this machine's. */
  readonly random?: (bytes: number) => Uint8Array;
  /** Begin as a follower with these committed blocks instead of making the genesis state. */
  readonly blocks?: readonly FakeBlock[];
  /** Begin as a follower with this state, taken on another node; its blocks are `blocks`. */
  readonly snapshot?: FakeSnapshot;
  /** Follow this node: its committed blocks arrive here, requests are forwarded to it. */
  readonly follows?: FakeNode;
  /** Decides when a read barrier of the worker is answered, and how; default: passed, next turn. */
  readonly onReadBarrier?: (reply: (code?: string) => void) => void;
  /** What the manager makes of a sealed request; default: nothing, it does not open. */
  readonly open?: (sealed: Uint8Array) => Opened;
  readonly log?: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/**
 * One node of a network that is not there: the real worker runtime, with the manager's side of the
 * channel played in this process. Batches are numbered and committed without consensus, encryption
 * or disk; clients reach the adapter over plain TCP on the loopback device, each port standing for
 * one authenticated actor.
 */
export class FakeNode {
  readonly worker: Worker;
  readonly adapters: readonly LedgerAdapter[];
  readonly actor: Actor;
  readonly ledger: FakeLedger;
  readonly external: FakeExternal;
  readonly events: {
    readonly event: string;
    readonly fields: Readonly<Record<string, unknown>>;
  }[] = [];
  /** What adapters said they run, oldest first. */
  readonly programStates: Readonly<Record<string, unknown>>[] = [];
  readonly #programs = new Map<number, (verdict: ProgramVerdict) => void>();
  readonly #listener: FakeListener;
  readonly #options: FakeNodeOptions;
  #systems: readonly ExternalSystem[];
  #policies: Readonly<Record<string, number>> = {};
  #port = 0;
  /** Requests that adapters judge, and batches that they execute, at this moment. */
  #underWay = 0;

  /** Use {@link createFakeNode}. */
  constructor(adapters: readonly LedgerAdapter[], options: FakeNodeOptions) {
    this.adapters = adapters;
    this.actor = options.actor ?? createFakeActor('alice');
    this.#options = options;
    this.#systems = options.externalSystems ?? [];
    this.ledger = new FakeLedger({
      deliver: (message) => this.worker.receive(message),
      atOnce: options.commit !== 'on-demand',
      nowMs: options.timeMs ?? Date.now,
    });
    this.external = new FakeExternal(
      (message) => this.worker.receive(message),
      (name) => {
        const found = this.#systems.find((system) => system.name === name);
        return found && Number(found.origin.split(':').at(-1));
      },
    );
    this.#listener = new FakeListener((message) => this.worker.receive(message));
    for (const adapter of adapters) this.#watch(adapter);
    this.worker = new Worker({
      adapters,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.answers && { answers: options.answers }),
      ...(options.preparer && { preparer: options.preparer }),
      send: (message) => this.#sent(message),
      wallMs: options.timeMs ?? Date.now,
      nowMs: () => performance.now(),
      random: options.random ?? ((bytes) => randomBytes(bytes)),
      log: (event, fields) => {
        this.events.push({ event, fields });
        options.log?.(event, fields);
      },
    });
  }

  /** Configures the worker, makes or replays the state, starts it and opens the default port. */
  async start(): Promise<void> {
    const { policies = {}, genesisData, blocks, follows, snapshot } = this.#options;
    this.configure(policies);
    const past = blocks ?? follows?.ledger.committedBlocks;
    if (past === undefined) this.#makeGenesis(genesisData);
    else if (snapshot === undefined) this.ledger.replay(past);
    else {
      assert(this.ledger.restore(snapshot, past) === undefined, 'the snapshot was refused');
      this.ledger.replay(past.slice(snapshot.height));
    }
    if (past === undefined) this.ledger.role(true);
    this.worker.receive({ kind: 'start' });
    follows?.ledger.feed(this.ledger);
    this.#port = await this.#listener.listen(this.actor);
  }

  /** Tells the worker the constitution's part, as on every change of it. */
  configure(policies: Readonly<Record<string, number>>): void {
    this.#policies = policies;
    const { config } = this.#options;
    const adapters = Object.fromEntries(this.adapters.map(({ id }) => [id, config]));
    const constitution = {
      adapters,
      policies,
      networkId: this.#options.networkId ?? 'f'.repeat(64),
      nodeId: 'a'.repeat(64),
      trust: this.#options.trust,
      externalSystems: this.#systems,
    };
    const json = Buffer.from(JSON.stringify(constitution));
    this.ledger.deliverAndAwait({ kind: 'configure', json });
  }

  /** The constitution lists these systems from now on. */
  listSystems(systems: readonly ExternalSystem[]): void {
    this.#systems = systems;
    this.configure(this.#policies);
  }

  #makeGenesis(data: Uint8Array | undefined): void {
    for (const { id } of this.adapters) {
      const part = data ?? new Uint8Array(0);
      this.ledger.deliverAndAwait({ kind: 'genesis', adapterId: id, last: true, part });
    }
    this.ledger.settle();
    this.ledger.commit();
  }

  /** Puts a program in force, or ends the application, in a block of its own. */
  deploy(adapterId: string, program: Uint8Array | undefined): void {
    const name = `public:${adapterId}/program`;
    const store = new Store([{ name, kind: 'hash' }]);
    const before = store.begin(1);
    before.table(name).set('current', new Uint8Array(0));
    before.takeWriteSet();
    before.finish();
    const set = store.begin(2);
    if (program === undefined) set.table(name).delete('current');
    else set.table(name).set('current', program);
    this.ledger.deploy(set.takeWriteSet());
  }

  /** Asks about a program, as the manager does. */
  askProgram(
    purpose: 'check' | 'prepare',
    adapterId: string,
    bytes: Uint8Array,
  ): Promise<ProgramVerdict> {
    const request = this.#programs.size + 1;
    return new Promise((resolve) => {
      this.#programs.set(request, resolve);
      this.worker.receive({ kind: 'program', request, purpose, adapterId, bytes });
    });
  }

  /** Loopback port of the default actor. */
  get port(): number {
    return this.#port;
  }

  /** Where `fetch` reaches the adapter as the default actor. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Opens another port, on which this actor speaks. */
  listen(actor: Actor): Promise<number> {
    return this.#listener.listen(actor);
  }

  /** Submits to the only adapter, or the one named, without HTTP. */
  submit(
    raw: Uint8Array,
    options: {
      readonly actor?: Actor;
      readonly wait?: Wait;
      readonly adapterId?: string;
    } = {},
  ): Promise<Submitted<unknown>> {
    const { actor = this.actor, wait = 'commit', adapterId } = options;
    const host = this.worker.hostOf(adapterId ?? (this.adapters[0] as LedgerAdapter).id);
    assert(host !== undefined, `no adapter ${adapterId}`);
    return host.submit(raw, actor, { wait });
  }

  /** Counts what the adapter does that takes its time, such as starting a process. */
  #watch(adapter: LedgerAdapter): void {
    const counted = <Result>(result: Result): Result => {
      if (!(result instanceof Promise)) return result;
      this.#underWay++;
      const ended = (): void => {
        this.#underWay--;
      };
      result.then(ended, ended);
      return result;
    };
    const admit = adapter.admit.bind(adapter);
    const execute = adapter.execute.bind(adapter);
    adapter.admit = (...about) => counted(admit(...about));
    adapter.execute = (...about) => counted(execute(...about));
  }

  /**
   * Waits until what was submitted is executed and numbered, as far as it can be without another
   * commit: for an adapter at work at most 20 seconds, else about half a second.
   */
  async settled(): Promise<void> {
    const untilMs = performance.now() + 20_000;
    for (let turn = 0; turn < 250 && performance.now() < untilMs; ) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!this.ledger.hold) this.ledger.settle();
      if (turn >= 4 && this.worker.queued === 0) return;
      if (turn >= 4) await sleep(2);
      if (this.#underWay === 0) turn++;
    }
  }

  /** Committed content of the adapters' tables, as sorted hex. */
  dump(): ReturnType<typeof dumpTables> {
    return dumpTables(this.worker.committed, this.#tables());
  }

  /** The same of the speculative head. */
  dumpHead(): ReturnType<typeof dumpTables> {
    return dumpTables(this.worker.head, this.#tables());
  }

  /** Closes ports, connections and timers. */
  async close(): Promise<void> {
    this.worker.close();
    await this.#listener.close();
  }

  #tables(): readonly TableDeclaration[] {
    return this.adapters.flatMap((adapter) => adapter.tables);
  }

  #sent(message: FromWorker): boolean {
    if (this.#listener.take(message) || this.ledger.take(message)) return true;
    if (message.kind === 'forward') this.#forward(message);
    else if (message.kind === 'readBarrier') this.#barrier(message.id);
    else if (message.kind === 'past') this.#past(message);
    else if (message.kind === 'external') this.external.received(message);
    else if (message.kind === 'open') this.#open(message);
    else if (message.kind === 'question') this.#noManager(message.id);
    else if (message.kind === 'programState') {
      this.programStates.push(JSON.parse(Buffer.from(message.json).toString()));
    } else if (message.kind === 'programReply') {
      const { request, code, json } = message;
      const said = json.length === 0 ? {} : JSON.parse(Buffer.from(json).toString());
      this.#programs.get(request)?.({ ...said, ...(code !== undefined && { code }) });
    } else if (message.kind === 'forwardedReply') this.ledger.reply(message);
    return true;
  }

  #past(request: Extract<FromWorker, { kind: 'past' }>): void {
    const reply = this.ledger.past(request);
    setImmediate(() => this.worker.receive({ kind: 'pastReply', id: request.id, ...reply }));
  }

  #open({ id, sealed }: Extract<FromWorker, { kind: 'open' }>): void {
    const nothing = { identity: new Uint8Array(0), payload: sealed, secret: sealed, digest: '' };
    const unread = { ...nothing, code: 'SEALED_REQUEST_UNREADABLE', createdAtMs: 0 };
    const opened = this.#options.open?.(sealed) ?? unread;
    setImmediate(() => this.worker.receive({ kind: 'opened', id, message: '', ...opened }));
  }

  /** A ledger without keys and signatures has no receipts. */
  #noManager(id: number): void {
    const reason = { code: 'TRANSACTION_NOT_FOUND', bytes: Buffer.from('no receipts here') };
    setImmediate(() => this.worker.receive({ kind: 'answer', id, ...reason }));
  }

  #barrier(id: number): void {
    const { onReadBarrier = (reply) => setImmediate(reply) } = this.#options;
    onReadBarrier((code) =>
      this.worker.receive({ kind: 'readBarrierReply', id, ...(code && { code }) }),
    );
  }

  #forward({ id, identity, request }: Extract<FromWorker, { kind: 'forward' }>): void {
    const leader = this.#options.follows;
    const answer = (reply: Omit<Extract<ToWorker, { kind: 'forwardReply' }>, 'kind' | 'id'>) =>
      setImmediate(() => this.worker.receive({ kind: 'forwardReply', id, ...reply }));
    if (leader === undefined) {
      const reply = Buffer.from('{"code":"NO_LEADER","message":"nobody leads"}');
      answer({ ok: false, height: 0, reply });
      return;
    }
    leader.ledger.forwarded({ identity, request }, answer);
  }
}

/** Starts a fake node for one adapter, or for several in one worker. */
export async function createFakeNode(
  adapter: LedgerAdapter | readonly LedgerAdapter[],
  options: FakeNodeOptions = {},
): Promise<FakeNode> {
  const adapters = Array.isArray(adapter) ? adapter : [adapter as LedgerAdapter];
  const node = new FakeNode(adapters, options);
  await node.start();
  return node;
}
