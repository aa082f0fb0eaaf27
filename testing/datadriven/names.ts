import {
  type Configuration,
  type Entry,
  type LogPosition,
  quorumSize,
  quorumSizesOf,
} from '@concordat/consensus';
import { type NodeId, toNodeId } from '@concordat/std';
import { DatadrivenError, type DatadrivenErrorCode } from './errors.ts';

const fault = (code: DatadrivenErrorCode, why: string) => new DatadrivenError(code, why);

/** Identity of a node by its name (at most 31 bytes): the name's bytes, then zeros. */
export const idOf = (name: string): NodeId =>
  toNodeId(Buffer.from(name).toString('hex').padEnd(64, '0'));

/** Name of a node by its identity. */
export const nameOf = (id: NodeId): string =>
  Buffer.from(id.replace(/(00)+$/, ''), 'hex').toString('utf8');

/**
 * A word of one-letter node names, none twice.
 * @throws DatadrivenError BAD_ARGUMENT
 */
export function parseNames(word: string): string[] {
  const names = [...word];
  if (!/^[a-z]{1,26}$/.test(word) || new Set(names).size !== names.length) {
    throw fault('BAD_ARGUMENT', `node names are letters a to z, none twice, not ${word}`);
  }
  return names;
}

/**
 * Quorum sizes `replication/election`.
 * @throws DatadrivenError BAD_ARGUMENT
 */
export function parseQuorums(word: string): { replication: number; election: number } {
  const match = /^(\d{1,4})\/(\d{1,4})$/.exec(word);
  if (!match) throw fault('BAD_ARGUMENT', `quorums are replication/election, not ${word}`);
  return { replication: Number(match[1]), election: Number(match[2]) };
}

/** A configuration in a word: its voters, then its quorum sizes where they are no majorities. */
export function configurationText(configuration: Configuration): string {
  const voters = configuration.voters.map(nameOf).join('');
  const { replication, election } = quorumSizesOf(configuration);
  const majority = quorumSize(configuration.voters.length);
  const usual = replication === majority && election === majority;
  return usual ? voters : `${voters} ${replication}/${election}`;
}

/** All active configurations: each must agree. */
export const configurationsText = (list: readonly Configuration[]): string =>
  list.map(configurationText).join(' + ');

/** A position of a log as `view.height`. */
export const positionText = ({ view, height }: LogPosition): string => `${view}.${height}`;

/** An entry as `view.height "payload"` and what it reconfigures to. */
export function entryText(entry: Entry): string {
  const payload = Buffer.from(entry.payload).toString('utf8');
  const short = payload.replace(/\.{4,}$/, '...').slice(0, 40);
  const shown = short === payload ? `"${payload}"` : `"${short}" (${payload.length} bytes)`;
  const to = entry.configuration ? ` -> ${configurationText(entry.configuration)}` : '';
  return `${positionText(entry)} ${shown}${to}`;
}

/** Several entries in a row. */
export const entriesText = (entries: readonly Entry[]): string => entries.map(entryText).join(', ');
