import type { GovernanceEvent } from '@concordat/governance';
import { type Command, wholeNumber } from './command.ts';
import { connect, connectionOptions, connectionUsage } from './connection-options.ts';
import { Names } from './constitution-names.ts';
import { abortOnInterrupt } from './interrupt.ts';
import { actorTable, nodeTable } from './network-tables.ts';
import { harmless, print } from './output.ts';
import { short } from './sandbox/node-tuple.ts';

const show: Command = {
  name: 'network show',
  summary: 'show the network: who it is, its actors and its nodes',
  usage: connectionUsage,
  options: connectionOptions,
  examples: ['network show', 'network show --json'],
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    const [state, { constitution, digest }] = await Promise.all([
      admin.network(),
      admin.constitution(),
    ]).finally(() => admin.close());
    print(invocation, { ...state, constitution }, [
      `${state.name}: network ${state.networkId}`,
      `constitution ${digest}, view ${state.view}\n`,
      actorTable(constitution),
      nodeTable(constitution, state.leader),
    ]);
    return 0;
  },
};

const sinceBounds = { least: 1, most: Number.MAX_SAFE_INTEGER, otherwise: 0 };

const watch: Command = {
  name: 'network watch',
  summary:
    'tell of proposals, votes and changes of the network as they are committed; Ctrl-C ends it',
  usage: `[--since seqno] ${connectionUsage}`,
  options: { ...connectionOptions, since: { type: 'string' } },
  details:
    'With --since it begins with what happened after that transaction, so that nothing is missed.',
  examples: ['network watch', 'network watch --since 214 --json'],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const { admin } = await connect(invocation);
    const since = wholeNumber(invocation, 'since', sinceBounds);
    const signal = abortOnInterrupt(terminal);
    try {
      const { constitution } = await admin.constitution();
      const names = new Names(constitution);
      for await (const line of admin.events({ signal, ...(since > 0 && { since }) })) {
        const { transactionId, timeMs, event } = line;
        const said = `${new Date(timeMs).toISOString()} ${transactionId} ${eventText(event, names)}`;
        terminal.write(`${options.json === true ? JSON.stringify(line) : harmless(said)}\n`);
      }
      return 0;
    } finally {
      admin.close();
    }
  },
};

/** An event in a line: of proposals what matters, of others whatever they tell. */
function eventText(event: GovernanceEvent, names: Names): string {
  if (event.event !== 'proposal') {
    const { event: kind, ...about } = event;
    return `${kind}: ${names.text(about)}`;
  }
  const { proposal, by } = event;
  const changes = proposal.actions.map(({ name }) => name).join(', ');
  const deed = by ? `${by.type} of ${names.of(by.actorId)}` : 'counted anew';
  return `proposal ${short(proposal.proposalId)} (${changes}): ${deed}, now ${proposal.state}`;
}

/** Commands about a network as a whole. */
export const networkCommands: readonly Command[] = [show, watch];
