import { type Configuration, quorumSizesOf } from '@concordat/consensus';
import { sharedKeys } from '@concordat/governance';
import type { NodeId } from '@concordat/std';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

/** What would be left of a network if machines of it were lost. */
export class Survivors {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** The configurations that count for anyone who takes part. */
  get configurations(): readonly Configuration[] {
    return this.#world.running.flatMap(({ enclave }) => {
      const { manager } = enclave.launch;
      return manager?.takesPart ? manager.driver.status.configurations : [];
    });
  }

  /** Whether enough voters run, apart from some machines, for the others to go on without them. */
  goOnWithout(...spared: readonly Machine[]): boolean {
    const runs = (voter: NodeId): boolean => {
      const machine = this.#world.machineOf(voter);
      if (!machine || spared.includes(machine) || machine.nodeId !== voter) return false;
      return machine.isIntact && machine.enclave?.launch.manager?.phase === 'running';
    };
    const all = this.configurations;
    return all.length > 0 && all.every((one) => one.voters.filter(runs).length >= quorum(one));
  }

  /** Whether enough voters could come back under their identities if everything stopped now. */
  get canResume(): boolean {
    const intact = (voter: NodeId): boolean => {
      const machine = this.#world.machineOf(voter);
      return machine?.nodeId === voter && machine.isIntact && !machine.suspect;
    };
    const all = this.configurations;
    const isQuorum = all.every((one) => one.voters.filter(intact).length >= quorum(one));
    return all.length > 0 && isQuorum && this.keepKeysWithout();
  }

  /**
   * Whether, apart from some machines, nodes of enough actors hold shares of every key that session
   * keys are encrypted to.
   */
  keepKeysWithout(...spared: readonly Machine[]): boolean {
    const sound = this.#world.running.flatMap((machine) => {
      const { manager } = machine.enclave.launch;
      const { isIntact, isGone, suspect, owner } = machine;
      const isSound = isIntact && !suspect && !isGone && !spared.includes(machine);
      return manager?.phase === 'running' && isSound ? [{ manager, owner }] : [];
    });
    const height = (one: (typeof sound)[number]): number => one.manager.log.committedHeight;
    const [first] = sound.toSorted((a, b) => height(b) - height(a));
    if (!first) return false;
    return sharedKeys(first.manager.administration.committedState).every(({ key, sharing }) => {
      const holds = sound.filter(({ manager }) => manager.vault.shareOf(key.number, key.sharing));
      return new Set(holds.map(({ owner }) => owner.actorId)).size >= sharing.threshold;
    });
  }
}

/** Voters without which a configuration either elects or commits nothing. */
const quorum = (configuration: Configuration): number => {
  const { replication, election } = quorumSizesOf(configuration);
  return Math.max(replication, election);
};
