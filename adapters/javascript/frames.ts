import type { WriteSet } from '@concordat/kv';
import { BinaryReader, BinaryWriter, DecodeError, fromUtf8, utf8 } from '@concordat/std';
import {
  type Called,
  maxCalledBytes,
  type PhaseStep,
  readCalled,
  readStep,
  readWanted,
  type WantedCall,
  writeCalled,
  writeStep,
  writeWanted,
} from './call-form.ts';
import type { IndexEntry } from './index-declarations.ts';
import {
  type FetchedRange,
  isRange,
  type PastState,
  readState,
  type WantedRange,
  writeState,
} from './past-state.ts';

/** Limits of one application, in force on both sides of the wall. */
export interface ApplicationLimits {
  /** Time one request may run, milliseconds, 10 to 4,000. */
  readonly maxRequestMs: number;
  /** Memory of the application's process, its copy of the tables included, mebibytes, 128 to 65,536. */
  readonly maxMemoryMebibytes: number;
  /** Body of one answer, bytes. */
  readonly maxAnswerBytes: number;
  /** Keys and values written by one request, bytes. */
  readonly maxWriteBytes: number;
  /** Time the requests of one batch may take together before the rest is put off, milliseconds. */
  readonly maxBatchMs: number;
}

/** One request on its way into the application. */
export interface Call {
  /** Index of the endpoint in the bundle. */
  readonly endpoint: number;
  /** JSON of `request.caller`. */
  readonly caller: string;
  /** JSON of `request.params`. */
  readonly params: string;
  /** As `encodeRequest` writes it. */
  readonly request: Uint8Array;
  /** What a request of a historical endpoint is about. */
  readonly state?: PastState;
  /** Of an endpoint that makes calls to systems outside of the network. */
  readonly called?: Called;
  /** Runs the function that makes the calls, a step of it, and not the endpoint itself. */
  readonly step?: PhaseStep;
}

/** Where a committed block of the worker stands in the ledger. */
export interface Place {
  readonly view: number;
  readonly firstSeqno: number;
  readonly count: number;
}

/** What the worker enclave tells an application's process. Layers are the worker's own numbers. */
export type ToProcess =
  | { readonly kind: 'load'; readonly limits: ApplicationLimits; readonly bundle: Uint8Array }
  /** A part of the committed state, its values with their versions (`Store.adopt`). */
  | { readonly kind: 'part'; readonly part: WriteSet }
  | {
      readonly kind: 'replayed';
      readonly firstSeqno: number;
      readonly writeSets: readonly WriteSet[];
    }
  | {
      readonly kind: 'applied';
      readonly layer: number;
      /** 0 while it is not known. */
      readonly firstSeqno: number;
      readonly writeSets: readonly WriteSet[];
    }
  | { readonly kind: 'numbered'; readonly layer: number; readonly firstSeqno: number }
  /** What the transactions up to a seqno add to the indexes. */
  | { readonly kind: 'indexed'; readonly upTo: number; readonly entries: readonly IndexEntry[] }
  /** What became of a range of the past that was wanted: its states, or a code. */
  | ({ readonly kind: 'past' } & FetchedRange)
  | { readonly kind: 'committed'; readonly layer: number }
  | { readonly kind: 'dropped'; readonly layer: number }
  | { readonly kind: 'place'; readonly place: Place }
  | {
      readonly kind: 'execute';
      readonly id: number;
      readonly layer: number;
      readonly calls: readonly Call[];
    }
  | { readonly kind: 'read'; readonly id: number; readonly calls: readonly Call[] }
  /** A function that makes calls is given up. */
  | { readonly kind: 'forget'; readonly phase: number };

/** What became of a call. */
export type CallResult =
  /** Answered; `writes` when the transaction is to be kept. */
  | {
      readonly kind: 'answered';
      readonly answer: Uint8Array;
      readonly writes?: WriteSet;
      /** 32 bytes. */
      readonly claims?: Uint8Array;
    }
  | {
      readonly kind: 'failed';
      readonly code: string;
      readonly message: string;
      /** What the application threw, with its stack. */
      readonly trace: string;
    }
  /** Not run: the requests before it took too long together. */
  | { readonly kind: 'unfinished' }
  /** It asked for a version that is not certain before the blocks before it are sealed. */
  | { readonly kind: 'unplaced' }
  /** The function that makes the calls waits: for these, and for those it wanted before. */
  | { readonly kind: 'calling'; readonly wanted: readonly WantedCall[] }
  /** It has ended: JSON of what it returned. */
  | { readonly kind: 'called'; readonly value: Uint8Array };

/** What an application's process tells the worker enclave. */
export type FromProcess =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'results'; readonly id: number; readonly results: readonly CallResult[] }
  | ({ readonly kind: 'wanted' } & WantedRange);

