import type { Append, Entry, LogPosition, Message } from '@concordat/consensus';
import { type Height, toHeight, toView, type View } from '@concordat/std';
import { type Arguments, numberOf } from './command-line.ts';
import { DatadrivenError } from './errors.ts';
import { idOf, parseNames } from './names.ts';
import type { Command } from './story-commands.ts';
import type { StoryNetwork } from './story-network.ts';
import { configurationOf } from './story-settings.ts';
import { chunkBytes, digestOf } from './story-snapshots.ts';
import { parseChoice } from './wire.ts';

/** Most entries of one forged append. */
const maxEntries = 100;

/** Commands that put words into somebody's mouth: late, early and dishonest messages. */
export const forgeCommands: Readonly<Record<string, Command>> = {
  /**
   * `forge a->b append view=2 after=1.3 [entries=2.4,2.5:abd] [commit=3] [round=1] [retire=yes]`,
   * `... answer view=2 holds=3 [got=4] [commit=2] [no=5] [estimate=1.3]`,
   * `... vote view=2 log=1.3 [committed=1.2] [pre=yes]`, `... yes view=2 [pre=yes]`,
   * `... no view=2 [pre=yes]`, `... take-over view=2`, `... snapshot view=1 at=1.9 chunks=3
   * [index=0]` (without an index: the question how much is there), `... relay view=1 leader=a to=de
   * after=1.3 [entries=1.4]`: delivered at once.
   */
  forge(network, given) {
    const { from, to } = parseChoice(given.word('a->b'), undefined);
    const [one, other] = [from?.[0], to?.[0]];
    if (!one || !other || from?.length !== 1 || to?.length !== 1) {
      throw new DatadrivenError('BAD_ARGUMENT', 'forge takes one sender and one receiver: a->b');
    }
    network.node(other);
    network.deliver({ from: one, to: other, message: forged(network, given) });
  },
};

/** @throws DatadrivenError BAD_ARGUMENT */
function forged(network: StoryNetwork, given: Arguments): Message {
  const kind = given.word('a kind of message');
  const view = toView(given.namedCount('view', 0));
  switch (kind) {
    case 'append':
      return appendOf(given, view);
    case 'relay':
      return {
        type: 'relay',
        view,
        leader: idOf(given.named('leader') ?? 'a'),
        targets: parseNames(given.named('to') ?? '').map(idOf),
        append: appendOf(given, view),
      };
    case 'snapshot':
      return installOf(network, given, view);
    case 'answer':
      return answerOf(given, view);
    case 'vote': {
      const last = positionOf(given.named('log') ?? '0.0');
      return { type: 'vote-request', view, pre: isPre(given), last, committed: knownOf(given) };
    }
    case 'yes':
    case 'no': {
      const granted = kind === 'yes';
      return { type: 'vote-response', view, pre: isPre(given), granted, committed: knownOf(given) };
    }
    case 'take-over':
      return { type: 'timeout-now', view };
    default:
      throw new DatadrivenError('BAD_ARGUMENT', `there is no kind of message ${kind}`);
  }
}

const appendOf = (given: Arguments, view: View): Append => ({
  type: 'append',
  view,
  previous: positionOf(given.named('after') ?? '0.0'),
  committed: heightOf(given, 'commit'),
  round: given.namedCount('round', 0),
  retire: given.named('retire') === 'yes',
  entries: entriesOf(given.named('entries')),
});

function installOf(network: StoryNetwork, given: Arguments, view: View): Message {
  const at = positionOf(given.named('at') ?? '');
  const digest = digestOf(at);
  const chunks = given.namedCount('chunks', 1, 0, 1000);
  const index = given.named('index');
  const bytes =
    index === undefined
      ? new Uint8Array(0)
      : chunkBytes(digest, numberOf(index, 'index', 0, chunks - 1));
  const { genesis: configuration } = network.settings;
  const position = { ...at, configuration, configurationHeight: toHeight(0), chunks, digest };
  return { type: 'install', view, position, index: Number(index ?? 0), bytes };
}

function answerOf(given: Arguments, view: View): Message {
  const match = heightOf(given, 'holds');
  const no = given.named('no');
  const estimate = positionOf(given.named('estimate') ?? '0.0');
  return {
    type: 'append-response',
    view,
    round: given.namedCount('round', 0),
    match,
    received: toHeight(given.namedCount('got', match)),
    committed: heightOf(given, 'commit'),
    ...(no !== undefined && {
      rejected: { previousHeight: toHeight(numberOf(no, 'no', 0, 1 << 24)), estimate },
    }),
  };
}

const isPre = (given: Arguments): boolean => given.named('pre') === 'yes';

const knownOf = (given: Arguments): LogPosition => positionOf(given.named('committed') ?? '0.0');

const heightOf = (given: Arguments, name: string): Height => toHeight(given.namedCount(name, 0));

/** `view.height` */
function positionOf(word: string): LogPosition {
  const match = /^(\d{1,6})\.(\d{1,6})$/.exec(word);
  if (!match) throw new DatadrivenError('BAD_ARGUMENT', `a position is view.height, not ${word}`);
  return { view: toView(Number(match[1])), height: toHeight(Number(match[2])) };
}

/** `2.4,2.5:abd`: positions, and what an entry reconfigures to. */
function entriesOf(word: string | undefined): Entry[] {
  const parts = word?.split(',') ?? [];
  if (parts.length > maxEntries) {
    throw new DatadrivenError('BAD_ARGUMENT', `at most ${maxEntries} entries, not ${parts.length}`);
  }
  return parts.map((part) => {
    const [position, voters, quorums] = part.split(':') as [string, string?, string?];
    return {
      ...positionOf(position),
      payload: Buffer.from('forged'),
      ...(voters !== undefined && { configuration: configurationOf(voters, quorums) }),
    };
  });
}
