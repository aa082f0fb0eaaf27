import type { Key, ReadTable, TableDeclaration, WriteTable } from '@concordat/kv';
import { BinaryReader, BinaryWriter, fromHex, toHex, toLatin1 } from '@concordat/std';

// The answers of keyed requests, in a private table beside those of their adapter: what one leader
// executed, the next one knows. Bytes: docs/format/kept-answers.md.

/** Bounds of the answers kept for one adapter. */
export interface AnswerBounds {
  /** An answer is kept for at least so long, milliseconds. */
  readonly windowMs: number;
  /** Bytes of the answers of one actor; requests beyond are refused. */
  readonly maxBytesPerActor: number;
  /** Bytes of the answers of all. */
  readonly maxBytes: number;
  /** Bytes that an actor has whatever the others take, so that nobody locks anybody out. */
  readonly assuredBytesPerActor: number;
  /** A longer result is not kept: only that, and as which transaction, the request was executed. */
  readonly maxResultBytes: number;
}

/** An answer to be kept. */
export interface NewAnswer {
  /** 64 hex digits. */
  readonly actorId: string;
  /** 32 bytes each. */
  readonly id: Uint8Array;
  readonly fingerprint: Uint8Array;
  /** Which of its block's leaves is the transaction's, from 0. */
  readonly leaf: number;
  /** As the adapter encodes it. */
  readonly result: Uint8Array;
}

/** What is the same for all answers of a batch. */
export interface KeepOptions {
  /** Of the batch, milliseconds since 1970. */
  readonly timeMs: number;
  /** The network it is executed in, 64 hex digits. */
  readonly network: string;
  readonly bounds: AnswerBounds;
}

/** A kept answer. */
export interface KeptAnswer {
  /** Answers are numbered in the order of the ledger, from 0. */
  readonly number: number;
  /** Place in its block: in the network that the batch was executed in, not in one recovered from it. */
  readonly leaf: number;
  readonly network: string;
  readonly fingerprint: Uint8Array;
  /** Undefined when it was too long. */
  readonly result: Uint8Array | undefined;
}

/** What a row is reckoned to take beside its result: four rows with their keys, in memory. */
const rowBytes = 512;
/** Old answers dropped for each new one, at most: more than come, so that a backlog melts. */
const droppedForOne = 8;
const version = 1;

const stateKey = '\0';
const actorKey = (actor: string): Key => `\x01${actor}`;
const answerKey = (actor: string, id: string): Key => `\x03${actor}${id}`;
const orderKey = (number: number): Key => `\x02${toLatin1(writer.u64(number).take())}`;

/** One for all: `take` copies. */
const writer = new BinaryWriter(8_192);
const names = new Map<string, string>();
const maxNames = 10_000;

/** An actor's id as a binary string, from a bounded memory. */
function actorOf(actorId: string): string {
  let name = names.get(actorId);
  if (name === undefined) {
    name = toLatin1(fromHex(actorId) as Uint8Array);
    if (names.size >= maxNames) names.clear();
    names.set(actorId, name);
  }
  return name;
}

/** The table of an adapter's answers; no adapter can name it. */
export const answersTable = (adapterId: string): TableDeclaration => ({
  name: `${adapterId}/concordat.answers`,
  kind: 'hash',
});

/** The numbers of the answers that are kept: from `first`, before `next`. */
export interface AnswerRange {
  readonly first: number;
  readonly next: number;
}

interface State extends AnswerRange {
  readonly bytes: number;
}

/** Which answers a table keeps. */
export function answerRange(table: ReadTable): AnswerRange {
  const { first, next } = readState(table);
  return { first, next };
}

