import { configurationsText, entryText, nameOf, positionText } from './names.ts';
import { nodeOf } from './node-commands.ts';
import type { Command } from './story-commands.ts';
import type { StoryNode } from './story-node.ts';

/** Commands that look and change nothing. */
export const lookCommands: Readonly<Record<string, Command>> = {
  /** `status`: every node in a line. */
  status(network) {
    for (const node of network.nodes.values()) network.say(statusLine(node));
  },

  /** `log a`: the entries a node holds, and what it knows of each. */
  log(network, given) {
    const node = nodeOf(network, given);
    const { committed } = node.machine.status;
    const { base } = node.disk;
    if (base.height > 0) network.say(`${node.name}  begins after ${positionText(base)}`);
    for (const entry of node.disk.log) {
      const marks = [
        ...(node.disk.isDurable(entry) ? [] : ['not on disk']),
        ...(entry.height <= committed ? ['committed'] : []),
      ];
      network.say(`${node.name}  ${[entryText(entry), ...marks].join(', ')}`);
    }
  },

  /** `progress a`: what a leader knows of its peers. */
  progress(network, given) {
    const node = nodeOf(network, given);
    for (const [id, { match, committed, active }] of node.machine.status.progress) {
      const heard = active ? '' : ', silent';
      network.say(`${node.name}  ${nameOf(id)} holds ${match}, knows commit ${committed}${heard}`);
    }
  },
};

function statusLine(node: StoryNode): string {
  if (!node.up) return `${node.name}  down`;
  const { configurations } = node.machine.status;
  const { role, view, leader, last, committed, retired } = node.picture();
  const follows = leader && leader !== node.name ? `  follows ${leader}` : '';
  const who = retired ? 'retired' : role;
  const log = `log ${last.view}.${last.height}`;
  const end = `commit ${committed}  ${configurationsText(configurations)}${follows}`;
  return `${node.name}  ${who.padEnd(13)}  view ${view}  ${log.padEnd(7)}  ${end}`;
}
