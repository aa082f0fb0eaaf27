import { readFile } from 'node:fs/promises';
import { actionNames, type Proposal, type ProposedAction } from '@concordat/governance';
import type { Command, Invocation } from './command.ts';
import { connect, connectionOptions, connectionUsage } from './connection-options.ts';
import { CliError } from './errors.ts';
import { short } from './sandbox/node-tuple.ts';
import { renderTable } from './terminal.ts';

const propose: Command = {
  name: 'propose',
  summary: 'propose changes to the constitution, signed with the organisation’s key',
  usage: `<actions.json | action 'json arguments'> ${connectionUsage}`,
  positionals: 2,
  options: connectionOptions,
  run: async (invocation) => {
    const actions = await actionsOf(invocation.positionals);
    const { admin } = await connect(invocation);
    const { proposalId, state, transactionId } = await admin
      .propose(actions)
      .finally(() => admin.close());
    print(invocation, { proposalId, state, transactionId }, [
      `Proposal ${proposalId} is ${state} (transaction ${transactionId}).`,
      `Members vote with: npm run concordat -- vote ${short(proposalId)} yes --as <organisation>`,
    ]);
    return 0;
  },
};

/** Actions from a file, or one given by name with its arguments as JSON. @throws CliError USAGE */
async function actionsOf(words: readonly string[]): Promise<ProposedAction[]> {
  const [first, args] = words;
  if (first === undefined) {
    throw new CliError('USAGE', `name a file of actions, or one of: ${actionNames.join(', ')}`);
  }
  const isAction = (actionNames as readonly string[]).includes(first);
  const text = isAction ? (args ?? '{}') : await readFile(first, 'utf8').catch(() => undefined);
  if (text === undefined) throw new CliError('USAGE', `${first} is neither a file nor an action`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError('USAGE', `not JSON: ${(error as Error).message}`);
  }
  if (isAction) return [{ name: first, args: value } as ProposedAction];
  const list = Array.isArray(value) ? value : (value as { actions?: unknown }).actions;
  if (!Array.isArray(list)) throw new CliError('USAGE', `${first} holds no list of actions`);
  return list as ProposedAction[];
}

const vote: Command = {
  name: 'vote',
  summary: 'vote on a proposal, signed with the organisation’s key',
  usage: `<proposal id or its beginning> <yes|no> ${connectionUsage}`,
  positionals: 2,
  options: connectionOptions,
  run: async (invocation) => {
    const [given = '', answer] = invocation.positionals;
    if (answer !== 'yes' && answer !== 'no') throw new CliError('USAGE', 'vote yes or no');
    const { admin } = await connect(invocation);
    try {
      const { proposalId } = await findProposal(await admin.proposals(), given);
      const { state, effects, transactionId } = await admin.vote(proposalId, answer === 'yes');
      print(invocation, { proposalId, state, effects, transactionId }, [
        `Voted ${answer}: the proposal is ${state} (transaction ${transactionId}).`,
        ...effects.map((effect) => `  in effect: ${effect.kind}`),
      ]);
    } finally {
      admin.close();
    }
    return 0;
  },
};

const withdraw: Command = {
  name: 'withdraw',
  summary: 'withdraw an open proposal of one’s own',
  usage: `<proposal id or its beginning> ${connectionUsage}`,
  positionals: 1,
  options: connectionOptions,
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    try {
      const [given = ''] = invocation.positionals;
      const { proposalId } = await findProposal(await admin.proposals(), given);
      const { state, transactionId } = await admin.withdraw(proposalId);
      print(invocation, { proposalId, state, transactionId }, [`The proposal is ${state}.`]);
    } finally {
      admin.close();
    }
    return 0;
  },
};

async function findProposal(proposals: readonly Proposal[], given: string): Promise<Proposal> {
  const found = proposals.filter(({ proposalId }) => proposalId.startsWith(given));
  if (given !== '' && found.length === 1) return found[0] as Proposal;
  throw new CliError(
    'USAGE',
    `${found.length === 0 || given === '' ? 'no' : 'more than one'} proposal begins with "${given}"`,
  );
}

const proposals: Command = {
  name: 'proposals',
  summary: 'list the proposals and their votes',
  usage: connectionUsage,
  options: connectionOptions,
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    const [list, { constitution }] = await Promise.all([
      admin.proposals(),
      admin.constitution(),
    ]).finally(() => admin.close());
    const names = new Map(
      constitution.actors.map(({ actorId, name }) => [actorId as string, name]),
    );
    const nameOf = (actorId: string): string => names.get(actorId) ?? short(actorId);
    print(invocation, list, [
      renderTable(
        ['proposal', 'state', 'by', 'changes', 'votes'],
        list.map((proposal) => [
          short(proposal.proposalId),
          proposal.state,
          nameOf(proposal.proposer),
          proposal.actions.map(({ name }) => name).join(', '),
          proposal.votes.map((v) => `${nameOf(v.actorId)} ${v.accept ? 'yes' : 'no'}`).join(', '),
        ]),
      ),
    ]);
    return 0;
  },
};

const network: Command = {
  name: 'network',
  summary: 'show members, participants and nodes of the network',
  usage: connectionUsage,
  options: connectionOptions,
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    const [state, { constitution, digest }] = await Promise.all([
      admin.network(),
      admin.constitution(),
    ]).finally(() => admin.close());
    const names = new Map(
      constitution.actors.map(({ actorId, name }) => [actorId as string, name]),
    );
    print(invocation, { ...state, constitution }, [
      `${state.name}: network ${state.networkId}`,
      `constitution ${digest}, view ${state.view}\n`,
      renderTable(
        ['actor', 'kind', 'id'],
        constitution.actors.map(({ name, kind, actorId }) => [
          name,
          kind.join(', '),
          short(actorId),
        ]),
      ),
      renderTable(
        ['node', 'of', 'status', 'address', 'id'],
        state.nodes.map((node) => [
          node.name,
          names.get(node.actorId) ?? short(node.actorId),
          node.nodeId === state.leader ? `${node.status}, leads` : node.status,
          node.address,
          short(node.nodeId),
        ]),
      ),
    ]);
    return 0;
  },
};

const constitutionCommand: Command = {
  name: 'constitution',
  summary: 'print the constitution in force as JSON',
  usage: connectionUsage,
  options: connectionOptions,
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    const answer = await admin.constitution().finally(() => admin.close());
    invocation.terminal.write(`${JSON.stringify(answer.constitution, undefined, 2)}\n`);
    return 0;
  },
};

function print(invocation: Invocation, value: unknown, lines: readonly string[]): void {
  const { terminal, options } = invocation;
  terminal.write(options.json === true ? `${JSON.stringify(value)}\n` : `${lines.join('\n')}\n`);
}

/** Commands of members and operators on a network's governance. */
export const governanceCommands: readonly Command[] = [
  network,
  constitutionCommand,
  proposals,
  propose,
  vote,
  withdraw,
];
