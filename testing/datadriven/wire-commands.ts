import type { Arguments } from './command-line.ts';
import { DatadrivenError } from './errors.ts';
import { messageWords } from './message-words.ts';
import { parseNames } from './names.ts';
import type { Command } from './story-commands.ts';
import { type Choice, type Packet, parseChoice } from './wire.ts';

/** Most ticks of one `run`. */
const maxTicks = 10_000;

/** Commands about messages and links. */
export const wireCommands: Readonly<Record<string, Command>> = {
  /** `deliver a->b [count] [kind=append] [skip=n]`: what is under way now, not what it causes. */
  deliver(network, given) {
    const packets = network.wire.take(...choiceOf(given));
    if (packets.length === 0) network.say('no such message is under way');
    for (const packet of packets) network.deliver(packet);
  },

  /** `settle [all]`: delivers until nobody has anything to say; tells only changes, or `all`. */
  settle(network, given) {
    const how = levelOf(given);
    const delivered = network.tell(how, () => network.settle());
    if (how === 'changes') network.say(`(${delivered} messages)`);
  },

  /** `run ticks [all]`: as often, a tick of every node and all messages. */
  run(network, given) {
    const ticks = given.count('ticks', 1, maxTicks);
    const how = levelOf(given);
    let delivered = 0;
    network.tell(how, () => {
      for (let tick = 0; tick < ticks; tick += 1) {
        for (const node of network.running()) network.tick(node);
        delivered += network.settle();
      }
    });
    if (how === 'changes') network.say(`(${ticks} ticks, ${delivered} messages)`);
  },

  /** `drop a->b [count] [kind=append] [skip=n]`: these messages are lost. */
  drop(network, given) {
    const packets = network.wire.take(...choiceOf(given));
    if (packets.length === 0) network.say('no such message is under way');
    for (const packet of packets) network.say(`${wordsOf(packet)} (lost)`);
  },

  /** `duplicate a->b [count]`: delivers these messages and leaves them under way. */
  duplicate(network, given) {
    const packets = network.wire.take(...choiceOf(given));
    for (const packet of packets) network.wire.post(packet);
    for (const packet of packets) network.deliver(packet);
  },

  /** `hold a->b [kind=append]`: `settle` and `run` leave such messages under way. */
  hold(network, given) {
    network.wire.hold(choiceOf(given)[0]);
    network.say('such messages wait until they are named or released');
  },

  /** `release`: nothing is held back any more. */
  release(network) {
    network.wire.releaseAll();
    network.say('nothing is held back');
  },

  /** `wire`: what is under way. */
  wire(network) {
    for (const packet of network.wire.packets) network.say(wordsOf(packet));
  },

  /** `isolate ab`: these nodes and the others do not reach each other any more. */
  isolate(network, given) {
    const names = parseNames(given.word('node names'));
    for (const name of names) network.node(name, 'any');
    for (const other of network.nodes.keys()) {
      if (names.includes(other)) continue;
      for (const name of names) {
        network.wire.cut(name, other);
        network.wire.cut(other, name);
      }
    }
    network.say(`${names.join(' ')} and the others do not reach each other`);
  },

  /** `cut a->b`: in this direction only. */
  cut(network, given) {
    const { from, to } = parseChoice(given.word('a->b'), undefined);
    if (!from || !to) throw new DatadrivenError('BAD_ARGUMENT', 'cut takes both ends: a->b');
    for (const one of from) for (const other of to) network.wire.cut(one, other);
    network.say(`${from.join(' ')} does not reach ${to.join(' ')}`);
  },

  /** `heal`: all links work. */
  heal(network) {
    network.wire.heal();
    network.say('all links work');
  },
};

function choiceOf(given: Arguments): [Choice, number | undefined, number] {
  const kind = given.named('kind');
  const choice = parseChoice(given.word('a choice of messages'), kind);
  const skip = given.namedCount('skip', 0);
  const word = given.count('a number of messages', 0);
  return [choice, word === 0 ? undefined : word, skip];
}

function levelOf(given: Arguments): 'all' | 'changes' {
  const word = given.optionalWord();
  if (word === undefined) return 'changes';
  if (word === 'all') return 'all';
  throw new DatadrivenError('BAD_ARGUMENT', `all is expected, or nothing, not ${word}`);
}

const wordsOf = ({ from, to, message }: Packet): string =>
  `${from} -> ${to}  ${messageWords(message)}`;
