import type { Command } from './command.ts';
import { connect, connectionOptions, connectionUsage } from './connection-options.ts';
import { actorTable, nodeTable } from './network-tables.ts';
import { print } from './output.ts';

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

/** Commands about a network as a whole. */
export const networkCommands: readonly Command[] = [show];
