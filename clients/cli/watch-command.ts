import { readFile } from 'node:fs/promises';
import type { EventLine } from '@concordat/api';
import type { GovernanceEvent, Proposal } from '@concordat/governance';
import { NetworkClient, type NetworkOptions, parsePinnedCode, readIdentity } from '@concordat/sdk';
import { type Command, type Invocation, required, wholeNumber } from './command.ts';
import {
  connectionOptions,
  connectionUsage,
  identityOf,
  sandboxNode,
} from './connection-options.ts';
import { Names } from './constitution-names.ts';
import { abortOnInterrupt } from './interrupt.ts';
import { harmless } from './output.ts';
import { short } from './sandbox/node-tuple.ts';
import { paint, type Terminal } from './terminal.ts';

/** Tells what votes and nodes change, as it is committed. */
export const watchCommand: Command = {
  name: 'network watch',
  summary: 'tell what votes and nodes change, as it is committed, until Ctrl-C',
  usage: `[--since seqno] ${connectionUsage}`,
  options: { ...connectionOptions, since: { type: 'string' } },
  details: `Each line is one change, with the transaction that made it. When the node goes away, other nodes go on telling: nothing
is missed and nothing told twice. --since 0 begins with the genesis; --json prints each event as the SDK gives it.`,
  examples: ['network watch', 'network watch --since 0', 'network watch --json | jq .event'],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const signal = abortOnInterrupt(terminal);
    const most = Number.MAX_SAFE_INTEGER;
    const since = wholeNumber(invocation, 'since', { least: 0, most, otherwise: most });
    const client = new NetworkClient(await networkOptions(invocation));
    const names = new FreshNames(client);
    try {
      for await (const line of client.events({ ...(since < most && { since }), signal })) {
        if (options.json === true) terminal.write(`${JSON.stringify(line)}\n`);
        else terminal.write(`${harmless(lineText(terminal, line, await names.after(line)))}\n`);
      }
    } finally {
      client.close();
    }
    return 0;
  },
};

/** All nodes of a sandbox; or the one that is named, which tells of the others. */
async function networkOptions(invocation: Invocation): Promise<NetworkOptions> {
  const { options } = invocation;
  if (options.address !== undefined) {
    const pinned = options['pinned-code'];
    return {
      nodes: [required(invocation, 'address')],
      networkCertificate: await readFile(required(invocation, 'network-certificate'), 'utf8'),
      identity: await identityOf(invocation),
      ...(typeof pinned === 'string' && {
        attestation: { pinned: parsePinnedCode(await readFile(pinned, 'utf8')) },
      }),
    };
  }
  const { layout, node } = await sandboxNode(invocation);
  const record = await layout.read();
  const nodes = record?.nodes ?? [node];
  const actor = typeof options.as === 'string' ? options.as : node.organisation;
  return {
    nodes: [node, ...nodes.filter(({ name }) => name !== node.name)].map(
      ({ ports }) => `127.0.0.1:${ports.admin}`,
    ),
    networkCertificate: record?.networkCertificate ?? '',
    identity: await readIdentity(layout.identity(actor)),
  };
}

const changesNames = new Set(['actor-added', 'actor-changed', 'node-changed']);

/** Names of actors and nodes; those of whoever left stay known. */
class FreshNames {
  readonly #client: NetworkClient;
  #names: Names | undefined;

  constructor(client: NetworkClient) {
    this.#client = client;
  }

  async after({ event: { event } }: EventLine<GovernanceEvent>): Promise<Names> {
    if (this.#names && !changesNames.has(event)) return this.#names;
    try {
      const { constitution } = await this.#client.read((admin) => admin.constitution());
      this.#names = new Names(constitution);
    } catch {
      // No node answers: ids do as well.
    }
    return this.#names ?? new Names();
  }
}

function lineText(
  terminal: Terminal,
  { transactionId, timeMs, event }: EventLine<GovernanceEvent>,
  names: Names,
): string {
  const time = new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');
  const place = paint(terminal, 'dim', `${time}  ${transactionId.padEnd(8)}`);
  return `${place}  ${eventText(terminal, event, names)}`;
}

function eventText(terminal: Terminal, event: GovernanceEvent, names: Names): string {
  switch (event.event) {
    case 'proposal':
      return proposalText(terminal, event, names);
    case 'actor-added':
      return `${names.of(event.actorId)} is an actor`;
    case 'actor-changed':
      return `${names.of(event.actorId)} has another entry in the membership list`;
    case 'actor-removed':
      return `${names.of(event.actorId)} is no actor any more`;
    case 'node-changed':
      return `node ${names.of(event.nodeId)} is ${event.status}`;
    case 'node-unlisted':
      return `node ${names.of(event.nodeId)} is not listed any more`;
    case 'constitution-acknowledged':
      return `${names.of(event.actorId)} acknowledges the constitution with terms ${short(event.terms)}`;
    case 'epoch-begun':
      return `epoch ${event.epoch} begins (${event.reason})`;
    case 'constitution-changed':
      return `the constitution has other ${event.part}`;
    default:
      // Of a later version.
      return (event as { readonly event: string }).event;
  }
}

function proposalText(
  terminal: Terminal,
  { proposal, by }: Extract<GovernanceEvent, { event: 'proposal' }>,
  names: Names,
): string {
  const what = `proposal ${short(proposal.proposalId)} (${actionsText(proposal)})`;
  const deed = by && `${names.of(by.actorId)} ${deedText(proposal, by)} ${what}`;
  if (proposal.state === 'open') return deed ?? `${what} is counted anew`;
  const style = proposal.state === 'accepted' ? 'green' : 'yellow';
  const end = paint(terminal, style, proposal.state);
  return deed && proposal.state !== 'withdrawn' ? `${deed}: ${end}` : (deed ?? `${what} is ${end}`);
}

function deedText(
  { votes }: Proposal,
  { type, actorId }: { readonly type: string; readonly actorId: string },
): string {
  if (type === 'proposal') return 'opened';
  if (type === 'withdrawal') return 'withdrew';
  const accept = votes.findLast((vote) => vote.actorId === actorId)?.accept;
  return accept === undefined ? 'voted on' : accept ? 'accepted' : 'rejected';
}

/** The names of the changes, each once. */
const actionsText = ({ actions }: Proposal): string =>
  [...new Set(actions.map(({ name }) => name))].join(', ');
