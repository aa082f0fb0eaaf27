import type { SnapshotPosition } from '@concordat/consensus';
import { DatadrivenError } from './errors.ts';
import { idOf } from './names.ts';
import { nodeOf } from './node-commands.ts';
import type { Command } from './story-commands.ts';
import type { StoryNode } from './story-node.ts';
import { snapshotName, snapshotOf } from './story-snapshots.ts';
import { parseChoice } from './wire.ts';

const command = { kind: 'command' } as const;

/** Commands about snapshots, disks that threw entries away, and connections that break. */
export const snapshotCommands: Readonly<Record<string, Command>> = {
  /** `snapshot a [chunks]`: a takes a snapshot of what is committed, and can send it. */
  snapshot(network, given) {
    const node = nodeOf(network, given);
    const position = snapshotOf(node, given.count('chunks', 1, 1000));
    if (position.height === 0) {
      throw new DatadrivenError('BAD_ARGUMENT', `${node.name} has committed nothing`);
    }
    for (let index = 0; index < position.chunks; index += 1) {
      node.disk.chunks.add(`${position.digest}:${index}`);
    }
    network.act(node, command, () => node.machine.offerSnapshot(position));
    network.say(`${node.name}  has snapshot ${snapshotName(position.digest)}`);
  },

  /** `compact a`: entries up to a's newest snapshot are no longer on its disk. */
  compact(network, given) {
    const node = nodeOf(network, given);
    node.disk.compactedTo = node.machine.status.offered?.height ?? 0;
    network.say(`${node.name}  keeps no entries up to ${node.disk.compactedTo}`);
  },

  /** `forget a`: a's newest snapshot is no longer on its disk, and a has yet to notice. */
  forget(network, given) {
    const node = nodeOf(network, given);
    const { digest } = forgetNewest(node);
    network.say(`${node.name}  keeps snapshot ${snapshotName(digest)} no longer`);
  },

  /** `withdraw a`: a's newest snapshot is no longer on its disk, and a knows. */
  withdraw(network, given) {
    const node = nodeOf(network, given);
    const { digest } = forgetNewest(node);
    network.say(`${node.name}  keeps snapshot ${snapshotName(digest)} no longer, and offers none`);
    network.act(node, command, () => node.machine.withdrawSnapshot(digest));
  },

  /** `spoil a 1`: the bytes of this chunk of a's newest snapshot are wrong; `mend a`: right again. */
  spoil(network, given) {
    const node = nodeOf(network, given);
    const { offered } = node.machine.status;
    if (!offered) throw new DatadrivenError('BAD_ARGUMENT', `${node.name} has no snapshot`);
    const index = given.count('a chunk', 0, offered.chunks - 1);
    node.spoiled.add(`${offered.digest}:${index}`);
    network.say(`${node.name}  has wrong bytes in chunk ${index}`);
  },

  mend(network, given) {
    const node = nodeOf(network, given);
    node.spoiled.clear();
    network.say(`${node.name}  has the right bytes again`);
  },

  /** `restored a`, with `restore=manual`: a's state is that of the snapshot. */
  restored(network, given) {
    const node = nodeOf(network, given);
    network.act(node, command, () => network.restored(node));
  },

  /** `unplug a->b`: a notices that its connection to b broke. */
  unplug(network, given) {
    const { from, to } = parseChoice(given.word('a->b'), undefined);
    if (from?.length !== 1 || to?.length !== 1) {
      throw new DatadrivenError('BAD_ARGUMENT', 'unplug takes two nodes: a->b');
    }
    const node = network.node(from[0] as string);
    network.act(node, command, () => node.machine.connectionLost(idOf(to[0] as string)));
    network.say(`${node.name}  loses its connection to ${to[0]}`);
  },
};

function forgetNewest(node: StoryNode): SnapshotPosition {
  const { offered } = node.machine.status;
  if (!offered) throw new DatadrivenError('BAD_ARGUMENT', `${node.name} has no snapshot`);
  for (let at = 0; at < offered.chunks; at += 1) node.disk.chunks.delete(`${offered.digest}:${at}`);
  return offered;
}
