import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { spkiOf } from '@concordat/crypto';
import {
  actionNames,
  type Constitution,
  certificatesOf,
  type Proposal,
  type ProposedAction,
  previewActions,
  votingPolicyText,
} from '@concordat/governance';
import { toHex } from '@concordat/std';
import { type Command, type Invocation, required } from './command.ts';
import {
  connect,
  connectionOptions,
  connectionUsage,
  identityOf,
  identityOptions,
  identityUsage,
} from './connection-options.ts';
import { changesBetween, changesText } from './constitution-diff.ts';
import { Names } from './constitution-names.ts';
import { CliError } from './errors.ts';
import { print } from './output.ts';
import { requireFree, writeNewPrivateFile } from './private-file.ts';
import {
  act,
  actionText,
  findProposal,
  messageLines,
  messageOptions,
  messageUsage,
  printOutcome,
  propose,
  proposingDetails,
  proposingOptions,
  proposingUsage,
} from './proposing.ts';
import { short } from './sandbox/node-tuple.ts';
import { paint, renderTable, type Terminal } from './terminal.ts';
import { joinSignature, readBytesToSign, signBytes } from './unsigned-message.ts';

const create: Command = {
  name: 'proposal create',
  summary: 'propose changes of the constitution, all of which take effect together or not at all',
  usage: `<actions.json | action ['json arguments']> ${proposingUsage}`,
  positionals: 2,
  options: proposingOptions,
  details: `A file holds a list of actions, [{"name", "args"}], or an object with it as "actions". The actions are
${listed(actionNames)}.
Their arguments are in docs/format/governance.md; "concordat member", "node", "code" and "constitution set"
make the common ones from plain options. ${proposingDetails}`,
  examples: [
    `proposal create begin_epoch --vote`,
    `proposal create set_policy '{"name":"epochDuration","value":3600}' --as aurora-bank`,
    'proposal create actions.json --vote --json',
    'proposal create actions.json --print message.tbs --network-id 5f… --certificate own.pem',
  ],
  run: (invocation) => propose(invocation, () => actionsGiven(invocation.positionals)),
};

/** Words in lines that fit a terminal. */
function listed(words: readonly string[]): string {
  const lines: string[] = [''];
  for (const word of words) {
    const last = lines.at(-1) as string;
    if (last.length + word.length < 96) lines[lines.length - 1] = last ? `${last}, ${word}` : word;
    else lines.push(word);
  }
  return lines.join(',\n');
}

/** Actions from a file, or one given by name with its arguments as JSON. @throws CliError USAGE */
async function actionsGiven(words: readonly string[]): Promise<ProposedAction[]> {
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
  const list = Array.isArray(value) ? value : (value as { actions?: unknown } | null)?.actions;
  if (!Array.isArray(list)) throw new CliError('USAGE', `${first} holds no list of actions`);
  return list as ProposedAction[];
}

const list: Command = {
  name: 'proposal list',
  summary: 'list the proposals and their votes',
  usage: `[--state open] ${connectionUsage}`,
  options: { ...connectionOptions, state: { type: 'string' } },
  examples: ['proposal list', 'proposal list --state open --json'],
  run: async (invocation) => {
    const { state } = invocation.options;
    const { proposals, constitution } = await ask(invocation);
    const names = new Names(constitution);
    const shown = proposals.filter((one) => state === undefined || one.state === state);
    print(invocation, { proposals: shown }, [
      shown.length === 0
        ? 'No such proposal.'
        : renderTable(
            ['proposal', 'state', 'by', 'changes', 'votes'],
            shown.map((proposal) => [
              short(proposal.proposalId),
              proposal.state,
              names.of(proposal.proposer),
              proposal.actions.map(({ name }) => name).join(', '),
              proposal.votes
                .map(({ actorId, accept, rule }) => {
                  const how = rule === undefined ? '' : ` (rule ${rule})`;
                  return `${names.of(actorId)} ${accept ? 'yes' : 'no'}${how}`;
                })
                .join(', '),
            ]),
          ),
    ]);
    return 0;
  },
};

