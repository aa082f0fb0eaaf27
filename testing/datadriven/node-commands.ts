import type { Height } from '@concordat/std';
import type { Arguments } from './command-line.ts';
import { DatadrivenError } from './errors.ts';
import { configurationText, idOf, parseNames } from './names.ts';
import type { Command } from './story-commands.ts';
import type { StoryNetwork, TraceLevel } from './story-network.ts';
import type { StoryNode } from './story-node.ts';
import { addNode, configurationOf } from './story-settings.ts';

const command = { kind: 'command' } as const;
/** Bytes of the largest payload a story makes. */
const maxPayloadBytes = 1 << 20;

/** Commands about one node: time, proposals, reads, disks, life and death. */
export const nodeCommands: Readonly<Record<string, Command>> = {
  /** `tick a [count] [quiet]`, `tick all [count] [quiet]`: time passes; quiet tells only changes. */
  tick(network, given) {
    const nodes = nodesOf(network, given.word('a node, or all'));
    const count = given.count('ticks', 1);
    network.tell(quietOf(given), () => {
      for (let tick = 0; tick < count; tick += 1) for (const node of nodes) network.tick(node);
    });
  },

  /** `campaign a`: time passes for one node until it asks for votes. */
  campaign(network, given) {
    campaign(network, nodeOf(network, given));
  },

  /** `win a`: a campaigns and wins. */
  win(network, given) {
    const node = nodeOf(network, given);
    network.tell('nothing', () => {
      campaign(network, node);
      network.settle();
    });
    const { role, view } = node.machine.status;
    if (role !== 'leader') throw new DatadrivenError('BAD_ARGUMENT', `${node.name} is a ${role}`);
    network.say(`${node.name}  leads view ${view}`);
  },

  /** `elect a`: a campaigns, wins, and gets an entry of its view committed. */
  elect(network, given) {
    const node = nodeOf(network, given);
    network.tell('nothing', () => {
      campaign(network, node);
      network.settle();
      network.act(node, command, () => node.machine.propose(Buffer.from('no-op')));
      network.settle();
    });
    const { role, view, lastHeight, committed } = node.machine.status;
    if (role !== 'leader' || committed !== lastHeight) {
      throw new DatadrivenError(
        'BAD_ARGUMENT',
        `${node.name} is a ${role} that committed ${committed}`,
      );
    }
    network.say(`${node.name}  leads view ${view} and has committed ${view}.${committed} "no-op"`);
  },

  /** `propose a ["payload"]`, or a payload on each input line; `bytes=n` makes it that long. */
  propose(network, given, input) {
    const node = network.node(given.word('a node'));
    const word = given.optionalWord();
    const bytes = given.namedCount('bytes', 0, 1, maxPayloadBytes);
    const payloads = input.length > 0 ? input : [word ?? 'no-op'];
    for (const payload of payloads) {
      propose(network, node, payload.padEnd(bytes, '.'), undefined);
    }
  },

  /** `reconfigure a voters=abd [quorums=2/2]`: proposes an entry that names new voters. */
  reconfigure(network, given) {
    const node = network.node(given.word('a node'));
    const voters = given.named('voters');
    if (voters === undefined) throw new DatadrivenError('BAD_ARGUMENT', 'voters= is missing');
    const configuration = configurationOf(voters, given.named('quorums'));
    propose(network, node, `to ${configurationText(configuration)}`, configuration);
  },

  /** `transfer a [b]`: a hands over to b, or to whoever is most advanced. */
  transfer(network, given) {
    const node = network.node(given.word('a node'));
    const to = given.optionalWord();
    let begun = false;
    network.act(node, command, () => {
      begun = node.machine.transferLeadership(to === undefined ? undefined : idOf(to));
      const whom = to ?? 'the most advanced voter';
      network.say(`${node.name}  ${begun ? 'hands over' : 'cannot hand over'} to ${whom}`);
    });
  },

  /** `read a r1 [r2 ...]`: asks for linearizable reads, all at once. */
  read(network, given) {
    const node = network.node(given.word('a node'));
    const requestIds = [given.word('a name for the read')];
    for (let word = given.optionalWord(); word; word = given.optionalWord()) requestIds.push(word);
    network.act(node, command, () => {
      for (const requestId of requestIds) {
        if (node.machine.readIndex(requestId)) continue;
        network.say(`${node.name}  has a read ${requestId} already`);
      }
    });
  },

  /** `learner d`: every node is told to feed d; `unlearn d`: not any more. */
  learner(network, given) {
    const id = idOf(network.node(given.word('a node'), 'any').name);
    for (const node of network.running()) {
      network.act(node, command, () => node.machine.addLearner(id));
    }
  },

  unlearn(network, given) {
    const id = idOf(network.node(given.word('a node'), 'any').name);
    for (const node of network.running()) {
      network.act(node, command, () => node.machine.removeLearner(id));
    }
  },

  /** `add de`: new nodes with empty logs that know the first configuration. */
  add(network, given) {
    for (const name of parseNames(given.word('names'))) addNode(network, name);
  },

  /** `persist a [count]`: the disk finishes what it was given, or the oldest of it. */
  persist(network, given) {
    const node = network.node(given.word('a node'));
    if (node.disk.waiting === 0) network.say(`${node.name}  has nothing to write`);
    else network.sync(node, given.count('jobs', node.disk.waiting));
  },

  /** `crash a`: the process is gone, and with it what was not on disk. */
  crash(network, given) {
    const node = network.node(given.word('a node'));
    node.up = false;
    node.disk.crash();
    network.say(`${node.name}  crashes; its disk holds ${node.disk.durableHeight} entries`);
  },

  /** `restart a [committed=n]`: starts on its disk, sure of the commit of so many entries. */
  restart(network, given) {
    const node = network.node(given.word('a node'), 'any');
    if (node.up) throw new DatadrivenError('BAD_ARGUMENT', `${node.name} runs`);
    const committed = given.namedCount('committed', 0, 0, node.disk.durableHeight) as Height;
    node.restart(committed);
    const { view, votedFor } = node.picture();
    const vote = votedFor === undefined ? '' : `, has voted for ${votedFor}`;
    network.say(
      `${node.name}  starts with ${node.disk.durableHeight} entries in view ${view}${vote}`,
    );
  },
};