/** The answer kept for a request of an actor. */
export function findAnswer(
  table: ReadTable,
  actorId: string,
  id: Uint8Array,
): KeptAnswer | undefined {
  const row = table.get(answerKey(actorOf(actorId), toLatin1(id)));
  if (row === undefined) return undefined;
  const reader = new BinaryReader(row, 1);
  const [number, leaf, network] = [reader.u64(), reader.u32(), toHex(reader.raw(32))];
  const fingerprint = reader.raw(32);
  const isKept = reader.u8() === 1;
  const result = isKept ? reader.raw(reader.remaining) : undefined;
  return { number, leaf, network, fingerprint, result };
}

/**
 * Whether one more answer of an actor may be kept. Nothing is dropped before its time to make room:
 * a full table refuses, until the oldest answer in it may go.
 */
export function hasRoom(
  table: ReadTable,
  actorId: string,
  { timeMs, bounds }: { readonly timeMs: number; readonly bounds: AnswerBounds },
): boolean {
  const state = readState(table);
  const own = readBytes(table, actorKey(actorOf(actorId)));
  if (own < bounds.assuredBytesPerActor) return true;
  if (own < bounds.maxBytesPerActor && state.bytes < bounds.maxBytes) return true;
  return readOrder(table, state.first).timeMs + bounds.windowMs <= timeMs;
}

/** Keeps answers, and drops those whose time is over. */
export function keepAnswers(
  table: WriteTable,
  answers: readonly NewAnswer[],
  { timeMs, network, bounds }: KeepOptions,
): void {
  let { first, next, bytes } = readState(table);
  const networkBytes = fromHex(network) as Uint8Array;
  const mostDropped = answers.length * droppedForOne;
  const grown = new Map<string, number>();
  const grow = (actor: string, by: number): void => {
    grown.set(actor, (grown.get(actor) ?? 0) + by);
    bytes += by;
  };
  for (let dropped = 0; dropped < mostDropped && first < next; dropped++) {
    const oldest = readOrder(table, first);
    if (oldest.timeMs + bounds.windowMs > timeMs) break;
    table.delete(orderKey(first));
    table.delete(answerKey(oldest.actor, oldest.id));
    grow(oldest.actor, -oldest.bytes);
    first += 1;
  }
  for (const answer of answers) {
    const isKept = answer.result.length <= bounds.maxResultBytes;
    const size = rowBytes + (isKept ? answer.result.length : 0);
    const actor = actorOf(answer.actorId);
    const id = toLatin1(answer.id);
    writer.u8(version).u64(next).u32(answer.leaf).raw(networkBytes).raw(answer.fingerprint);
    writer.u8(isKept ? 1 : 0);
    if (isKept) writer.raw(answer.result);
    table.set(answerKey(actor, id), writer.take());
    const place = orderKey(next);
    writer
      .latin1(actor + id)
      .u64(timeMs)
      .u32(size);
    table.set(place, writer.take());
    grow(actor, size);
    next += 1;
  }
  for (const [actor, by] of grown) addBytes(table, actor, by);
  table.set(stateKey, writer.u64(first).u64(next).u64(bytes).take());
}

function readState(table: ReadTable): State {
  const row = table.get(stateKey);
  if (row === undefined) return { first: 0, next: 0, bytes: 0 };
  const reader = new BinaryReader(row);
  return { first: reader.u64(), next: reader.u64(), bytes: reader.u64() };
}

function readOrder(table: ReadTable, number: number) {
  const reader = new BinaryReader(table.get(orderKey(number)) as Uint8Array);
  const whose = reader.latin1(64);
  return {
    actor: whose.slice(0, 32),
    id: whose.slice(32),
    timeMs: reader.u64(),
    bytes: reader.u32(),
  };
}

function readBytes(table: ReadTable, key: Key): number {
  const row = table.get(key);
  return row === undefined ? 0 : new BinaryReader(row).u64();
}

function addBytes(table: WriteTable, actor: string, bytes: number): void {
  const key = actorKey(actor);
  const sum = readBytes(table, key) + bytes;
  if (sum === 0) table.delete(key);
  else table.set(key, writer.u64(sum).take());
}
