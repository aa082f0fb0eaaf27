import {
  BinaryReader,
  DecodeError,
  type Height,
  type NodeId,
  toHeight,
  toView,
  type View,
} from '@concordat/std';
import type { Configuration, Entry } from './consensus.ts';
import type {
  Append,
  AppendResponse,
  Install,
  InstallResponse,
  LogPosition,
  Message,
  Relay,
  VoteRequest,
} from './message.ts';
import { formatVersion, installRefusals, messageTypes } from './message-numbers.ts';
import { maxVoters } from './quorum.ts';
import { maxChunkBytes } from './snapshot-receive.ts';

/** Most entries of one append. */
const maxEntries = 65_536;

/**
 * Reads the joined bytes of one message. Payloads are views into the input.
 * @throws DecodeError TRUNCATED, TRAILING, TOO_LARGE, INVALID
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new BinaryReader(bytes);
  const version = reader.u8();
  if (version !== formatVersion) throw new DecodeError('INVALID', `message version ${version}`);
  const type = messageTypes[reader.u8()];
  const view = readView(reader);
  const message = decodeBody(reader, type, view);
  reader.end();
  return message;
}

function decodeBody(reader: BinaryReader, type: Message['type'] | undefined, view: View): Message {
  switch (type) {
    case 'append':
      return decodeAppend(reader, view);
    case 'append-response':
      return decodeAppendResponse(reader, view);
    case 'vote-request':
      return decodeVoteRequest(reader, view);
    case 'vote-response': {
      const flags = readFlags(reader, 3);
      const [pre, granted] = [(flags & 1) !== 0, (flags & 2) !== 0];
      return { type, view, pre, granted, committed: readPosition(reader) };
    }
    case 'timeout-now':
      return { type, view };
    case 'install':
      return decodeInstall(reader, view);
    case 'install-response':
      return decodeInstallResponse(reader, view);
    case 'relay':
      return decodeRelay(reader, view);
    default:
      throw new DecodeError('INVALID', 'unknown message type');
  }
}

function decodeAppend(reader: BinaryReader, view: View): Append {
  const previous = readPosition(reader);
  const committed = readHeight(reader);
  const round = reader.u64();
  const retire = readFlags(reader, 1) === 1;
  const count = reader.u32();
  if (count > maxEntries) throw new DecodeError('TOO_LARGE', `${count} entries in one append`);
  const heads: { view: View; configuration: Configuration | undefined; length: number }[] = [];
  for (let at = 0; at < count; at += 1) {
    const entryView = readView(reader);
    const configuration = readConfiguration(reader);
    heads.push({ view: entryView, configuration, length: reader.u32() });
  }
  const entries: Entry[] = [];
  let height = previous.height;
  for (const head of heads) {
    height = toSafeHeight(height + 1);
    const payload = reader.raw(head.length);
    entries.push(
      head.configuration
        ? { view: head.view, height, payload, configuration: head.configuration }
        : { view: head.view, height, payload },
    );
  }
  return { type: 'append', view, previous, committed, round, retire, entries };
}

function decodeAppendResponse(reader: BinaryReader, view: View): AppendResponse {
  const round = reader.u64();
  const match = readHeight(reader);
  const received = readHeight(reader);
  const committed = readHeight(reader);
  const response = { type: 'append-response', view, round, match, received, committed } as const;
  if (readFlags(reader, 1) === 0) return response;
  const previousHeight = readHeight(reader);
  return { ...response, rejected: { previousHeight, estimate: readPosition(reader) } };
}

function decodeVoteRequest(reader: BinaryReader, view: View): VoteRequest {
  const pre = readFlags(reader, 1) === 1;
  const last = readPosition(reader);
  return { type: 'vote-request', view, pre, last, committed: readPosition(reader) };
}

function decodeRelay(reader: BinaryReader, view: View): Relay {
  const [leader] = readNodes(reader, 1) as [NodeId];
  const count = reader.u16();
  if (count > maxVoters) throw new DecodeError('TOO_LARGE', `relay to ${count} nodes`);
  const targets = readNodes(reader, count);
  return { type: 'relay', view, leader, targets, append: decodeAppend(reader, view) };
}

function decodeInstall(reader: BinaryReader, view: View): Install {
  const at = readPosition(reader);
  const configuration = readConfiguration(reader);
  if (!configuration) throw new DecodeError('INVALID', 'a snapshot without a configuration');
  const configurationHeight = readHeight(reader);
  const chunks = reader.u32();
  const digest = reader.raw(32).toString('hex');
  const position = { ...at, configuration, configurationHeight, chunks, digest };
  const index = reader.u32();
  return { type: 'install', view, position, index, bytes: reader.bytes(maxChunkBytes) };
}

function decodeInstallResponse(reader: BinaryReader, view: View): InstallResponse {
  const digest = reader.raw(32).toString('hex');
  const next = reader.u32();
  const received = reader.u32();
  const height = readHeight(reader);
  const response = { type: 'install-response', view, digest, next, received, height } as const;
  const number = reader.u8();
  if (number === 0) return response;
  const refused = installRefusals[number - 1];
  if (!refused) throw new DecodeError('INVALID', `unknown refusal ${number}`);
  return { ...response, refused };
}

/** What a configuration must satisfy beyond its form is judged where the message is acted on. */
function readConfiguration(reader: BinaryReader): Configuration | undefined {
  const count = reader.u16();
  if (count === 0) return undefined;
  if (count > maxVoters) throw new DecodeError('TOO_LARGE', `${count} voters`);
  const voters = readNodes(reader, count);
  const replication = reader.u16();
  const election = reader.u16();
  if (replication === 0 && election === 0) return { voters };
  return { voters, quorums: { replication, election } };
}

/** So many identities, none twice. */
function readNodes(reader: BinaryReader, count: number): NodeId[] {
  const nodes: NodeId[] = [];
  for (let at = 0; at < count; at += 1) nodes.push(reader.raw(32).toString('hex') as NodeId);
  if (new Set(nodes).size !== count) throw new DecodeError('INVALID', 'a node is named twice');
  return nodes;
}

function readFlags(reader: BinaryReader, known: number): number {
  const flags = reader.u8();
  if ((flags & ~known) !== 0) throw new DecodeError('INVALID', `unknown flags ${flags}`);
  return flags;
}

function toSafeHeight(height: number): Height {
  if (!Number.isSafeInteger(height)) throw new DecodeError('TOO_LARGE', 'height out of range');
  return toHeight(height);
}

const readHeight = (reader: BinaryReader): Height => toHeight(reader.u64());
const readView = (reader: BinaryReader): View => toView(reader.u64());
const readPosition = (reader: BinaryReader): LogPosition => ({
  height: readHeight(reader),
  view: readView(reader),
});
