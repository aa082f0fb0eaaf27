import { CodedError } from '@concordat/std';
import type { DiskImage } from '../disk/simulated-disk.ts';
import type { CrashKind } from '../disk/simulated-file.ts';
import type { Random } from '../random.ts';
import { revoke, rollOver } from './identity-changes.ts';
import type { Machine } from './machine.ts';
import { isServing, type Network } from './network.ts';
import { actorEntry, type Organisation } from './organisation.ts';
import { type FaultKind, faultKinds } from './plan.ts';
import { policyChanges } from './policy-changes.ts';
import { Survivors } from './survivors.ts';
import type { Cut } from './wire.ts';
import type { World } from './world.ts';

/** The director thinks of something new this often, milliseconds. */
const paceMs = 50;
const mostMachines = 7;

/**
 * Makes trouble, as the plan has it, and sees to it that what was promised can still be kept: never
 * are so many identities given up or disks spoilt that no quorum is left.
 */
export class Director {
  /** Faults by kind. */
  readonly counts = new Map<FaultKind, number>();
  readonly #network: Network;
  readonly #world: World;
  readonly #survivors: Survivors;
  readonly #random: Random;
  /** Disks as they were, to be put back by a host that lies. */
  readonly #images = new Map<Machine, { readonly atMs: number; readonly image: DiskImage }>();
  /** No other trouble until then: what is being tried must not be mixed with more. */
  #calmUntilMs = 0;
  #busy = false;
  /** The machine whose node is being voted out. */
  #leaving: Machine | undefined;
  #ended = false;

  constructor(network: Network) {
    this.#network = network;
    this.#world = network.world;
    this.#survivors = new Survivors(network.world);
    this.#random = network.world.random(2);
  }

  /** Makes trouble for so long, virtual milliseconds. */
  async direct(forMs: number): Promise<void> {
    const { clock } = this.#world;
    const untilMs = clock.nowMs + forMs;
    const turn = (): void => {
      if (this.#ended) return;
      this.#world.guard(() => this.#turn());
      clock.after(paceMs, undefined, turn);
    };
    turn();
    await this.#world.run(untilMs - clock.nowMs);
    this.#ended = true;
  }

  #turn(): void {
    const { plan, clock } = this.#world;
    if (clock.nowMs < this.#calmUntilMs) return;
    this.#takeImages();
    for (const kind of faultKinds) {
      if (!this.#random.chance((plan.faults[kind] * paceMs) / 1000)) continue;
      const done = this.#act(kind);
      if (done === undefined) continue;
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      this.#world.note(`director: ${kind} ${done}`);
    }
  }

  /** Does something; answers what, or undefined when it could not be done now. */
  #act(kind: FaultKind): string | undefined {
    const { running, machines } = this.#world;
    const up = machines.filter(({ isUp }) => isUp);
    if (up.length === 0) return undefined;
    const machine = this.#random.pick(up);
    const enclave = running.length > 0 ? this.#random.pick(running) : undefined;
    switch (kind) {
      case 'partition':
        return this.#partition();
      case 'crash':
        return this.#canSpare(machine) ? this.#crash(machine) : undefined;
      case 'kill':
        if (!enclave || !this.#canSpare(enclave)) return undefined;
        enclave.killEnclave();
        return enclave.name;
      case 'pause':
        if (!enclave) return undefined;
        enclave.enclave.process.pausedUntilMs = this.#until(20, 3_000);
        return enclave.name;
      case 'pause-host':
        if (!machine.host) return undefined;
        machine.host.pausedUntilMs = this.#until(20, 3_000);
        return machine.name;
      case 'clock-step':
        return this.#stepClock(machine);
      case 'stop-all':
        return this.#stopAll();
      case 'crash-majority':
        return this.#crashMajority();
      case 'transfer':
        return this.#transfer();
      case 'break-channel':
        return this.#breakChannel();
      case 'slow-disk':
      case 'full-disk':
      case 'disk-error':
      case 'stale-reads':
        return this.#troubleDisk(kind, machine);
      case 'bit-rot':
      case 'truncation':
      case 'rollback':
      case 'torn-pages':
      case 'wipe':
        return this.#tamper(kind, machine);
      case 'false-sync':
        return this.#claimSync(machine);
      case 'false-frame':
        return this.#sayNonsense(machine);
      default:
        return this.#govern(kind);
    }
  }

  #until(leastMs: number, mostMs: number): number {
    return this.#world.clock.nowMs + this.#random.between(leastMs, mostMs);
  }

  #partition(): string | undefined {
    const { wire, machines, clock } = this.#world;
    if (wire.cuts.length >= 2 || machines.length < 2) return undefined;
    const random = this.#random;
    const names = machines.map(({ name }) => name);
    const side = new Set(random.shuffle(names).slice(0, random.between(1, names.length - 1)));
    const oneWay = random.chance(0.3);
    const cut: Cut = {
      untilMs: clock.nowMs + random.between(100, 8_000),
      cuts: (from, to) => side.has(from) !== side.has(to) && (!oneWay || side.has(from)),
    };
    wire.cuts = [...wire.cuts, cut];
    return `${[...side].join(' ')}${oneWay ? ' one way' : ''}`;
  }

