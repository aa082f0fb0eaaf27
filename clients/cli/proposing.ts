import {
  buildProposal,
  buildVote,
  buildWithdrawal,
  type Constitution,
  type MessageOptions,
  maxMessageAgeSeconds,
  type Proposal,
  type ProposedAction,
} from '@concordat/governance';
import { type AdminClient, readIdentity, type Submission } from '@concordat/sdk';
import { isHex64 } from '@concordat/std';
import { readCertificateFile } from './certificate-file.ts';
import { type Invocation, required } from './command.ts';
import { connect, connectionOptions, connectionUsage, sandboxNode } from './connection-options.ts';
import { Names } from './constitution-names.ts';
import { CliError } from './errors.ts';
import { print } from './output.ts';
import { requireFree, writeNewPrivateFile } from './private-file.ts';
import { short } from './sandbox/node-tuple.ts';
import { actionsOf, bytesToSign, readBytesToSign } from './unsigned-message.ts';

/** Options of commands whose message can be signed elsewhere. */
export const messageOptions = {
  ...connectionOptions,
  print: { type: 'string' },
  'network-id': { type: 'string' },
} as const;

/** Options of commands that propose something. */
export const proposingOptions = {
  ...messageOptions,
  vote: { type: 'boolean', default: false },
} as const;

/** How the usage line shows them. */
export const messageUsage = `[--print message.tbs [--network-id id --certificate file]] ${connectionUsage}`;

/** How the usage line shows them. */
export const proposingUsage = `[--vote] ${messageUsage}`;

/** What every command that proposes says of itself. */
export const proposingDetails = `The proposal is signed with the organisation's key and submitted; --vote votes for it as well. With --print
nothing is signed or sent: the bytes to sign go to a file ("concordat help proposal sign"). With --network-id
and --certificate that takes no connection.`;

/** What actions are made with: the constitution, when there is a connection to ask for it. */
export interface ProposingContext {
  readonly constitution: () => Promise<Constitution>;
}

/**
 * Proposes what the options say, or writes the bytes to sign.
 * @throws CliError; SdkError
 */
export async function propose(
  invocation: Invocation,
  actionsFor: (context: ProposingContext) => Promise<readonly ProposedAction[]>,
): Promise<number> {
  if (invocation.options.print !== undefined) {
    if (invocation.options.vote === true) {
      throw new CliError(
        'USAGE',
        'a proposal is voted on once it is there: --vote and --print exclude each other',
      );
    }
    return printMessage(invocation, async (context, about) => {
      const actions = await actionsFor(context);
      return bytesToSign(about, (options) => buildProposal({ ...options, actions }));
    });
  }
  const { admin } = await connect(invocation);
  try {
    const actions = await actionsFor(askingOnce(admin));
    const proposed = await admin.propose(actions);
    const voted = invocation.options.vote === true && proposed.state === 'open';
    const outcome = voted ? await admin.vote(proposed.proposalId, true) : proposed;
    print(
      invocation,
      { ...outcomeOf(outcome), proposalId: proposed.proposalId, voted, actions },
      proposedLines(proposed.proposalId, outcome, voted),
    );
    return 0;
  } finally {
    admin.close();
  }
}

const askingOnce = (admin: AdminClient): ProposingContext => {
  let asked: Promise<Constitution> | undefined;
  return {
    constitution: () => {
      asked ??= admin.constitution().then(({ constitution }) => constitution);
      return asked;
    },
  };
};

/** What came of a message, as every command prints it. */
export const outcomeOf = ({ state, effects, transactionId }: Submission) => ({
  state,
  effects,
  transactionId,
});

function proposedLines(proposalId: string, outcome: Submission, voted: boolean): string[] {
  const { state, transactionId, effects } = outcome;
  const id = short(proposalId);
  return [
    `Proposal ${proposalId}`,
    `is ${state}${voted ? ', with your vote for it' : ''} (transaction ${transactionId}).`,
    ...effects.map((effect) => `  in effect: ${effect.kind}`),
    ...(state === 'open'
      ? [
          `  concordat proposal show ${id}   what it would change`,
          `  concordat vote accept ${id} --as <organisation>`,
        ]
      : []),
  ];
}

/** A vote or withdrawal, sent or printed. */
export async function act(
  invocation: Invocation,
  message: { readonly type: 'vote'; readonly accept: boolean } | { readonly type: 'withdrawal' },
): Promise<number> {
  const [given = ''] = invocation.positionals;
  if (given === '')
    throw new CliError('USAGE', 'name the proposal: its id, or the beginning of it');
  const build = (options: MessageOptions, proposalId: string): Uint8Array =>
    message.type === 'vote'
      ? buildVote({ ...options, proposalId, accept: message.accept })
      : buildWithdrawal({ ...options, proposalId });
  if (invocation.options.print !== undefined) {
    return printMessage(invocation, async ({ proposalId }, about) => {
      const id = await proposalId(given);
      return bytesToSign(about, (options) => build(options, id));
    });
  }
  const { admin } = await connect(invocation);
  try {
    const { proposalId } = findProposal(await admin.proposals(), given);
    const outcome =
      message.type === 'vote'
        ? await admin.vote(proposalId, message.accept)
        : await admin.withdraw(proposalId);
    const deed =
      message.type === 'withdrawal'
        ? 'Withdrawn'
        : `Voted to ${message.accept ? 'accept' : 'reject'}`;
    printOutcome(invocation, deed, { ...outcome, proposalId });
    return 0;
  } finally {
    admin.close();
  }
}

