import { currentSharedKey, networkKeyRow } from '@concordat/governance';
import { CodedError } from '@concordat/std';
import { Violation } from '../checks/violation.ts';
import { actorOf, type Clients } from './clients.ts';
import type { Machine } from './machine.ts';
import { isServing, type Network, status } from './network.ts';
import type { World } from './world.ts';

/** Virtual time within which a network without faults must serve again, milliseconds. */
export const defaultHealingMs = 240_000;
/** Within which a request of a client must succeed then. */
const requestMs = 20_000;

/**
 * Ends all faults and waits until every node serves, clients are answered, and all nodes hold the
 * same ledger.
 * @returns virtual time it took, milliseconds
 * @throws Violation NOT_LIVE
 */
export async function heal(network: Network, clients: Clients, healingMs: number): Promise<number> {
  const { world, operator } = network;
  const sinceMs = world.clock.nowMs;
  endFaults(world);
  clients.slowDown();
  world.note('all faults end');
  const reset = operator.decide(
    ['replicationQuorum', 'electionQuorum'].map((name) => ({
      name: 'set_policy',
      args: { name, value: 'majority' },
    })),
  );
  let decided = false;
  reset.then(
    () => {
      decided = true;
    },
    (error: unknown) => {
      if (!(error instanceof CodedError)) world.bug('an operator', error);
      else world.violated(new Violation('NOT_LIVE', `no decision: ${error.code}`));
    },
  );
  await world.run(healingMs, () => decided && present(world).every(isPart));
  requireLive(world, decided && present(world).every(isPart), 'not every node serves');
  const healedAfterMs = world.clock.nowMs - sinceMs;
  await probe(network, clients);
  await world.run(healingMs, () => keysAtRest(world));
  requireLive(world, keysAtRest(world), 'a key ceremony does not come to its end');
  await world.run(healingMs, () => networkKeyAtRest(world));
  requireLive(world, networkKeyAtRest(world), "the network's private key is not with every node");
  clients.stop();
  await world.run(healingMs, () => clients.open === 0 && agree(world));
  requireLive(world, agree(world), 'the nodes do not agree');
  // What is committed everywhere is to reach every worker and disk.
  await world.run(2_000);
  return healedAfterMs;
}

/** Machines that are to be part of the network. */
export const present = ({ machines }: World): Machine[] => machines.filter((one) => !one.isGone);

function endFaults(world: World): void {
  world.wire.quality = { loss: 0, duplication: 0, replay: 0, leastDelayMs: 0.5, jitterMs: 1 };
  world.wire.cuts = [];
  world.lostKeys = 0;
  world.health.heal();
  for (const machine of present(world)) {
    for (const process of [machine.host, machine.enclave?.process]) {
      if (process) process.pausedUntilMs = 0;
    }
    if (!machine.isUp) machine.boot();
  }
}

/** Whether a machine's node serves and votes. */
function isPart(machine: Machine): boolean {
  const { manager } = machine.enclave?.launch ?? {};
  if (!manager || !isServing(machine) || manager.phase !== 'running') return false;
  const { nodeId } = manager.identity;
  const entry = manager.administration.committedConstitution.nodes.find(
    (node) => node.nodeId === nodeId,
  );
  return entry?.status === 'trusted';
}

/** A client of each node gets a write done. */
async function probe({ world, operator }: Network, clients: Clients): Promise<void> {
  const waiting = new Set(present(world));
  const actor = actorOf(operator.members[0] as (typeof operator.members)[number]);
  for (const machine of waiting) {
    const request = { action: 'write' as const, key: 'a', value: clients.newValue() };
    const ask = (): void => {
      clients
        .ask(`probe ${machine.name}`, actor, machine, { how: 'transaction', request })
        .then((answer) => (answer?.ok ? waiting.delete(machine) : ask()));
    };
    ask();
  }
  const silent = (): Machine[] => [...waiting].filter((machine) => !machine.isGone);
  await world.run(requestMs, () => silent().length === 0);
  requireLive(world, silent().length === 0, `${silent().map(({ name }) => name)} do not answer`);
}

/** Whether the leader sees no key ceremony under way, nor one that those who are there could hold. */
function keysAtRest(world: World): boolean {
  return present(world).some((machine) => {
    const { manager } = machine.enclave?.launch ?? {};
    if (!manager?.takesPart || !manager.driver.leads) return false;
    const keys = manager.keyDesk.status;
    return keys !== undefined && !keys.ceremony && (keys.due?.waitsFor.length ?? 1) > 0;
  });
}

/** Whether every node holds the network's private key, and the ledger has it under the newest shared key. */
function networkKeyAtRest(world: World): boolean {
  return present(world).every((machine) => {
    const { manager } = machine.enclave?.launch ?? {};
    if (!manager?.takesPart || !manager.networkKey.isHeld) return false;
    const state = manager.administration.committedState;
    return networkKeyRow(state)?.keyNumber === currentSharedKey(state)?.number;
  });
}

/** Whether every node has committed the same height, and nothing beyond it is on its way. */
function agree(world: World): boolean {
  const heights = present(world).map((machine) => {
    const { manager } = machine.enclave?.launch ?? {};
    if (!manager?.takesPart) return -1;
    const { lastHeight, committedHeight } = manager.log;
    return lastHeight === committedHeight ? committedHeight : -1;
  });
  return heights.every((height) => height >= 0 && height === heights[0]);
}

function requireLive(world: World, isLive: boolean, why: string): void {
  if (isLive) return;
  const states = present(world).map((machine) => {
    const { manager } = machine.enclave?.launch ?? {};
    const part = manager?.takesPart
      ? `${manager.driver.status.role} of view ${manager.driver.status.view}, ${manager.log.committedHeight}/${manager.log.lastHeight}`
      : 'takes no part';
    return `${machine.name}: ${status(machine)}; ${part}`;
  });
  throw new Violation('NOT_LIVE', `${why}\n  ${states.join('\n  ')}`);
}
