import { createHash, type Hash } from 'node:crypto';
import { decodeControlToHost, FrameDecoder } from '@concordat/bridge';
import { decodeMessage } from '@concordat/consensus';
import { createSigningKey, exportSigningScalar, sha256 } from '@concordat/crypto';
import { CodedError, type NodeId, utf8 } from '@concordat/std';
import { DurableLedger } from '../checks/durable-ledger.ts';
import { LedgerWatch } from '../checks/ledger-watch.ts';
import { SecretsWatch } from '../checks/secrets-watch.ts';
import { Violation } from '../checks/violation.ts';
import { type DiskOperation, FileSystem } from '../disk/file-system.ts';
import { takeOver } from '../platform/surroundings.ts';
import type { VirtualProcess } from '../platform/virtual-process.ts';
import { WorldClock } from '../platform/world-clock.ts';
import { Random } from '../random.ts';
import type { NodeNetwork } from './channel.ts';
import { DiskHealth } from './disk-health.ts';
import type { Enclave } from './enclave.ts';
import { type LogLine, Machine, type MachineConfig } from './machine.ts';
import type { Organisation } from './organisation.ts';
import type { NetworkPlan } from './plan.ts';
import { Wire } from './wire.ts';

/** Lines kept to be shown with a failure. */
const keptLines = 200;

/** Time a request of a client or operator takes each way, milliseconds. */
const requestDelayMs = 0.5;

/** Codes of failures that only damage to a disk explains. */
const damageCodes: ReadonlySet<string> = new Set([
  'LEDGER_CORRUPT',
  'LEDGER_TRUNCATED',
  'RECORD_UNREADABLE',
  'LEDGER_DAMAGED',
  'LEDGER_HOLE',
  'LEDGER_OVERLAP',
  'HOST_FAULT',
  'DISK_ERROR',
  'DISK_FULL',
]);
/** Refusals of consensus that no honest peer's message meets. */
const dishonestCodes: ReadonlySet<string> = new Set(['MALFORMED', 'SECOND_LEADER', 'CONFLICT']);

/** Machines, the network between them, and everything that watches: one world of one seed. */
export class World {
  readonly seed: number;
  readonly plan: NetworkPlan;
  readonly clock: WorldClock;
  readonly wire: Wire;
  readonly machines: Machine[] = [];
  readonly secrets: SecretsWatch;
  readonly ledger: LedgerWatch;
  readonly health: DiskHealth;
  /** Damage codes by how often they were told. */
  readonly alarms = new Map<string, number>();
  /** Damaged chunks that were set aside, to be fetched again. */
  chunksSetAside = 0;
  readonly #random: Random;
  /** How often a key that a leader sends is lost now: 0 to 1. */
  lostKeys: number;
  readonly #lostKeys: Random;
  readonly #files = new FileSystem();
  readonly #network: NodeNetwork;
  readonly #giveBack: () => void;
  readonly #trace: Hash = createHash('sha256');
  readonly #lines: string[] = [];
  readonly #machineOf = new Map<NodeId, Machine>();
  readonly #ledgers = new Map<Machine, DurableLedger>();
  readonly #decoders = new WeakMap<Enclave, FrameDecoder>();
  readonly #onRejection = (error: unknown): void => this.bug('a promise', error);
  #violation: Violation | undefined;

