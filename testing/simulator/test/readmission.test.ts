import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServing, Network } from '../network/network.ts';
import { World } from '../network/world.ts';
import { quietPlan } from './sabotage.ts';

test('a disk put back to before its node was voted out and in again has its node voted in once more', async () => {
  const world = new World(1, { ...quietPlan, members: 3 });
  try {
    const network = new Network(world);
    await network.found();
    network.takeCare();
    const machine = world.machines.at(-1);
    assert.ok(machine);
    // A launch in its predecessor's place: what it leaves behind says whose place the next one asks for.
    machine.switchOff();
    machine.boot();
    await world.run(30_000, () => isServing(machine));
    const first = machine.nodeId;
    const image = machine.disk.image(machine.dataDirectory);
    // With nothing on its disk it is a stranger: the members remove its node and admit another.
    machine.suspect = true;
    machine.switchOff();
    machine.disk.restore(machine.dataDirectory, new Map());
    machine.boot();
    await world.run(60_000, () => isServing(machine) && machine.nodeId !== first);
    const second = machine.nodeId;
    assert.ok(isServing(machine) && second !== first, 'it was voted in again');
    machine.switchOff();
    machine.disk.restore(machine.dataDirectory, image);
    machine.boot();
    const refused = (): boolean =>
      String(machine.status.reason).startsWith('REJOIN_REFUSED: the predecessor was removed');
    await world.run(60_000, refused);
    assert.ok(refused(), 'the place that a vote took away stays away');
    assert.ok(machine.status.node, 'its operator is shown the tuple to be voted on');
    await world.run(60_000, () => isServing(machine));
    assert.ok(isServing(machine) && machine.nodeId !== second, 'it serves after a vote');
  } finally {
    world.end();
  }
});
