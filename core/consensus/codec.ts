import {
  BinaryReader,
  BinaryWriter,
  DecodeError,
  type Height,
  type NodeId,
  toHeight,
  toView,
  type View,
  viewOf,
} from '@concordat/std';
import type { Configuration, Entry, SnapshotPosition } from './consensus.ts';
import type {
  Append,
  AppendResponse,
  Install,
  InstallRefusal,
  InstallResponse,
  LogPosition,
  Message,
  VoteRequest,
} from './message.ts';
import { maxVoters } from './quorum.ts';
import { maxChunkBytes } from './snapshot-receive.ts';

/** First byte of every message. */
const formatVersion = 2;
/** Most entries of one append. */
const maxEntries = 65_536;

const types = [
  'append',
  'append-response',
  'vote-request',
  'vote-response',
  'timeout-now',
  'install',
  'install-response',
] as const;
/** By their number, from 1; 0 = not refused. */
const installRefusals: readonly InstallRefusal[] = [
  'OLD_SNAPSHOT',
  'RESTORING',
  'SNAPSHOT_MISMATCH',
  'SNAPSHOT_REJECTED',
];
const writer = new BinaryWriter(4096);

/**
 * Bytes of a message as parts to be written one after the other: one part with everything but the
 * payloads, then each payload as it is, not copied. Format: docs/format/consensus-messages.md.
 */
export function encodeMessage(message: Message): Buffer[] {
  writer.u8(formatVersion).u8(types.indexOf(message.type)).u64(message.view);
  switch (message.type) {
    case 'append':
      return encodeAppend(message);
    case 'append-response':
      encodeAppendResponse(message);
      break;
    case 'vote-request':
      writer.u8(message.pre ? 1 : 0);
      position(message.last);
      position(message.committed);
      break;
    case 'vote-response':
      writer.u8((message.pre ? 1 : 0) | (message.granted ? 2 : 0));
      position(message.committed);
      break;
    case 'timeout-now':
      break;
    case 'install':
      encodeSnapshotPosition(message.position);
      writer.u32(message.index).u32(message.bytes.length);
      return [writer.take(), viewOf(message.bytes)];
    case 'install-response':
      encodeInstallResponse(message);
      break;
  }
  return [writer.take()];
}

function encodeAppend(append: Append): Buffer[] {
  position(append.previous);
  writer
    .u64(append.committed)
    .u64(append.round)
    .u8(append.retire ? 1 : 0);
  writer.u32(append.entries.length);
  const parts: Buffer[] = [Buffer.alloc(0)];
  for (const entry of append.entries) {
    // Heights follow from the position before; the view, a configuration and the length travel.
    writer.u64(entry.view);
    if (entry.configuration) encodeConfiguration(entry.configuration);
    else writer.u16(0);
    writer.u32(entry.payload.length);
    if (entry.payload.length > 0) parts.push(viewOf(entry.payload));
  }
  parts[0] = writer.take();
  return parts;
}

function encodeConfiguration({ voters, quorums }: Configuration): void {
  writer.u16(voters.length);
  for (const voter of voters) writer.raw(Buffer.from(voter, 'hex'));
  writer.u16(quorums?.replication ?? 0).u16(quorums?.election ?? 0);
}

function encodeSnapshotPosition(at: SnapshotPosition): void {
  position(at);
  encodeConfiguration(at.configuration);
  writer.u64(at.configurationHeight).u32(at.chunks).raw(Buffer.from(at.digest, 'hex'));
}

function encodeInstallResponse({ digest, next, received, height, refused }: InstallResponse): void {
  writer.raw(Buffer.from(digest, 'hex')).u32(next).u32(received).u64(height);
  writer.u8(refused === undefined ? 0 : installRefusals.indexOf(refused) + 1);
}

function encodeAppendResponse(response: AppendResponse): void {
  writer.u64(response.round).u64(response.match).u64(response.received).u64(response.committed);
  writer.u8(response.rejected ? 1 : 0);
  if (!response.rejected) return;
  writer.u64(response.rejected.previousHeight);
  position(response.rejected.estimate);
}

function position(at: LogPosition): void {
  writer.u64(at.height).u64(at.view);
}

/**
 * Reads the joined bytes of one message. Payloads are views into the input.
 * @throws DecodeError TRUNCATED, TRAILING, TOO_LARGE, INVALID
 */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new BinaryReader(bytes);
  const version = reader.u8();
  if (version !== formatVersion) throw new DecodeError('INVALID', `message version ${version}`);
  const type = types[reader.u8()];
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
  const voters: NodeId[] = [];
  for (let at = 0; at < count; at += 1) voters.push(reader.raw(32).toString('hex') as NodeId);
  if (new Set(voters).size !== count) throw new DecodeError('INVALID', 'a voter is named twice');
  const replication = reader.u16();
  const election = reader.u16();
  if (replication === 0 && election === 0) return { voters };
  return { voters, quorums: { replication, election } };
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
