import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProposedAction } from '@concordat/governance';
import { isHex64 } from '@concordat/std';
import { type Command, type Invocation, required } from './command.ts';
import {
  connect,
  connectionOptions,
  connectionUsage,
  identityOf,
  identityOptions,
  identityUsage,
} from './connection-options.ts';
import { CliError } from './errors.ts';
import { nameGiven, oneNamed } from './member-commands.ts';
import { nodeTable } from './network-tables.ts';
import { print } from './output.ts';
import { propose, proposingDetails, proposingOptions, proposingUsage } from './proposing.ts';
import type { NodeStatus } from './sandbox/node-process.ts';
import { nodeTuple } from './sandbox/node-tuple.ts';
import { requireOwnTerms, waitingNode } from './waiting-node.ts';

const list: Command = {
  name: 'node list',
  summary: 'list the validating nodes and where they stand',
  usage: connectionUsage,
  options: connectionOptions,
  examples: ['node list', 'node list --json'],
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    const [{ leader }, { constitution }] = await Promise.all([
      admin.network(),
      admin.constitution(),
    ]).finally(() => admin.close());
    print(invocation, { nodes: constitution.nodes, ...(leader && { leader }) }, [
      nodeTable(constitution, leader),
    ]);
    return 0;
  },
};

const tuple: Command = {
  name: 'node tuple',
  summary: 'sign a new node with its owner’s key: what a member then proposes with "node add"',
  usage: `<status.json of its host> ${identityUsage} [--output tuple.json]`,
  positionals: 1,
  options: { ...identityOptions, output: { type: 'string' } },
  details: `The node must run: its keys live as long as its process. status.json lies in the data directory of its host.`,
  examples: [
    'node tuple vn4-data/status.json --certificate dune.pem --key dune-key.pem --output tuple.json',
  ],
  run: async (invocation) => {
    const { positionals, options, terminal } = invocation;
    const file = statusGiven(positionals[0]);
    const actions = [await signedNode(invocation, file, await readJson(file))];
    const text = `${JSON.stringify(actions, undefined, 2)}\n`;
    const { output } = options;
    if (typeof output !== 'string') {
      terminal.write(text);
      return 0;
    }
    await writeFile(output, text);
    terminal.write(`Wrote ${output}. A member proposes it with: concordat node add ${output}\n`);
    return 0;
  },
};

const statusGiven = (file: string | undefined): string => {
  if (file !== undefined) return file;
  throw new CliError('USAGE', 'name the status.json in the data directory of its host');
};

/** The action that adds the node a status tells of, signed by its owner. */
async function signedNode(
  invocation: Invocation,
  file: string,
  value: unknown,
): Promise<ProposedAction> {
  const { manager } = (value ?? {}) as { manager?: NodeStatus };
  if (!manager?.node) throw new CliError('USAGE', `${file} does not tell of a node yet`);
  return { name: 'add_node', args: nodeTuple(await identityOf(invocation), manager) };
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError('USAGE', `${file}: ${(error as Error).message}`);
  }
}

const add: Command = {
  name: 'node add',
  summary: 'propose a node: from the tuple its owner signed, or one’s own from its status.json',
  usage: `<tuple.json | status.json> ${proposingUsage}`,
  positionals: 1,
  options: proposingOptions,
  details: `A tuple is what "concordat node tuple" wrote on the side of its owner. From a status.json the tuple is made
here, signed with one's own organisation's key. The new node joins by itself once the vote has passed. ${proposingDetails}`,
  examples: [
    'node add tuple.json --vote --as aurora-bank',
    'node add vn5-data/status.json --address vn1.aurora.example:7101 --network-certificate network.pem --certificate aurora.pem --key aurora-key.pem',
  ],
  run: async (invocation) => {
    const file = statusGiven(invocation.positionals[0]);
    const value = await readJson(file);
    const actions = Array.isArray(value) ? (value as ProposedAction[]) : undefined;
    if (actions?.some(({ name }) => name !== 'add_node')) {
      throw new CliError('USAGE', `${file} holds more than nodes: "proposal create" proposes it`);
    }
    return propose(invocation, async () => actions ?? [await signedNode(invocation, file, value)]);
  },
};

const remove: Command = {
  name: 'node remove',
  summary: 'propose to remove a node; it is cut off when the vote commits',
  usage: `<name | id or its beginning> ${proposingUsage}`,
  positionals: 1,
  options: proposingOptions,
  details: proposingDetails,
  examples: ['node remove vn3 --vote --as aurora-bank'],
  run: async (invocation) => {
    const given = nameGiven(invocation, 'the node');
    return propose(invocation, async ({ constitution }) => {
      if (isHex64(given)) return [{ name: 'remove_node', args: { nodeId: given } }];
      const { nodes } = await constitution();
      const present = nodes.filter(({ status }) => status !== 'retired');
      const { nodeId } = oneNamed(present, given, {
        what: 'node',
        nameOf: ({ name }) => name,
        idOf: (node) => node.nodeId,
      });
      return [{ name: 'remove_node', args: { nodeId } }];
    });
  },
};

const deciding = (verb: 'approve' | 'refuse'): Command => ({
  name: `node ${verb}`,
  summary:
    verb === 'approve'
      ? 'approve the constitution that a node of one’s own is shown: it joins under it'
      : 'refuse the constitution that a node of one’s own is shown: it ends, with nothing downloaded',
  usage: '<terms> --data directory [--json]',
  positionals: 1,
  options: { data: { type: 'string' }, json: { type: 'boolean', default: false } },
  details: `The terms are those that "concordat constitution show --from" prints, whole. The decision goes into
approval.json in the data directory of the node, where its host finds it.`,
  examples: [`node ${verb} 5f31… --data vn4-data`],
  run: async (invocation) => {
    const [terms] = invocation.positionals;
    if (!isHex64(terms)) throw new CliError('USAGE', 'give the terms: 64 hex digits');
    const node = await waitingNode(required(invocation, 'data'));
    if (node.terms !== terms) {
      throw new CliError(
        'MISMATCH',
        `the node is shown other terms now, ${node.terms}: look at them first`,
      );
    }
    requireOwnTerms(node);
    const accept = verb === 'approve';
    await replaceDecision(node.dataDirectory, { terms, accept });
    print(invocation, { terms, accept }, [
      accept ? 'Approved: the node joins.' : 'Refused: the node ends.',
    ]);
    return 0;
  },
});

/** Replaces the file at once, so that the host never reads half a decision. */
async function replaceDecision(
  directory: string,
  decision: { readonly terms: string; readonly accept: boolean },
): Promise<void> {
  const file = join(directory, 'approval.json');
  const written = `${file}.new`;
  await writeFile(written, `${JSON.stringify(decision)}\n`, { mode: 0o600 });
  await rename(written, file);
}

/** Commands about the validating nodes. */
export const nodeCommands: readonly Command[] = [
  list,
  add,
  remove,
  tuple,
  deciding('approve'),
  deciding('refuse'),
];