  constructor(seed: number, plan: NetworkPlan) {
    this.seed = seed;
    this.plan = plan;
    this.#random = streamOf(seed, 1);
    this.#lostKeys = streamOf(seed, 4);
    this.lostKeys = plan.lostKeys;
    this.clock = new WorldClock((process) => this.#happened(process));
    this.wire = new Wire(this.clock, streamOf(seed, 2), plan.wire);
    this.secrets = new SecretsWatch(String(seed));
    this.health = new DiskHealth(this.clock, streamOf(seed, 3), plan.disk);
    this.ledger = new LedgerWatch({
      nameOf: (node) => this.#machineOf.get(node)?.name ?? node.slice(0, 8),
      mayVote: (node) => this.#mayVote(node),
      holds: (node, height, digest) => this.#holds(node, height, digest),
    });
    this.#network = {
      wire: this.wire,
      listeners: new Map(),
      losesRequest: (kind) => isOfKeys(kind) && this.#lostKeys.chance(this.lostKeys),
      onMessage: (from, to, bytes) => {
        this.#trace.update(from).update(to).update(bytes);
        this.guard(() => {
          if (!isOpenByDesign(bytes)) this.secrets.seen(bytes, 'a consensus message');
        });
      },
    };
    this.#giveBack = takeOver({
      clock: this.clock,
      seed: `simulation ${seed}`,
      files: (name, real) => this.#files.replacement(name, real),
      onSeal: (...seal) => this.guard(() => this.secrets.sealing(...seal)),
    });
    process.on('unhandledRejection', this.#onRejection);
  }

  /** Gives everything back that was taken over. */
  end(): void {
    process.off('unhandledRejection', this.#onRejection);
    this.#giveBack();
  }

  /** A stream of numbers for one purpose; purposes below 16 are the world's own. */
  random(purpose: number): Random {
    return streamOf(this.seed, 16 + purpose);
  }

  /** Adds a machine, switched off. */
  addMachine(owner: Organisation, config: MachineConfig): Machine {
    const name = `m${this.machines.length + 1}`;
    const key = createSigningKey(sha256(utf8(`${this.seed} platform ${name}`)));
    const machine: Machine = new Machine(
      {
        name,
        owner,
        clock: this.clock,
        random: this.#random,
        files: this.#files,
        mounted: {
          wait: (operation) => this.health.wait(name, operation),
          fault: (operation) => this.health.fault(name, operation),
          onRead: (path, bytes) => this.health.read(name, path, bytes),
          onWrite: (path, bytes) => this.guard(() => this.secrets.seen(bytes, path)),
        },
        network: this.#network,
        events: {
          onLog: (_machine, line) => this.#logged(machine, line),
          onStatus: () => undefined,
          onBridge: (_machine, to, bytes) => this.#bridge(machine, to, bytes),
          onBug: (_machine, what, error) => this.bug(`${name}: ${what}`, error),
        },
        tickMs: this.plan.tickMs,
        chunkBytes: this.plan.chunkBytes,
        platformKeyPem: key.toPkcs8Pem(),
      },
      config,
    );
    this.machines.push(machine);
    this.#ledgers.set(machine, new DurableLedger(machine.disk, `${machine.dataDirectory}/ledger`));
    return machine;
  }

  /** Lets time pass until a moment or until `done`. @throws Violation */
  async run(forMs: number, done: () => boolean = () => false): Promise<void> {
    await this.clock.run(this.clock.nowMs + forMs, () => this.#violation !== undefined || done());
    if (this.#violation) throw this.#violation;
  }

  /** Waits, on behalf of nobody. */
  pause(ms: number): Promise<void> {
    return new Promise((done) => {
      this.clock.after(ms, undefined, done);
    });
  }

  /**
   * Has something done inside a machine's enclave, as a client or operator would ask over the
   * network, and waits for what comes back.
   * @throws CodedError GONE when nothing does in time; what the action throws
   */
  inside<Answer>(
    machine: Machine,
    action: (enclave: Enclave) => Promise<Answer>,
    timeoutMs = 15_000,
  ): Promise<Answer> {
    const { enclave } = machine;
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new CodedError('GONE', `${machine.name} did not answer`));
      const late = this.clock.after(timeoutMs, undefined, gone);
      if (!enclave) return;
      const back = (settle: () => void): void => {
        late.cancel();
        this.clock.after(requestDelayMs, undefined, settle);
      };
      this.clock.after(requestDelayMs, enclave.process, () => {
        Promise.resolve(enclave)
          .then(action)
          .then(
            (answer) => back(() => resolve(answer)),
            (error: unknown) => back(() => reject(error)),
          );
      });
    });
  }

  /** Runs a check; a violation ends the run after the present event, whoever is on the stack. */
  guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.violated(error);
    }
  }

  /** A promise was broken: the run ends. */
  violated(violation: Violation): void {
    this.#violation ??= violation;
  }

  /** Product code did what it must never do. */
  bug(where: string, error: unknown): void {
    if (error instanceof Violation) {
      this.violated(error);
      return;
    }
    const { stack, message } = error as Error;
    this.violated(new Violation('BUG', `${where}: ${message}\n${stack ?? ''}`));
  }

  /** Remembers a line to be shown with a failure; part of the trace. */
  note(text: string): void {
    const line = `${(this.clock.nowMs / 1000).toFixed(3).padStart(9)} ${text}`;
    this.#trace.update(line);
    this.#lines.push(line);
    if (this.#lines.length > keptLines) this.#lines.shift();
  }

  /** The newest lines. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Digest of everything that happened, hex. */
  get trace(): string {
    return this.#trace.copy().digest('hex');
  }

  /** Machines whose enclaves run. */
  get running(): (Machine & { readonly enclave: Enclave })[] {
    return this.machines.filter(
      (machine): machine is Machine & { readonly enclave: Enclave } =>
        machine.enclave?.process.alive === true,
    );
  }

  /** The blocks a machine's disk certainly holds. */
  ledgerOf(machine: Machine): DurableLedger {
    return this.#ledgers.get(machine) as DurableLedger;
  }

  /** The machine a node runs or ran on. */
  machineOf(node: NodeId): Machine | undefined {
    return this.#machineOf.get(node);
  }

  #happened(process: VirtualProcess | undefined): void {
    this.#trace.update(`${this.clock.nowMs} ${process?.name}\n`);
    if (!process) return;
    for (const machine of this.machines) {
      const { enclave } = machine;
      if (enclave?.process === process) this.guard(() => this.#observe(machine, enclave));
    }
  }

  #observe(machine: Machine, enclave: Enclave): void {
    const { manager } = enclave.launch;
    if (!manager) return;
    const { nodeId } = manager.identity;
    if (machine.nodeId !== nodeId) {
      machine.nodeId = nodeId;
      machine.isIntact = true;
      this.#machineOf.set(nodeId, machine);
    }
    if (!manager.takesPart) return;
    const { log, driver } = manager;
    const { view, configurations } = driver.status;
    this.ledger.observe(enclave, {
      nodeId,
      view,
      leads: driver.leads,
      committed: log.committedHeight,
      lastHeight: log.lastHeight,
      configurations,
      viewAt: (height) => log.viewAt(height),
    });
  }

  /** What the managers know must be known nowhere else. */
  #watchKeys({ enclave }: Machine): void {
    const manager = enclave?.launch.manager;
    if (manager?.networkKey.isHeld && !this.secrets.watchesNetwork) {
      this.secrets.holdsNetwork(exportSigningScalar(manager.networkKey.signing()));
    }
    const keys = manager?.sessionKeys;
    for (const epoch of keys?.epochs ?? []) {
      const held = keys?.get(epoch);
      if (held) this.secrets.holds(held.key);
    }
  }

  #mayVote(node: NodeId): boolean {
    const machine = this.#machineOf.get(node);
    return machine !== undefined && machine.nodeId === node && machine.isIntact;
  }

  #holds(node: NodeId, height: number, digest: string): boolean {
    const machine = this.#machineOf.get(node);
    return machine !== undefined && this.ledgerOf(machine).holds(height, digest);
  }

  #bridge(machine: Machine, to: 'host' | 'enclave', bytes: Buffer): void {
    this.#trace.update(bytes);
    this.guard(() => this.secrets.seen(bytes, `the bridge of ${machine.name}`));
    const { enclave } = machine;
    if (to === 'enclave' || !enclave) return;
    let decoder = this.#decoders.get(enclave);
    if (!decoder) {
      decoder = new FrameDecoder();
      this.#decoders.set(enclave, decoder);
    }
    for (const frame of decoder.push(bytes)) {
      const message = decodeControlToHost(frame);
      if (message.kind === 'append') {
        const { block } = message;
        this.guard(() => this.ledger.appended(enclave, machine.name, block));
      } else if (message.kind === 'truncate') {
        this.guard(() => this.ledger.truncated(enclave, machine.name, message.after));
      }
    }
  }

  #logged(machine: Machine, line: LogLine): void {
    const { event, code, why } = line;
    this.#watchKeys(machine);
    if (!event.startsWith('channel.') && !event.startsWith('snapshot.')) {
      const { time: _time, level: _level, node: _node, source: _source, ...rest } = line;
      this.note(`${machine.name} ${JSON.stringify(rest)}`);
    }
    if (event === 'healing.set-aside') this.chunksSetAside += 1;
    if (typeof code !== 'string') return;
    if (event === 'manager.failed') machine.failed(code);
    if (event === 'manager.failed' && code === 'INTERNAL_ERROR') {
      this.violated(new Violation('BUG', `${machine.name}: ${why}`));
    }
    if (code === 'NETWORK_LIVE' && event === 'manager.failed') machine.isIntact = false;
    const fails = event === 'manager.failed' || event === 'enclaves.launch-failed';
    const tells = event === 'ledger.damaged' || event === 'healing.started';
    const isAlarm = damageCodes.has(code) && (fails || tells);
    if (isAlarm) {
      this.alarms.set(code, (this.alarms.get(code) ?? 0) + 1);
      const isDoubtful = machine.suspect || machine.isSpoiled;
      if (!isDoubtful && !this.health.hasReadFalsely(machine.name)) {
        this.violated(
          new Violation('FALSE_ALARM', `${machine.name}: ${code} on an honest disk: ${why}`),
        );
      }
    }
    if (event === 'consensus.refused' && dishonestCodes.has(code)) {
      this.violated(new Violation('DISHONEST_PEER', `${machine.name}: ${code} ${why}`));
    }
  }
}

/** Requests that hand over keys. */
const isOfKeys = (kind: string): boolean =>
  kind === 'session-key' || kind === 'granted-key' || kind === 'network-key';

/** Chunks of snapshots travel opened within the attested TLS that this network stands in for. */
const isOpenByDesign = (message: Buffer): boolean => decodeMessage(message).type === 'install';

/** A stream of numbers of a run for one purpose. */
function streamOf(seed: number, purpose: number): Random {
  const digest = createHash('sha256').update(`${seed} ${purpose}`).digest();
  return new Random(digest.readUIntBE(0, 6));
}

/** Whether an error carries one of these codes. */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof CodedError && codes.includes(String(error.code));

export type { DiskOperation };