/** One frame, its length field not counted, bytes. */
export const maxProcessFrameBytes = 256 * 1024 * 1024;

const writer = new BinaryWriter(64 * 1024);
const toProcess = [
  'load',
  'replayed',
  'applied',
  'committed',
  'dropped',
  'place',
  'execute',
  'read',
  'part',
  'numbered',
  'past',
  'indexed',
  'forget',
] as const;

/** u8 kind | fields in the order of the type; u32 counts. */
export function encodeToProcess(message: ToProcess): Buffer {
  writer.u8(toProcess.indexOf(message.kind));
  switch (message.kind) {
    case 'load':
      writer.text(JSON.stringify(message.limits)).raw(message.bundle);
      break;
    case 'part':
      writeSets([message.part]);
      break;
    case 'replayed':
      writer.u64(message.firstSeqno);
      writeSets(message.writeSets);
      break;
    case 'numbered':
      writer.u64(message.layer).u64(message.firstSeqno);
      break;
    case 'indexed':
      writer.u64(message.upTo).u32(message.entries.length);
      for (const { index, key, seqno } of message.entries) writer.u16(index).latin1(key).u64(seqno);
      break;
    case 'past': {
      const { handle, start, end } = message.wanted;
      writer.u32(handle).u64(start).u64(end).text(message.code).u32(message.states.length);
      for (const state of message.states) writeState(writer, state);
      break;
    }
    case 'applied':
      writer.u64(message.layer).u64(message.firstSeqno);
      writeSets(message.writeSets);
      break;
    case 'forget':
      writer.u32(message.phase);
      break;
    case 'committed':
    case 'dropped':
      writer.u64(message.layer);
      break;
    case 'place':
      writer.u64(message.place.view).u64(message.place.firstSeqno).u32(message.place.count);
      break;
    default:
      writer.u32(message.id);
      if (message.kind === 'execute') writer.u64(message.layer);
      writer.u32(message.calls.length);
      for (const call of message.calls) writeCall(call);
  }
  return writer.take();
}

/** @throws DecodeError */
export function decodeToProcess(bytes: Uint8Array): ToProcess {
  const reader = new BinaryReader(bytes);
  const kind = toProcess[reader.u8()];
  switch (kind) {
    case 'load': {
      const limits = JSON.parse(reader.text()) as ApplicationLimits;
      return { kind, limits, bundle: reader.raw(reader.remaining) };
    }
    case 'part': {
      const [part, ...more] = readSets(reader);
      if (part === undefined || more.length > 0) throw new DecodeError('INVALID', 'not one part');
      return { kind, part };
    }
    case 'replayed':
      return { kind, firstSeqno: reader.u64(), writeSets: readSets(reader) };
    case 'applied': {
      const [layer, firstSeqno] = [reader.u64(), reader.u64()];
      return { kind, layer, firstSeqno, writeSets: readSets(reader) };
    }
    case 'numbered':
      return { kind, layer: reader.u64(), firstSeqno: reader.u64() };
    case 'indexed': {
      const [upTo, count] = [reader.u64(), reader.u32()];
      const entries: IndexEntry[] = [];
      for (let at = 0; at < count; at++) {
        entries.push({ index: reader.u16(), key: reader.latin1(), seqno: reader.u64() });
      }
      return { kind, upTo, entries };
    }
    case 'past': {
      const wanted = readWantedRange(reader);
      const [code, count] = [reader.text(100), reader.u32()];
      const states: PastState[] = [];
      for (let at = 0; at < count; at++) states.push(readState(reader));
      return { kind, wanted, code, states };
    }
    case 'forget':
      return { kind, phase: reader.u32() };
    case 'committed':
    case 'dropped':
      return { kind, layer: reader.u64() };
    case 'place': {
      const [view, firstSeqno, count] = [reader.u64(), reader.u64(), reader.u32()];
      return { kind, place: { view, firstSeqno, count } };
    }
    case 'execute':
      return { kind, id: reader.u32(), layer: reader.u64(), calls: readCalls(reader) };
    case 'read':
      return { kind, id: reader.u32(), calls: readCalls(reader) };
    default:
      throw new DecodeError('INVALID', 'unknown frame to an application');
  }
}

/** u8 0 loaded | u8 1 results: u32 id, u32 count, results | u8 2 wanted: u32, u64, u64. */
export function encodeFromProcess(message: FromProcess): Buffer {
  if (message.kind === 'loaded') return writer.u8(0).take();
  if (message.kind === 'wanted') {
    return writer.u8(2).u32(message.handle).u64(message.start).u64(message.end).take();
  }
  writer.u8(1).u32(message.id).u32(message.results.length);
  for (const result of message.results) writeResult(result);
  return writer.take();
}