/** @throws DatadrivenError BAD_ARGUMENT */
function campaign(network: StoryNetwork, node: StoryNode): void {
  const leads = () => node.machine.status.role === 'leader';
  if (leads()) {
    throw new DatadrivenError('BAD_ARGUMENT', `${node.name} leads and does not campaign`);
  }
  for (let tick = 0; tick < 2 * network.settings.electionTicks; tick += 1) {
    if (network.tick(node) || leads()) return;
  }
  throw new DatadrivenError('BAD_ARGUMENT', `${node.name} does not campaign`);
}

/** @throws DatadrivenError BAD_ARGUMENT */
function quietOf(given: Arguments): TraceLevel {
  const word = given.optionalWord();
  if (word === undefined) return 'all';
  if (word === 'quiet') return 'changes';
  throw new DatadrivenError('BAD_ARGUMENT', `quiet is expected, or nothing, not ${word}`);
}

/** @throws DatadrivenError BAD_ARGUMENT */
function nodesOf(network: StoryNetwork, word: string): StoryNode[] {
  if (word === 'all') return network.running();
  return parseNames(word).map((name) => network.node(name));
}

function propose(
  network: StoryNetwork,
  node: StoryNode,
  payload: string,
  configuration: ReturnType<typeof configurationOf> | undefined,
): void {
  network.act(node, command, () => {
    const proposed = node.machine.propose(Buffer.from(payload), configuration);
    if (!proposed.ok) network.say(`${node.name}  refuses the proposal: ${proposed.code}`);
  });
}

/** A word of the command line that names one running node. */
export const nodeOf = (network: StoryNetwork, given: Arguments): StoryNode =>
  network.node(given.word('a node'));