/** Prints what came of a message about a proposal. */
export function printOutcome(invocation: Invocation, deed: string, outcome: Submission): void {
  const { proposalId, state, effects, transactionId } = outcome;
  print(invocation, { proposalId, ...outcomeOf(outcome) }, [
    `${deed}: proposal ${short(proposalId)} is ${state} (transaction ${transactionId}).`,
    ...effects.map((effect) => `  in effect: ${effect.kind}`),
  ]);
}

/** The one proposal whose id begins so. @throws CliError USAGE */
export function findProposal(proposals: readonly Proposal[], given: string): Proposal {
  const found = proposals.filter(({ proposalId }) => proposalId.startsWith(given));
  if (given !== '' && found.length === 1) return found[0] as Proposal;
  throw new CliError(
    'USAGE',
    `${found.length === 0 || given === '' ? 'no' : 'more than one'} proposal begins with "${given}": "concordat proposal list" shows them`,
  );
}

/** What a message to be signed elsewhere is made with. */
interface PrintContext extends ProposingContext {
  readonly proposalId: (given: string) => Promise<string>;
}

type AboutMessage = Omit<MessageOptions, 'key' | 'sign'>;

/** Writes the bytes to sign to a file and tells what they say. @throws CliError; SdkError */
export async function printMessage(
  invocation: Invocation,
  make: (context: PrintContext, about: AboutMessage) => Promise<Uint8Array>,
): Promise<number> {
  const file = required(invocation, 'print');
  requireFree(file);
  const bytes =
    invocation.options['network-id'] === undefined
      ? await makeConnected(invocation, make)
      : await makeAlone(invocation, make);
  await writeNewPrivateFile(file, bytes);
  const message = readBytesToSign(bytes, file);
  const { type, networkId, proposalId } = message;
  const lines = messageLines(message, new Names());
  print(invocation, { file, type, networkId, ...(proposalId && { proposalId }) }, [
    ...lines,
    '',
    `Wrote ${file}: the bytes to sign, ${bytes.length} of them. They are good for a day.`,
    `  concordat proposal sign ${file} --certificate own.pem --key own-key.pem --out message.sig`,
    `  openssl dgst -sha256 -sign own-key.pem -out message.sig ${file}`,
    `  concordat proposal submit ${file} --signature message.sig`,
  ]);
  return 0;
}

const aboutNow = (networkId: string, certificateDer: Uint8Array): AboutMessage => ({
  networkId,
  certificateDer,
  createdAtSeconds: Math.floor(Date.now() / 1000),
});

async function makeConnected(
  invocation: Invocation,
  make: (context: PrintContext, about: AboutMessage) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const { admin, identity } = await connect(invocation);
  try {
    const context = {
      ...askingOnce(admin),
      proposalId: async (given: string) => findProposal(await admin.proposals(), given).proposalId,
    };
    return await make(context, aboutNow(await admin.networkId(), identity.certificateDer));
  } finally {
    admin.close();
  }
}

async function makeAlone(
  invocation: Invocation,
  make: (context: PrintContext, about: AboutMessage) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const networkId = required(invocation, 'network-id');
  if (!isHex64(networkId)) {
    throw new CliError(
      'USAGE',
      '--network-id takes 64 hex digits: "concordat network show" has them',
    );
  }
  const certificateDer = await ownCertificate(invocation);
  const context: PrintContext = {
    constitution: async () => {
      throw new CliError(
        'USAGE',
        'names are looked up in the network: without a connection give the whole id',
      );
    },
    proposalId: async (given) => {
      if (isHex64(given)) return given;
      throw new CliError('USAGE', 'without a connection a proposal is named by its whole id');
    },
  };
  return make(context, aboutNow(networkId, certificateDer));
}

/** Certificate of who will sign; no key is needed for it. @throws CliError USAGE */
async function ownCertificate(invocation: Invocation): Promise<Uint8Array> {
  const { certificate, as: actor } = invocation.options;
  if (certificate === undefined && typeof actor === 'string') {
    const { layout } = await sandboxNode(invocation);
    return (await readIdentity(layout.identity(actor))).certificateDer;
  }
  return (await readCertificateFile(required(invocation, 'certificate'))).der;
}

/** A clock may differ by so much before it is told, seconds. */
const clockSlackSeconds = 300;
/** What is odd about the time a message says it was made at: signed today, one of next year is good then. */
function timeNote(createdAtSeconds: number, nowSeconds: number): string {
  if (createdAtSeconds - nowSeconds > clockSlackSeconds) {
    return ': AHEAD OF THIS CLOCK, so that it can be sent for a day from then on';
  }
  return nowSeconds - createdAtSeconds > maxMessageAgeSeconds ? ': too long ago to be sent' : '';
}

/** What a message says, for whoever is to sign it. */
export function messageLines(
  message: ReturnType<typeof readBytesToSign>,
  names: Names,
  nowSeconds: number = Math.floor(Date.now() / 1000),
): string[] {
  const { type, networkId, kid: signer, createdAtSeconds, proposalId, payload } = message;
  const at = new Date(createdAtSeconds * 1000).toISOString();
  const vote = (payload as { accept?: boolean }).accept;
  return [
    `${type === 'vote' ? `vote to ${vote === true ? 'accept' : 'reject'}` : type}${proposalId && ` of proposal ${proposalId}`}`,
    `  network ${networkId}`,
    `  signer  ${names.of(signer)}`,
    `  made    ${at}${timeNote(createdAtSeconds, nowSeconds)}`,
    ...actionsOf(message).map((action) => `  ${actionText(action, names)}`),
    ...(type === 'proposal' || type === 'vote' || type === 'withdrawal'
      ? []
      : [`  ${names.text(payload)}`]),
  ];
}

/** One action in a line. */
export const actionText = ({ name, args }: ProposedAction, names: Names): string =>
  Object.keys(args).length === 0 ? names.text(name) : `${names.text(name)}: ${names.text(args)}`;
