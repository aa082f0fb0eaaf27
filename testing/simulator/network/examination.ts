import { currentEpoch, epochKeyRows, strandedKeys } from '@concordat/governance';
import { decodeHeader, opensBlock, type SessionKey } from '@concordat/ledger';
import { CodedError, type Epoch, toEpoch } from '@concordat/std';
import { Audit } from '../checks/audit.ts';
import { requireSoundCeremonies } from '../checks/key-ceremonies.ts';
import { Violation } from '../checks/violation.ts';
import type { Clients } from './clients.ts';
import { present } from './healing.ts';
import type { Machine } from './machine.ts';
import type { Network } from './network.ts';
import type { World } from './world.ts';

/** Virtual time to gather session keys, milliseconds. */
const gatheringMs = 20_000;
/** Virtual time to read what looks damaged, milliseconds. */
const readingMs = 2_000;

/**
 * Examines a network that has come to rest: the ledger on its disks, from block 1, and that every
 * node's state is what the ledger says.
 * @throws Violation
 */
export async function auditNetwork({ world }: Network, clients: Clients): Promise<Audit> {
  const machines = present(world);
  const managers = machines.map((machine) => {
    const { manager } = machine.enclave?.launch ?? {};
    if (!manager) throw new Violation('NOT_LIVE', `${machine.name} has no manager`);
    return { machine, manager };
  });
  const { manager: first, machine: reader } = managers[0] as (typeof managers)[number];
  const keys = await sessionKeysOf(world, reader);
  const audit = new Audit(committedBlocks(world), {
    nodeKey: (leader) => first.administration.nodeKey(leader),
    sessionKey: (epoch) => keys.get(epoch),
  });
  for (const { machine, manager } of managers) {
    audit.compare(0, manager.administration.committedState, `the manager of ${machine.name}`);
    const worker = machine.enclave?.worker;
    if (worker) audit.compare(1, worker.committed, `the worker of ${machine.name}`);
  }
  requireSoundCeremonies(first.administration.committedState);
  for (const acknowledged of clients.acknowledged) audit.requireAcknowledged(acknowledged);
  for (const machine of machines) {
    const noticed = requireNoticed(world, machine);
    noticed.catch((error: unknown) => world.bug('an examination', error));
  }
  await world.run(readingMs);
  return audit;
}

/** The session keys of all epochs, gathered by a node as for reading the past. */
async function sessionKeysOf(world: World, machine: Machine): Promise<Map<Epoch, SessionKey>> {
  const keys = new Map<Epoch, SessionKey>();
  let isDone = false;
  const gathering = world.inside(machine, async ({ launch }) => {
    const { manager } = launch;
    if (!manager) return;
    const state = manager.administration.committedState;
    const stranded = new Set(strandedKeys(state));
    for (let n = 1; n <= currentEpoch(state); n++) {
      const epoch = toEpoch(n);
      if (epochKeyRows(state, epoch).every(({ keyNumber }) => stranded.has(keyNumber))) {
        const seen = keySeen(world, epoch);
        if (seen) keys.set(epoch, seen);
        continue;
      }
      await manager.epochs.acquire(epoch);
      const held = manager.sessionKeys.get(epoch);
      // Copied: keys of the past are erased after a while.
      if (held) keys.set(epoch, { epoch, key: Uint8Array.from(held.key) });
    }
  });
  let failure: unknown;
  gathering
    .catch((error: unknown) => {
      failure = error;
    })
    .finally(() => {
      isDone = true;
    });
  await world.run(gatheringMs, () => isDone);
  if (failure) throw new Violation('NOT_LIVE', `session keys cannot be gathered: ${failure}`);
  return keys;
}

/**
 * The session key of an epoch whose shared key members put out of reach, which nobody in the world
 * has to be able to get any more: from what enclaves held when they could.
 */
function keySeen(world: World, epoch: Epoch): SessionKey | undefined {
  for (const block of committedBlocks(world)) {
    if (decodeHeader(block).epoch !== epoch) continue;
    for (const hex of world.secrets.everHeld) {
      const key = { epoch, key: Buffer.from(hex, 'hex') };
      if (opensBlock(block, key)) return key;
    }
    break;
  }
  return undefined;
}

/** Every committed block, from whichever disk has it as it was committed. */
function* committedBlocks(world: World): Generator<Uint8Array> {
  for (let height = 1; height <= world.ledger.height; height++) {
    const digest = world.ledger.digestAt(height);
    const holder = world.machines.find(
      (machine) => digest !== undefined && world.ledgerOf(machine).holds(height, digest),
    );
    const block = holder && world.ledgerOf(holder).block(height);
    if (!block) throw new Violation('LEDGER_UNSOUND', `block ${height} is on no disk any more`);
    yield block;
  }
}

/**
 * What a disk holds falsely may lie there unread, below a snapshot; whoever reads it must notice.
 */
async function requireNoticed(world: World, machine: Machine): Promise<void> {
  const ledger = world.ledgerOf(machine);
  for (let height = 1; height <= world.ledger.height; height++) {
    const digest = world.ledger.digestAt(height);
    if (digest === undefined || !ledger.block(height) || ledger.holds(height, digest)) continue;
    try {
      await world.inside(machine, async ({ launch }) => {
        await launch.manager?.stored.read(height, height, 1);
      });
    } catch (error) {
      if (error instanceof CodedError) continue;
      throw error;
    }
    // Noticed, and healed, by another one's reading meanwhile.
    if (ledger.holds(height, digest)) continue;
    throw new Violation('DAMAGE_UNNOTICED', `${machine.name} gives a false block ${height}`);
  }
}
