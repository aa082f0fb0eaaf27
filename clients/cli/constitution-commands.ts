import { readFile } from 'node:fs/promises';
import {
  actionNames,
  buildAcknowledgement,
  type Constitution,
  constitutionDigest,
  constitutionSchema,
  defaultPolicy,
  parseConstitution,
  policyNames,
  proposalSchema,
} from '@concordat/governance';
import { isHex64 } from '@concordat/std';
import type { Command, Invocation } from './command.ts';
import { connect, connectionOptions, connectionUsage } from './connection-options.ts';
import { changesBetween, changesText } from './constitution-diff.ts';
import { Names } from './constitution-names.ts';
import { constitutionLines } from './constitution-summary.ts';
import { CliError } from './errors.ts';
import { print } from './output.ts';
import {
  messageOptions,
  messageUsage,
  outcomeOf,
  printMessage,
  propose,
  proposingDetails,
  proposingOptions,
  proposingUsage,
} from './proposing.ts';
import { renderTable } from './terminal.ts';
import { bytesToSign } from './unsigned-message.ts';
import { requireOwnTerms, waitingNode } from './waiting-node.ts';

const show: Command = {
  name: 'constitution show',
  summary: 'show the constitution: in force, or in a file',
  usage: `[constitution.json | --from data-directory] ${connectionUsage}`,
  positionals: 1,
  options: { ...connectionOptions, from: { type: 'string' } },
  details: `With --json it is printed as JSON, which is a constitution file: what one hands to a newcomer, or compares later
with "concordat constitution diff". With --from it is the one that a node of one's own waits for the approval of,
as its host's status.json has it; what was changed since an earlier approval is shown as well.`,
  examples: [
    'constitution show',
    'constitution show --json > constitution.json',
    'constitution show --from vn4-data',
  ],
  run: async (invocation) => {
    const { terminal } = invocation;
    const [file] = invocation.positionals;
    const { from } = invocation.options;
    if (typeof from === 'string') return showWaiting(invocation, from);
    if (file !== undefined) {
      const constitution = await readConstitutionFile(file);
      print(invocation, constitution, constitutionLines(terminal, constitution));
      return 0;
    }
    const { networkId, constitution } = await inForce(invocation);
    print(invocation, constitution, constitutionLines(terminal, constitution, { networkId }));
    return 0;
  },
};

/** What a newcomer's operator is asked to approve. */
async function showWaiting(invocation: Invocation, place: string): Promise<number> {
  const { terminal } = invocation;
  const node = await waitingNode(place);
  requireOwnTerms(node);
  const { networkId, terms, constitution, before, dataDirectory } = node;
  const digest = constitutionDigest(constitution);
  const changes = before && changesBetween(before, constitution);
  const names = new Names(constitution);
  print(invocation, { networkId, terms, digest, constitution, ...(changes && { changes }) }, [
    ...constitutionLines(terminal, constitution, { networkId, terms }),
    ...(changes
      ? ['Since what was approved before', ...changesText(terminal, changes, names), '']
      : []),
    `The node downloads nothing before you approve these terms: ${terms}`,
    `  concordat node approve ${terms} --data ${dataDirectory}`,
    `  concordat node refuse ${terms} --data ${dataDirectory}`,
  ]);
  return 0;
}

async function inForce(
  invocation: Invocation,
): Promise<{ readonly networkId: string; readonly constitution: Constitution }> {
  const { admin } = await connect(invocation);
  return admin.constitution().finally(() => admin.close());
}

/** A constitution from a file. @throws CliError USAGE; GovernanceError */
export async function readConstitutionFile(file: string): Promise<Constitution> {
  return parseConstitution(await readFile(file, 'utf8'));
}

const diff: Command = {
  name: 'constitution diff',
  summary: 'show how the constitution in force, or of a second file, differs from that of a file',
  usage: `<constitution.json> [later.json] ${connectionUsage}`,
  positionals: 2,
  options: connectionOptions,
  examples: [
    'constitution diff approved.json',
    'constitution diff approved.json later.json --json',
  ],
  run: async (invocation) => {
    const [file, later] = invocation.positionals;
    if (file === undefined) throw new CliError('USAGE', 'name the file with a constitution');
    const before = await readConstitutionFile(file);
    const after =
      later === undefined
        ? (await inForce(invocation)).constitution
        : await readConstitutionFile(later);
    const changes = changesBetween(before, after);
    const digests = { before: constitutionDigest(before), after: constitutionDigest(after) };
    const names = new Names({
      actors: [...before.actors, ...after.actors],
      nodes: [...before.nodes, ...after.nodes],
    });
    print(invocation, { ...digests, changes }, changesText(invocation.terminal, changes, names));
    return 0;
  },
};