async function ask(
  invocation: Invocation,
): Promise<{ readonly proposals: readonly Proposal[]; readonly constitution: Constitution }> {
  const { admin } = await connect(invocation);
  try {
    const [proposals, { constitution }] = await Promise.all([
      admin.proposals(),
      admin.constitution(),
    ]);
    return { proposals, constitution };
  } finally {
    admin.close();
  }
}

const show: Command = {
  name: 'proposal show',
  summary: 'show a proposal: its votes, what it takes, and what it would change',
  usage: `<proposal id or its beginning | message.tbs> ${connectionUsage}`,
  positionals: 1,
  options: connectionOptions,
  details: `Of an open proposal it shows the constitution before and after, made by the very code that a vote runs.
Of a file of bytes to sign it shows what they say, without a connection.`,
  examples: ['proposal show 81c2', 'proposal show 81c2 --json', 'proposal show message.tbs'],
  run: async (invocation) => {
    const [given] = invocation.positionals;
    if (given === undefined) throw new CliError('USAGE', 'name the proposal');
    if (existsSync(given)) return showFile(invocation, given);
    const { proposals, constitution } = await ask(invocation);
    const proposal = findProposal(proposals, given);
    const names = new Names(constitution);
    const preview =
      proposal.state === 'open' ? previewActions(constitution, proposal.actions) : undefined;
    const changes = preview?.ok ? changesBetween(constitution, preview.constitution) : [];
    const refusal = preview?.ok === false && { code: preview.code, message: preview.message };
    const after = preview?.ok
      ? new Names({
          actors: [...constitution.actors, ...preview.constitution.actors],
          nodes: [...constitution.nodes, ...preview.constitution.nodes],
        })
      : names;
    print(
      invocation,
      { proposal, ...(preview?.ok && { changes }), ...(refusal && { wouldFail: refusal }) },
      [
        ...proposalLines(invocation.terminal, proposal, names),
        ...(preview?.ok
          ? ['', 'It would change', ...changesText(invocation.terminal, changes, after)]
          : []),
        ...(refusal
          ? ['', `As things are it would fail: ${refusal.code}: ${refusal.message}`]
          : []),
      ],
    );
    return 0;
  },
};

async function showFile(invocation: Invocation, file: string): Promise<number> {
  const message = readBytesToSign(await readFile(file), file);
  const { type, networkId, kid: signer, createdAtSeconds, proposalId, payload } = message;
  const about = { type, networkId, signer, createdAtSeconds, payload };
  const value = { ...about, ...(proposalId && { proposalId }) };
  print(invocation, value, messageLines(message, new Names()));
  return 0;
}

/** Everything known of a proposal, whatever properties it has. */
function proposalLines(terminal: Terminal, proposal: Proposal, names: Names): string[] {
  const { proposalId, state, proposer, actions, requirements, votes, failure, ...rest } = proposal;
  const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString();
  const nameOf = (id: string): string => names.of(id);
  const others = Object.entries(rest).filter(([name]) => name !== 'sequence');
  const rows = others.map(([name, value]) =>
    name.endsWith('Seconds') && typeof value === 'number'
      ? [name.replace(/(At)?Seconds$/, ''), timeOf(value)]
      : [name, names.text(value)],
  );
  const style = state === 'accepted' ? 'green' : state === 'open' ? 'cyan' : 'yellow';
  return [
    `Proposal ${proposalId}`,
    `  ${paint(terminal, style, state)}, by ${names.of(proposer)}`,
    ...rows.map(([name = '', text]) => `  ${name} ${text}`),
    '',
    'Actions',
    ...actions.map((action) => `  ${actionText(action, names)}`),
    '',
    'It takes',
    ...requirements.map(({ kind, policy }) => `  ${kind}: ${votingPolicyText(policy, nameOf)}`),
    '',
    votes.length === 0 ? 'Nobody has voted.' : 'Votes',
    ...votes.map(({ actorId, accept, atSeconds, ...more }) => {
      const also = Object.keys(more).length > 0 ? ` (${names.text(more)})` : '';
      return `  ${names.of(actorId)} ${accept ? 'accepts' : 'rejects'}, ${timeOf(atSeconds)}${also}`;
    }),
    ...(failure ? ['', `It failed: ${failure.code}: ${failure.message}`] : []),
  ];
}

