import type { Command } from './command.ts';
import { act, messageOptions, messageUsage } from './proposing.ts';

const voting = (verb: 'accept' | 'reject'): Command => ({
  name: `vote ${verb}`,
  summary: `vote to ${verb} a proposal, signed with the organisation’s key`,
  usage: `<proposal id or its beginning> ${messageUsage}`,
  positionals: 1,
  options: messageOptions,
  details: `"concordat proposal show" tells what the proposal would change. With --print nothing is signed or sent: the
bytes to sign go to a file ("concordat help proposal sign").`,
  examples: [`vote ${verb} 81c2 --as borealis-trade`, `vote ${verb} 81c2 --print vote.tbs`],
  run: (invocation) => act(invocation, { type: 'vote', accept: verb === 'accept' }),
});

/** Commands that vote. */
export const voteCommands: readonly Command[] = [voting('accept'), voting('reject')];