const acknowledge: Command = {
  name: 'constitution acknowledge',
  summary: 'sign that one has read the constitution in force; it is kept in the ledger',
  usage: `<terms> ${messageUsage}`,
  positionals: 1,
  options: messageOptions,
  details: `The terms are those that "concordat constitution show" prints, whole: what is not in force any more is not
acknowledged. With --print nothing is signed or sent: the bytes to sign go to a file ("concordat help proposal sign").`,
  examples: [
    'constitution acknowledge 5f31… --as aurora-bank',
    'constitution acknowledge 5f31… --print seen.tbs',
  ],
  run: async (invocation) => {
    const [terms] = invocation.positionals;
    if (!isHex64(terms)) {
      throw new CliError('USAGE', 'give the terms that "concordat constitution show" prints');
    }
    if (invocation.options.print !== undefined) {
      return printMessage(invocation, async (_, about) =>
        bytesToSign(about, (options) => buildAcknowledgement({ ...options, terms })),
      );
    }
    const { admin } = await connect(invocation);
    const outcome = await admin.acknowledge(terms).finally(() => admin.close());
    const { transactionId } = outcome;
    print(invocation, { ...outcomeOf(outcome), proposalId: outcome.proposalId }, [
      `Acknowledged in transaction ${transactionId}.`,
    ]);
    return 0;
  },
};

const policies: Command = {
  name: 'constitution policies',
  summary: 'list the policies, their values and their defaults',
  usage: connectionUsage,
  options: connectionOptions,
  details: 'What each policy means and what it may be is in docs/format/governance.md.',
  examples: ['constitution policies', 'constitution policies --json'],
  run: async (invocation) => {
    const { constitution } = await inForce(invocation);
    const rows = policyNames.map((name) => ({
      name,
      value: constitution.policies[name],
      default: defaultPolicy(name),
    }));
    print(invocation, { policies: rows, votingPolicies: constitution.votingPolicies }, [
      renderTable(
        ['policy', 'value', 'default'],
        rows.map((row) => [row.name, String(row.value), String(row.default)]),
      ),
    ]);
    return 0;
  },
};

const set: Command = {
  name: 'constitution set',
  summary: 'propose a value for a policy',
  usage: `<policy> <value> ${proposingUsage}`,
  positionals: 2,
  options: proposingOptions,
  details: proposingDetails,
  examples: ['constitution set epochDuration 3600 --vote --as aurora-bank'],
  run: (invocation) => {
    const name = policyGiven(invocation);
    const [, text] = invocation.positionals;
    if (text === undefined) throw new CliError('USAGE', `give the value of ${name}`);
    const value = policyValue(text);
    return propose(invocation, async () => [{ name: 'set_policy', args: { name, value } }]);
  },
};

const unset: Command = {
  name: 'constitution unset',
  summary: 'propose that a policy have its default again',
  usage: `<policy> ${proposingUsage}`,
  positionals: 1,
  options: proposingOptions,
  details: proposingDetails,
  examples: ['constitution unset epochDuration --vote --as aurora-bank'],
  run: (invocation) => {
    const name = policyGiven(invocation);
    return propose(invocation, async () => [{ name: 'remove_policy', args: { name } }]);
  },
};

function policyGiven({ positionals: [name] }: Invocation): string {
  if ((policyNames as readonly (string | undefined)[]).includes(name)) return name as string;
  throw new CliError('USAGE', `name a policy: ${policyNames.join(', ')}`);
}

/** JSON where it is JSON, else the text itself. */
function policyValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const voting: Command = {
  name: 'constitution voting',
  summary: 'propose by which votes a kind of change, or every other, is decided',
  usage: `<action | default> <policy | none> ${proposingUsage}`,
  positionals: 2,
  options: proposingOptions,
  details: `A policy is majority, unanimous, a number of members, a percentage as 66%, or JSON as docs/format/governance.md
has it; none: the kind is decided as by default again. A change of it rules the next proposal. ${proposingDetails}`,
  examples: [
    'constitution voting add_node 2 --vote --as aurora-bank',
    `constitution voting default '{"kind":"percentage","percent":66}' --as aurora-bank`,
    'constitution voting add_node none --as aurora-bank',
  ],
  run: (invocation) => {
    const [kind, text] = invocation.positionals;
    if (kind !== 'default' && !(actionNames as readonly (string | undefined)[]).includes(kind)) {
      throw new CliError('USAGE', `name default, or a kind of change: ${actionNames.join(', ')}`);
    }
    if (text === undefined) throw new CliError('USAGE', 'give the policy');
    if (text === 'none') {
      return propose(invocation, async () => [{ name: 'remove_voting_policy', args: { kind } }]);
    }
    const policy = votingPolicy(text);
    return propose(invocation, async () => [{ name: 'set_voting_policy', args: { kind, policy } }]);
  },
};

/** A voting policy in short, or as JSON. */
export function votingPolicy(text: string): unknown {
  if (/^\d{1,3}%$/.test(text)) return { kind: 'percentage', percent: Number(text.slice(0, -1)) };
  const value = policyValue(text);
  if (typeof value === 'number') return { kind: 'm-of-n', m: value };
  return typeof value === 'string' ? { kind: value } : value;
}

const schema: Command = {
  name: 'constitution schema',
  summary: 'print the JSON Schema of constitutions, or with --proposal that of what is proposed',
  usage: '[--proposal]',
  options: { proposal: { type: 'boolean', default: false } },
  examples: ['constitution schema > constitution.schema.json', 'constitution schema --proposal'],
  run: async ({ terminal, options }) => {
    const printed = options.proposal === true ? proposalSchema : constitutionSchema;
    terminal.write(`${JSON.stringify(printed, undefined, 2)}\n`);
    return 0;
  },
};

/** Commands about the constitution. */
export const constitutionCommands: readonly Command[] = [
  show,
  diff,
  acknowledge,
  policies,
  schema,
  set,
  unset,
  voting,
];
