import type { Command } from './command.ts';
import {
  connectionOptions,
  connectionUsage,
  identityOptions,
  identityUsage,
} from './connection-options.ts';
import { messageOptions, messageUsage, proposingOptions, proposingUsage } from './proposing.ts';

/** Options that many commands take together, under the word that stands for them in usage lines. */
interface CommonOptions {
  readonly word: string;
  readonly meaning: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly usage: string;
}

/** The widest sets first: a set contains those after it. */
export const commonOptions: readonly CommonOptions[] = [
  {
    word: '[proposing]',
    meaning: 'to vote at once, or have the message signed elsewhere; and to talk to a network',
    options: proposingOptions,
    usage: proposingUsage,
  },
  {
    word: '[message]',
    meaning: 'to have the message signed elsewhere; and to talk to a network',
    options: messageOptions,
    usage: messageUsage,
  },
  {
    word: '[connection]',
    meaning: 'to talk to a network, a sandbox here or a node anywhere, as somebody',
    options: connectionOptions,
    usage: connectionUsage,
  },
  {
    word: '[identity]',
    meaning: 'to say who one is: a certificate, and its key in a file or in a token',
    options: identityOptions,
    usage: identityUsage,
  },
];

/** The set that a command takes, if its usage names one. */
export const commonOptionsOf = ({ usage }: Command): CommonOptions | undefined =>
  commonOptions.find((common) => usage.includes(common.usage));

/** The usage line with one word for options that many commands take. */
export function shortUsage(command: Command): string {
  const common = commonOptionsOf(command);
  const usage = common ? command.usage.replace(common.usage, common.word) : command.usage;
  return `concordat ${command.name} ${usage}`.trimEnd();
}
