import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Violation, ViolationCode } from '../index.ts';
import { Clients } from '../network/clients.ts';
import { isServing, Network } from '../network/network.ts';
import { World } from '../network/world.ts';
import { breakMethod, quietPlan } from './sabotage.ts';

/** What no host can bring about, whatever disks it puts back. */
const secrets: ReadonlySet<ViolationCode> = new Set(['NONCE_REUSED', 'PLAINTEXT_LEAKED', 'BUG']);

/**
 * A network whose hosts all put back the disks of one moment, again and again, each time after it went
 * on for a while: what was committed meanwhile is lost, as it must be, and every position is sealed anew.
 * @param beforeReplay gets the world before everything stops the first time
 * @returns what was violated of the secrets, and how often something was sealed after the first return
 */
async function replayed(seed: number, beforeReplay: (world: World) => void = () => undefined) {
  const world = new World(seed, { ...quietPlan, members: 3, thinkMs: 200 });
  const found: Violation[] = [];
  try {
    // All promises about what is final are broken on purpose here.
    world.violated = (violation) => {
      if (secrets.has(violation.code)) found.push(violation);
    };
    const network = new Network(world);
    await network.found();
    const clients = new Clients(world);
    clients.start(1, network.operator.members);
    await world.run(5_000);
    const { machines } = world;
    beforeReplay(world);
    for (const machine of machines) machine.switchOff();
    const images = machines.map((machine) => machine.disk.image(machine.dataDirectory));
    const sealedBefore = world.secrets.seals;
    for (let turn = 0; turn < 3 && found.length === 0; turn++) {
      for (const [at, machine] of machines.entries()) {
        machine.switchOff();
        machine.disk.restore(machine.dataDirectory, images[at] as (typeof images)[number]);
      }
      for (const machine of machines) machine.boot();
      await world.run(30_000, () => machines.every(isServing) || found.length > 0);
      assert.ok(found.length > 0 || machines.every(isServing), `turn ${turn}: all serve again`);
      await world.run(2_000, () => found.length > 0);
    }
    return { codes: found.map(({ code }) => code), seals: world.secrets.seals - sealedBefore };
  } finally {
    world.end();
  }
}

test('hosts that put back the disks of all nodes, again and again, never get a nonce used twice', async () => {
  const { codes, seals } = await replayed(1);
  assert.deepEqual(codes, []);
  assert.ok(seals > 40, `${seals} seals`);
});

test('and that is because resumed views begin with an epoch of their own', async () => {
  let repair: (() => void) | undefined;
  try {
    const { codes } = await replayed(1, ({ machines }) => {
      const [first] = machines;
      const reopening = first?.enclave?.launch.manager?.reopening;
      assert.ok(reopening);
      repair = breakMethod(Object.getPrototypeOf(reopening), 'need', () => () => undefined);
    });
    assert.equal(codes[0], 'NONCE_REUSED');
  } finally {
    repair?.();
  }
});