/** Believes nothing: the process runs foreign code. @throws DecodeError */
export function decodeFromProcess(bytes: Uint8Array): FromProcess {
  const reader = new BinaryReader(bytes);
  const kind = reader.u8();
  if (kind === 0) {
    reader.end();
    return { kind: 'loaded' };
  }
  if (kind === 2) {
    const wanted = readWantedRange(reader);
    reader.end();
    if (!isRange(wanted)) throw new DecodeError('INVALID', 'a range of the past that is none');
    return { kind: 'wanted', ...wanted };
  }
  if (kind !== 1) throw new DecodeError('INVALID', 'unknown frame of an application');
  const id = reader.u32();
  const count = reader.u32();
  const results: CallResult[] = [];
  for (let at = 0; at < count; at++) results.push(readResult(reader));
  reader.end();
  return { kind: 'results', id, results };
}

function readWantedRange(reader: BinaryReader): WantedRange {
  return { handle: reader.u32(), start: reader.u64(), end: reader.u64() };
}

function writeResult(result: CallResult): void {
  switch (result.kind) {
    case 'answered': {
      const { writes, claims } = result;
      writer.u8(writes === undefined ? 0 : 1).bytes(result.answer);
      if (writes === undefined) return;
      writer.bytes(writes.publicWrites).bytes(writes.privateWrites);
      if (claims === undefined) writer.u8(0);
      else writer.u8(1).raw(claims);
      return;
    }
    case 'failed':
      writer.u8(2).text(result.code).text(result.message).text(result.trace);
      return;
    case 'unfinished':
      writer.u8(3);
      return;
    case 'calling':
      writeWanted(writer.u8(5), result.wanted);
      return;
    case 'called':
      writer.u8(6).bytes(result.value);
      return;
    default:
      writer.u8(4);
  }
}

function readResult(reader: BinaryReader): CallResult {
  const kind = reader.u8();
  if (kind === 0) return { kind: 'answered', answer: reader.bytes() };
  if (kind === 1) {
    const answer = reader.bytes();
    const writes = { publicWrites: reader.bytes(), privateWrites: reader.bytes() };
    const hasClaims = reader.u8();
    if (hasClaims > 1) throw new DecodeError('INVALID', 'claims of a result');
    if (hasClaims === 0) return { kind: 'answered', answer, writes };
    return { kind: 'answered', answer, writes, claims: reader.raw(32) };
  }
  if (kind === 2) {
    const [code, message, trace] = [reader.text(100), reader.text(), reader.text()];
    return { kind: 'failed', code, message, trace };
  }
  if (kind === 3) return { kind: 'unfinished' };
  if (kind === 4) return { kind: 'unplaced' };
  if (kind === 5) return { kind: 'calling', wanted: readWanted(reader) };
  if (kind === 6) return { kind: 'called', value: reader.bytes(maxCalledBytes) };
  throw new DecodeError('INVALID', 'unknown result of an application');
}

function writeSets(sets: readonly WriteSet[]): void {
  writer.u32(sets.length);
  for (const { publicWrites, privateWrites } of sets) {
    writer.bytes(publicWrites).bytes(privateWrites);
  }
}

function readSets(reader: BinaryReader): WriteSet[] {
  const count = reader.u32();
  const sets: WriteSet[] = [];
  for (let at = 0; at < count; at++) {
    sets.push({ publicWrites: reader.bytes(), privateWrites: reader.bytes() });
  }
  return sets;
}

/** Which of its optional parts a call has. */
const parted = { state: 1, called: 2, step: 4 } as const;

function writeCall({ endpoint, caller, params, request, state, called, step }: Call): void {
  // A caller can be long: it holds a whole certificate, or the claims of a token.
  writer.u16(endpoint).bytes(utf8(caller)).bytes(utf8(params)).bytes(request);
  writer.u8((state ? parted.state : 0) | (called ? parted.called : 0) | (step ? parted.step : 0));
  if (state !== undefined) writeState(writer, state);
  if (called !== undefined) writeCalled(writer, called);
  if (step !== undefined) writeStep(writer, step);
}

function readCalls(reader: BinaryReader): Call[] {
  const count = reader.u32();
  const calls: Call[] = [];
  for (let at = 0; at < count; at++) {
    const endpoint = reader.u16();
    const [caller, params] = [fromUtf8(reader.bytes()), fromUtf8(reader.bytes())];
    const request = reader.bytes();
    const parts = reader.u8();
    calls.push({
      ...{ endpoint, caller, params, request },
      ...((parts & parted.state) > 0 && { state: readState(reader) }),
      ...((parts & parted.called) > 0 && { called: readCalled(reader) }),
      ...((parts & parted.step) > 0 && { step: readStep(reader) }),
    });
  }
  return calls;
}