const withdraw: Command = {
  name: 'proposal withdraw',
  summary: 'withdraw an open proposal of one’s own',
  usage: `<proposal id or its beginning> ${messageUsage}`,
  positionals: 1,
  options: messageOptions,
  examples: ['proposal withdraw 81c2 --as aurora-bank'],
  run: (invocation) => act(invocation, { type: 'withdrawal' }),
};

const sign: Command = {
  name: 'proposal sign',
  summary: 'sign a message that was written with --print, without any connection',
  usage: `<message.tbs> ${identityUsage} --out message.sig`,
  positionals: 1,
  options: {
    ...identityOptions,
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
  details: `What the bytes say is read from the bytes themselves and shown. Any program that signs exactly the bytes of
the file with ECDSA over SHA-256 does as well: openssl dgst -sha256 -sign own-key.pem -out message.sig message.tbs`,
  examples: [
    'proposal sign message.tbs --certificate own.pem --key own-key.pem --out message.sig',
    'proposal sign message.tbs --certificate own.pem --pkcs11-key organisation --pkcs11-module softhsm2.so --out message.sig',
  ],
  run: async (invocation) => {
    const [file] = invocation.positionals;
    if (file === undefined) throw new CliError('USAGE', 'name the file with the bytes to sign');
    const out = required(invocation, 'out');
    requireFree(out);
    const bytes = await readFile(file);
    const message = readBytesToSign(bytes, file);
    const { messageSigner, actorId, name } = await identityOf(invocation);
    if (!messageSigner) throw new CliError('USAGE', 'signing takes an identity with a P-256 key');
    if (actorId !== message.kid) {
      throw new CliError(
        'USAGE',
        `the message is to be signed by ${message.kid}, and this is the certificate of "${name}", ${actorId}`,
      );
    }
    // Shown before it is signed, not after: a token may ask for its button.
    const isForPeople = invocation.options.json !== true;
    if (isForPeople) print(invocation, undefined, messageLines(message, new Names()));
    const signature = signBytes(messageSigner, bytes);
    await writeNewPrivateFile(out, `${toHex(signature)}\n`);
    const { type, networkId, kid: signer } = message;
    print(invocation, { file: out, type, networkId, signer }, [
      '',
      `Signed. Wrote ${out}.`,
      `  concordat proposal submit ${file} --signature ${out}`,
    ]);
    return 0;
  },
};

const submit: Command = {
  name: 'proposal submit',
  summary: 'submit a proposal, vote or withdrawal that was signed elsewhere',
  usage: `<message.tbs> --signature message.sig ${connectionUsage}`,
  positionals: 1,
  options: { ...connectionOptions, signature: { type: 'string' } },
  details: `Whoever delivers a message, its signature is what counts: any actor's connection will do. A message is
taken for a day after it was made, and once.`,
  examples: ['proposal submit message.tbs --signature message.sig --as borealis-trade'],
  run: async (invocation) => {
    const [file] = invocation.positionals;
    if (file === undefined)
      throw new CliError('USAGE', 'name the file with the bytes that were signed');
    const bytes = await readFile(file);
    const { kid: signer } = readBytesToSign(bytes, file);
    const signature = await readFile(required(invocation, 'signature'));
    const { admin } = await connect(invocation);
    try {
      const { constitution } = await admin.constitution();
      const key = signerKey(constitution, signer);
      const outcome = await admin.submit(joinSignature(bytes, signature, key));
      printOutcome(invocation, 'Submitted', outcome);
      return 0;
    } finally {
      admin.close();
    }
  },
};

/** Public key of an actor, to check a signature before it is sent; undefined of others. */
function signerKey({ actors }: Constitution, signer: string): Uint8Array | undefined {
  const found = actors.flatMap(certificatesOf).find(({ fingerprint }) => fingerprint === signer);
  return found && spkiOf(found.der);
}

/** Commands about proposals. */
export const proposalCommands: readonly Command[] = [create, list, show, sign, submit, withdraw];