  /** Crashes a machine and switches it on again some time later. */
  #crash(machine: Machine): string {
    const { clock } = this.#world;
    const kinds: CrashKind[] = ['lost', 'torn', 'zeros', 'kept'];
    machine.crash(() => this.#random.pick(kinds));
    clock.after(this.#random.between(50, 4_000), undefined, () => {
      if (!machine.isUp && !machine.isGone) machine.boot();
    });
    return machine.name;
  }

  /** Whether a machine may be crashed: its node may be lost for good by that. */
  #canSpare(machine: Machine): boolean {
    return this.#isVoter(machine) ? this.#survivors.goOnWithout(machine) : true;
  }

  #isVoter({ nodeId }: Machine): boolean {
    return (
      nodeId !== undefined &&
      this.#survivors.configurations.some(({ voters }) => voters.includes(nodeId))
    );
  }

  #stepClock(machine: Machine): string {
    const { clockSkewMs, clockDrift } = this.#world.plan;
    const random = this.#random;
    machine.clockError.offsetMs = (2 * random.fraction() - 1) * clockSkewMs;
    machine.clockError.rate = 1 + (2 * random.fraction() - 1) * clockDrift;
    for (const process of [machine.host, machine.enclave?.process]) {
      if (process) process.clock.offsetMs = machine.clockError.offsetMs;
    }
    return `${machine.name} ${Math.round(machine.clockError.offsetMs)} ms`;
  }

  /** Everything stops in good order, and starts again. */
  #stopAll(): string | undefined {
    const { machines } = this.#world;
    if (!this.#survivors.canResume) return undefined;
    for (const machine of machines) if (!machine.shutdown()) machine.switchOff();
    this.#startAllAfter(this.#random.between(3_000, 6_000));
    return '';
  }

  /** So many machines lose power at once that nobody can go on. */
  #crashMajority(): string | undefined {
    const { machines } = this.#world;
    if (!this.#survivors.canResume) return undefined;
    const random = this.#random;
    const least = Math.floor(machines.length / 2) + 1;
    const victims = random.shuffle(machines).slice(0, random.between(least, machines.length));
    const kinds: CrashKind[] = ['lost', 'torn', 'zeros', 'kept'];
    for (const machine of victims) machine.crash(() => random.pick(kinds));
    this.#startAllAfter(random.between(100, 5_000));
    return victims.map(({ name }) => name).join(' ');
  }

  #startAllAfter(delayMs: number): void {
    const { clock, machines } = this.#world;
    for (const machine of machines) {
      clock.after(delayMs + this.#random.between(0, 1_000), undefined, () => {
        if (machine.isGone || (machine.isUp && this.#ended)) return;
        if (machine.isUp) machine.switchOff();
        machine.boot();
      });
    }
  }

  #transfer(): string | undefined {
    const leader = this.#world.running.find(({ enclave }) => {
      const { manager } = enclave.launch;
      return manager?.takesPart && manager.driver.leads;
    });
    if (!leader) return undefined;
    const { process, launch } = leader.enclave;
    this.#world.clock.after(0, process, () => {
      if (launch.manager?.takesPart) launch.manager.driver.transferLeadership();
    });
    return leader.name;
  }

  #breakChannel(): string | undefined {
    const sessions = this.#world.running.flatMap(({ enclave }) => enclave.channel?.sessions ?? []);
    if (sessions.length === 0) return undefined;
    const session = this.#random.pick(sessions);
    this.#world.clock.after(0, session.place.process, () => session.close());
    return session.place.machine;
  }

  #troubleDisk(
    kind: 'slow-disk' | 'full-disk' | 'disk-error' | 'stale-reads',
    machine: Machine,
  ): string | undefined {
    const trouble = this.#world.health.of(machine.name);
    if (kind === 'slow-disk') trouble.slowUntilMs = this.#until(200, 4_000);
    else {
      // The host gives up on such a disk, and its node may be lost.
      if (!this.#canSpare(machine) || this.#suspects > 0) return undefined;
      if (!this.#keepsKeys(machine)) return undefined;
      machine.suspect = true;
      if (kind === 'full-disk') trouble.fullUntilMs = this.#until(200, 3_000);
      if (kind === 'disk-error') trouble.failingUntilMs = this.#until(200, 3_000);
      if (kind === 'stale-reads') this.#lie(machine);
    }
    return machine.name;
  }

  /** Whoever starts from such a disk starts from something else than it left there. */
  #lie(machine: Machine): void {
    const untilMs = this.#until(500, 5_000);
    this.#world.health.of(machine.name).lyingUntilMs = untilMs;
    this.#distrust(machine, untilMs);
  }

  /** Nobody counts on a machine until then, and longer if its enclaves had to be launched anew. */
  #distrust(machine: Machine, untilMs: number): void {
    const { clock } = this.#world;
    const { launches, nodeId } = machine;
    machine.suspect = true;
    machine.isIntact = false;
    this.#calmUntilMs = untilMs;
    clock.after(untilMs - clock.nowMs + 1, undefined, () => {
      if (machine.launches === launches && machine.nodeId === nodeId) machine.isIntact = true;
    });
  }

  /** Machines whose disk is in doubt and whose node has not been replaced yet. */
  get #suspects(): number {
    return this.#world.machines.filter(({ suspect, isGone }) => suspect && !isGone).length;
  }

  #takeImages(): void {
    const { machines, clock } = this.#world;
    for (const machine of machines) {
      if (!machine.isUp || !this.#random.chance(0.005)) continue;
      this.#images.set(machine, {
        atMs: clock.nowMs,
        image: machine.disk.image(machine.dataDirectory),
      });
    }
  }

  /** A host spoils its disk while its machine is off; the others must be able to go on meanwhile. */
  #tamper(kind: Spoiling, machine: Machine): string | undefined {
    const { clock } = this.#world;
    if (!this.#mayLie(machine)) return undefined;
    machine.crash(() => (kind === 'torn-pages' ? 'holes' : 'kept'));
    const what = kind === 'torn-pages' ? '' : this.#spoil(kind, machine);
    if (what === undefined) {
      machine.boot();
      return undefined;
    }
    machine.suspect = true;
    machine.isSpoiled = true;
    machine.isIntact = false;
    this.#calmUntilMs = clock.nowMs + 20_000;
    clock.after(this.#random.between(50, 1_000), undefined, () => {
      if (!machine.isGone) machine.boot();
    });
    return `${machine.name} ${what}`;
  }

  #spoil(kind: Exclude<Spoiling, 'torn-pages'>, machine: Machine): string | undefined {
    const random = this.#random;
    const { disk, dataDirectory } = machine;
    if (kind === 'wipe') {
      disk.restore(dataDirectory, new Map());
      return '';
    }
    if (kind === 'rollback') {
      const kept = this.#images.get(machine);
      if (!kept) return undefined;
      disk.restore(dataDirectory, kept.image);
      return `to ${(kept.atMs / 1000).toFixed(1)} s`;
    }
    const directory = random.chance(0.8) ? `${dataDirectory}/ledger` : `${dataDirectory}/records`;
    const files = [...disk.durableFiles(directory)].filter(([, file]) => file.bytes.length > 64);
    if (files.length === 0) return undefined;
    const [name, file] = random.pick(files);
    const bytes = Buffer.from(file.durableBytes);
    if (kind === 'truncation') {
      file.tamper(bytes.subarray(0, random.between(0, bytes.length - 1)));
      return name;
    }
    const at = random.between(0, bytes.length - 1);
    bytes[at] = (bytes[at] as number) ^ (1 << random.between(0, 7));
    file.tamper(bytes);
    return `${name} at ${at}`;
  }

  /** A host says that blocks are durable as soon as it has them; then its machine loses power. */
  #claimSync(machine: Machine): string | undefined {
    const { clock } = this.#world;
    if (!this.#mayLie(machine)) return undefined;
    machine.suspect = true;
    machine.isSpoiled = true;
    machine.isIntact = false;
    const untilMs = this.#until(100, 2_000);
    this.#calmUntilMs = untilMs + 20_000;
    const lie = (): void => {
      // Once all faults are over, this one is too: nothing may fail while the network is examined.
      if (this.#ended || !machine.isUp || machine.isGone) return;
      machine.claimSynced();
      if (clock.nowMs < untilMs) clock.after(2, undefined, lie);
      else this.#crash(machine);
    };
    lie();
    return machine.name;
  }

  /** A host sends its enclave what no host should: the launch may end, and nothing else. */
  #sayNonsense(machine: Machine): string | undefined {
    if (!this.#mayLie(machine)) return undefined;
    const what = machine.sayNonsense(this.#random);
    if (what === undefined) return undefined;
    this.#distrust(machine, this.#until(5_000, 5_000));
    return `${machine.name} ${what}`;
  }

  /** Whether all are well enough for one host to be dishonest. */
  #mayLie(machine: Machine): boolean {
    const { clock, wire, machines } = this.#world;
    const isHeldUp = machines.some(
      ({ host, enclave }) =>
        (host?.pausedUntilMs ?? 0) > clock.nowMs ||
        (enclave?.process.pausedUntilMs ?? 0) > clock.nowMs,
    );
    const quiet = wire.cuts.length === 0 && this.#suspects === 0 && !isHeldUp;
    if (!quiet || !this.#isVoter(machine) || !this.#survivors.goOnWithout(machine)) return false;
    return this.#keepsKeys(machine);
  }

  /** Whether a machine may be lost with the shares on its disk: nothing gets old keys back. */
  #keepsKeys(machine: Machine): boolean {
    return this.#survivors.keepKeysWithout(machine, this.#leaving ?? machine);
  }

  #govern(kind: FaultKind): string | undefined {
    if (this.#busy) return undefined;
    const change = this.#changeFor(kind);
    if (!change) return undefined;
    this.#busy = true;
    change.make().then(
      () => this.#governed(`${kind} done`),
      (error: unknown) => {
        if (!(error instanceof CodedError)) this.#world.bug('an operator', error);
        this.#governed(`${kind} not done: ${String((error as Error).message)}`);
      },
    );
    return change.what;
  }

  #governed(what: string): void {
    this.#busy = false;
    this.#world.note(`operator: ${what}`);
  }

  #changeFor(kind: FaultKind): { what: string; make: () => Promise<void> } | undefined {
    const { operator } = this.#network;
    const { machines } = this.#world;
    const random = this.#random;
    switch (kind) {
      case 'add-node': {
        if (machines.filter(({ isGone }) => !isGone).length >= mostMachines) return undefined;
        const owner = random.pick(operator.members);
        return { what: owner.name, make: () => this.#addNode(owner) };
      }
      case 'remove-node': {
        const serving = machines.filter(isServing);
        const machine = serving.length > 1 ? random.pick(serving) : undefined;
        if (!machine?.nodeId || !this.#survivors.goOnWithout(machine)) return undefined;
        if (!this.#keepsKeys(machine)) return undefined;
        return { what: machine.name, make: () => this.#remove(machine) };
      }
      case 'add-member': {
        const organisation = this.#network.newOrganisation();
        return {
          what: organisation.name,
          make: async () => {
            const args = actorEntry(organisation);
            await operator.decide([{ name: 'add_actor', args }]);
            operator.members.push(organisation);
          },
        };
      }
      case 'remove-member': {
        const idle = operator.members.filter(
          (member) => !machines.some(({ owner, isGone }) => owner === member && !isGone),
        );
        const member = operator.members.length > 2 ? idle.at(-1) : undefined;
        if (!member) return undefined;
        const { actorId } = member;
        return {
          what: member.name,
          make: async () => {
            await operator.decide([{ name: 'remove_actor', args: { actorId } }]);
            operator.members.splice(operator.members.indexOf(member), 1);
          },
        };
      }
      case 'roll-over': {
        const member = random.pick(operator.members);
        return { what: member.name, make: () => rollOver(operator, member) };
      }
      case 'revocation-list': {
        const member = random.pick(operator.members);
        const { nowMs } = this.#world.clock;
        return { what: member.name, make: () => revoke(operator, member, { nowMs, random }) };
      }
      default: {
        const change = random.pick(policyChanges)(operator.members);
        const what = `${change.name} ${JSON.stringify(change.args)}`;
        return { what, make: () => operator.decide([change]) };
      }
    }
  }

  async #remove(machine: Machine): Promise<void> {
    this.#leaving = machine;
    try {
      await this.#network.remove(machine);
    } finally {
      this.#leaving = undefined;
    }
  }

  async #addNode(owner: Organisation): Promise<void> {
    this.#network.addJoiner(owner);
  }
}

/** What can be done to a disk while its machine is off. */
type Spoiling = 'bit-rot' | 'truncation' | 'rollback' | 'torn-pages' | 'wipe';
