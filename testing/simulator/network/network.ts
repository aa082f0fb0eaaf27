import { CodedError, type NodeId } from '@concordat/std';
import { Violation } from '../checks/violation.ts';
import { genesisConstitution } from './founding.ts';
import type { Machine, MachineConfig } from './machine.ts';
import { type Action, Operator } from './operator.ts';
import { createOrganisation, type Organisation } from './organisation.ts';
import { hasCode, type World } from './world.ts';

/** Virtual time within which a node must join a network without faults, milliseconds. */
const joinMs = 60_000;

/** Operators look after their machines this often, milliseconds. */
const careMs = 500;
/** A removed node has so long to learn of it, milliseconds. */
const farewellMs = 8_000;
/** Failures no further launch will get over. */
const hopeless: ReadonlySet<string> = new Set([
  'LEDGER_CORRUPT',
  'LEDGER_TRUNCATED',
  'RECORD_UNREADABLE',
  'LEDGER_DAMAGED',
  'LEDGER_HOLE',
  'LEDGER_OVERLAP',
  'INVALID_START',
]);

/** A network of simulated machines and the organisations that run it. */
export class Network {
  readonly world: World;
  readonly operator: Operator;
  #organisations = 0;
  readonly #caring = new Set<Machine>();
  /** The node of a machine whose admission was decided. */
  readonly #proposed = new Map<Machine, NodeId | undefined>();

  constructor(world: World) {
    this.world = world;
    const members = Array.from({ length: world.plan.members }, () => this.newOrganisation());
    this.operator = new Operator(world, members);
  }

  /** An organisation that is not a member yet. */
  newOrganisation(): Organisation {
    this.#organisations += 1;
    return createOrganisation(`org ${this.#organisations}`, String(this.world.seed));
  }

  /** Founds the network and lets it grow to its size. @throws Violation */
  async found(): Promise<void> {
    const { world, operator } = this;
    const { members } = operator;
    const genesis = genesisConstitution(members, world.plan.policies);
    const first = world.addMachine(members[0] as Organisation, {
      mode: 'genesis',
      genesis,
      peers: [],
    });
    first.boot();
    await world.run(joinMs, () => isServing(first) && operator.learnNetwork(first));
    for (let count = 1; count < world.plan.nodes; count++) {
      const machine = this.addJoiner(members[count % members.length] as Organisation);
      await world.run(joinMs, () => isWaiting(machine));
      const decided = operator.decide([operator.admissionOf(machine)]);
      decided.catch((error: unknown) => world.bug('an admission', error));
      await world.run(joinMs, () => isServing(machine));
    }
    const late = world.machines.find((machine) => !isServing(machine));
    if (late) throw new Violation('NOT_LIVE', `${late.name} did not get to serve: ${status(late)}`);
    // Whoever is switched on with an empty disk from now on joins what there is.
    first.config = this.#joining;
  }

  get #joining(): MachineConfig {
    const { world, operator } = this;
    return {
      mode: 'join',
      peers: world.machines.map(({ address }) => address),
      networkCertificatePem: operator.networkCertificatePem,
    };
  }

  /** Adds a machine whose node asks to join. */
  addJoiner(owner: Organisation): Machine {
    const machine = this.world.addMachine(owner, this.#joining);
    machine.boot();
    return machine;
  }

  /** Takes a machine out of the network: by vote, then off. */
  async remove(machine: Machine): Promise<void> {
    const { operator, world } = this;
    const { nodeId } = machine;
    if (!nodeId) return;
    try {
      await operator.decide([operator.removalOf(nodeId)]);
    } catch (error) {
      // The attempt before may have been accepted without anybody learning it.
      if (!hasCode(error, 'NODE_NOT_FOUND') || machine.nodeId !== nodeId) throw error;
    }
    machine.isGone = true;
    await world.pause(farewellMs);
    machine.switchOff();
  }

  /** Looks after the machines from now on, as their operators would. */
  takeCare(): void {
    const look = (): void => {
      for (const machine of this.world.machines) if (!machine.isGone) this.#lookAfter(machine);
      this.world.clock.after(careMs, undefined, look);
    };
    look();
  }

  #lookAfter(machine: Machine): void {
    const { operator, world } = this;
    if (machine.suspect && isServing(machine) && !world.health.isTroubled(machine.name)) {
      if (machine.isIntact) machine.suspect = false;
    }
    if (this.#caring.has(machine)) return;
    if (isWaiting(machine) && this.#proposed.get(machine) !== machine.nodeId) {
      this.#proposed.set(machine, machine.nodeId);
      this.#care(machine, 'admission', () => operator.decide(this.#admissionOf(machine)));
    } else if (machine.failures.count >= 3 && isHopeless(machine)) {
      this.#care(machine, `replacement after ${machine.failures.code}`, () =>
        this.#replace(machine),
      );
    }
  }

  /** A node that came to nothing before gives its address back. */
  #admissionOf(machine: Machine): Action[] {
    const { operator, world } = this;
    const stale = world.running.flatMap(({ enclave }) => {
      const { administration } = enclave.launch.manager ?? {};
      if (!administration?.isCommitted) return [];
      return administration.committedConstitution.nodes.filter(
        ({ address, status }) => address === machine.address && status !== 'retired',
      );
    });
    const ids = new Set(stale.map(({ nodeId }) => nodeId).filter((id) => id !== machine.nodeId));
    return [...[...ids].map(operator.removalOf), operator.admissionOf(machine)];
  }

  #care(machine: Machine, what: string, act: () => Promise<void>): void {
    const { world } = this;
    this.#caring.add(machine);
    world.note(`operator: ${what} of ${machine.name}`);
    act().then(
      () => this.#caring.delete(machine),
      (error: unknown) => {
        if (!(error instanceof CodedError)) world.bug('an operator', error);
        world.note(`operator: no ${what} of ${machine.name}: ${(error as Error).message}`);
        this.#proposed.delete(machine);
        this.#caring.delete(machine);
      },
    );
  }

  /** A node that cannot start any more is voted out, and its machine set up anew. */
  async #replace(machine: Machine): Promise<void> {
    const { operator } = this;
    const { nodeId } = machine;
    machine.switchOff();
    machine.failures = { count: 0, code: '' };
    machine.disk.restore(machine.dataDirectory, new Map());
    machine.isSpoiled = false;
    machine.config = this.#joining;
    machine.isIntact = false;
    if (nodeId) {
      try {
        await operator.decide([operator.removalOf(nodeId)]);
      } catch (error) {
        // It may never have been admitted, or be gone already.
        if (!hasCode(error, 'NODE_NOT_FOUND')) throw error;
      }
    }
    machine.boot();
  }
}

/** Whether a machine's node serves clients. */
export const isServing = ({ enclave }: Machine): boolean => enclave?.serving === true;

/** Refusals that a vote ends: a stranger's, and that of a disk older than its own removal. */
const waitsForVote = /NODE_NOT_ADMITTED|REJOIN_REFUSED/;

/** Whether a machine's node waits to be admitted. */
export const isWaiting = ({ enclave, status }: Machine): boolean =>
  enclave !== undefined && status.phase === 'joining' && waitsForVote.test(String(status.reason));

/** Whether no further launch will get over what the last one failed of. */
const isHopeless = ({ failures, status }: Machine): boolean =>
  hopeless.has(failures.code) || String(status.reason).includes('LEDGER_DAMAGED');

/** What a machine's node says of itself, for messages. */
export const status = ({ status }: Machine): string => `${status.phase} ${status.reason ?? ''}`;
