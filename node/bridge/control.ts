import { BinaryReader, DecodeError } from '@concordat/std';
import { decodingFrame, unknownFrame } from './errors.ts';
import { type EncodedFrame, frameBuilder } from './frame-builder.ts';
import type { Frame } from './frame-decoder.ts';
import {
  readSnapshotToHost,
  type SnapshotToHost,
  snapshotToHost,
  writeSnapshotToHost,
} from './snapshot-control.ts';

/** What an enclave asks of or tells its host. A worker may send only attest, log and status. */
export type ControlToHost =
  | { readonly kind: 'append'; readonly height: number; readonly block: Uint8Array }
  /** Drop every block above this height. */
  | { readonly kind: 'truncate'; readonly after: number }
  /** Blocks `from` to `to`, both inclusive, at most about `maxBytes` in all but at least one. */
  | {
      readonly kind: 'read';
      readonly request: number;
      readonly from: number;
      readonly to: number;
      readonly maxBytes: number;
    }
  /** As `read`, of the ledger of the network that is recovered. */
  | {
      readonly kind: 'readFormer';
      readonly request: number;
      readonly from: number;
      readonly to: number;
      readonly maxBytes: number;
    }
  | { readonly kind: 'committed'; readonly height: number }
  | {
      readonly kind: 'putRecord';
      readonly request: number;
      readonly name: string;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'getRecord'; readonly request: number; readonly name: string }
  /** `reportData` is 32 bytes. */
  | { readonly kind: 'attest'; readonly request: number; readonly reportData: Uint8Array }
  | { readonly kind: 'sealingKey'; readonly request: number }
  /** One JSON object in UTF-8 with a stable `event`; never a secret, key or payload. */
  | { readonly kind: 'log'; readonly line: Uint8Array }
  /** The enclave listens on `<which>.sock`; the host may accept TCP for it from now on. */
  | { readonly kind: 'listening'; readonly which: string }
  | { readonly kind: 'status'; readonly json: Uint8Array }
  /** Whether a block is on the disk before `synced` says so: a policy of the constitution. */
  | { readonly kind: 'durability'; readonly fsync: boolean }
  | SnapshotToHost;

/** What a host tells an enclave. */
export type ControlToEnclave =
  | { readonly kind: 'start'; readonly json: Uint8Array }
  /** Every block up to this height is durable. */
  | { readonly kind: 'synced'; readonly height: number }
  /**
   * Exactly one answer to each `truncate`, once carried out and before any later `synced`: an
   * enclave ignores what was synced before it, since heights are used again after a truncation.
   */
  | { readonly kind: 'truncated'; readonly after: number }
  /** Every block that came by `appendEarlier` up to this height is durable. */
  | { readonly kind: 'earlierSynced'; readonly height: number }
  /** Part of the answer to `read` or `readFormer`; `last` ends it. An answer may hold fewer blocks than asked. */
  | {
      readonly kind: 'entries';
      readonly request: number;
      readonly last: boolean;
      readonly blocks: readonly Uint8Array[];
    }
  /** Answer to `getRecord`, `getPage` or `snapshotRead`; absent bytes: there is no such thing. */
  | { readonly kind: 'record'; readonly request: number; readonly bytes?: Uint8Array }
  /** Answer to a request that brings nothing back, or to one that failed. */
  | { readonly kind: 'done'; readonly request: number; readonly error?: string }
  | { readonly kind: 'evidence'; readonly request: number; readonly bytes: Uint8Array }
  /** Answer to `chunkAt`: the heights of the first and the last block of that chunk. */
  | {
      readonly kind: 'chunk';
      readonly request: number;
      readonly from: number;
      readonly to: number;
    }
  /** 32 bytes. */
  | { readonly kind: 'sealing'; readonly request: number; readonly key: Uint8Array }
  | { readonly kind: 'shutdown' }
  /** The operator approves the constitution with these terms, 32 bytes. */
  | { readonly kind: 'approve'; readonly terms: Uint8Array }
  | {
      readonly kind: 'genesisData';
      readonly adapterId: string;
      readonly last: boolean;
      readonly part: Uint8Array;
    }
  /** The host can no longer keep its promises, for example because the disk is full. */
  | { readonly kind: 'hostFault'; readonly code: string; readonly message: string };

const toHost = {
  append: 1,
  truncate: 2,
  read: 3,
  committed: 4,
  putRecord: 5,
  getRecord: 6,
  attest: 7,
  sealingKey: 8,
  log: 9,
  listening: 10,
  status: 11,
  durability: 12,
  readFormer: 13,
  ...snapshotToHost,
} as const satisfies Record<ControlToHost['kind'], number>;

const toEnclave = {
  start: 32,
  synced: 33,
  entries: 34,
  record: 35,
  done: 36,
  evidence: 37,
  sealing: 38,
  shutdown: 39,
  genesisData: 40,
  hostFault: 41,
  truncated: 42,
  earlierSynced: 43,
  chunk: 44,
  approve: 45,
} as const satisfies Record<ControlToEnclave['kind'], number>;

/** Encodes one frame from an enclave to its host. Long byte strings are passed by reference. */
export function encodeControlToHost(message: ControlToHost): EncodedFrame {
  const frame = frameBuilder.begin(toHost[message.kind]);
  switch (message.kind) {
    case 'append':
      return frame.u64(message.height).raw(message.block).finish();
    case 'truncate':
      return frame.u64(message.after).finish();
    case 'read':
    case 'readFormer':
      frame.u32(message.request).u64(message.from).u64(message.to);
      return frame.u32(message.maxBytes).finish();
    case 'committed':
      return frame.u64(message.height).finish();
    case 'putRecord':
      return frame.u32(message.request).text(message.name).bytes(message.bytes).finish();
    case 'getRecord':
      return frame.u32(message.request).text(message.name).finish();
    case 'attest':
      return frame.u32(message.request).raw(message.reportData).finish();
    case 'sealingKey':
      return frame.u32(message.request).finish();
    case 'log':
      return frame.raw(message.line).finish();
    case 'listening':
      return frame.text(message.which).finish();
    case 'status':
      return frame.raw(message.json).finish();
    case 'durability':
      return frame.flag(message.fsync).finish();
    default:
      return writeSnapshotToHost(frame, message);
  }
}

/**
 * Decodes one frame from an enclave. Byte strings are views into the frame.
 * @throws BridgeError UNKNOWN_FRAME, MALFORMED_FRAME
 */
export function decodeControlToHost({ type, body }: Frame): ControlToHost {
  if (type === toHost.append) return decodeAppend(type, body);
  if (type === toHost.log) return { kind: 'log', line: body };
  if (type === toHost.status) return { kind: 'status', json: body };
  return decodingFrame(type, () => {
    const reader = new BinaryReader(body);
    const message = readToHost(type, reader);
    reader.end();
    return message;
  });
}

function decodeAppend(type: number, body: Buffer): ControlToHost {
  return decodingFrame(type, () => {
    const reader = new BinaryReader(body);
    return { kind: 'append', height: reader.u64(), block: reader.raw(reader.remaining) };
  });
}

function readToHost(type: number, reader: BinaryReader): ControlToHost {
  switch (type) {
    case toHost.truncate:
      return { kind: 'truncate', after: reader.u64() };
    case toHost.read:
    case toHost.readFormer: {
      const kind = type === toHost.read ? 'read' : 'readFormer';
      const request = reader.u32();
      const [from, to] = [reader.u64(), reader.u64()];
      return { kind, request, from, to, maxBytes: reader.u32() };
    }
    case toHost.committed:
      return { kind: 'committed', height: reader.u64() };
    case toHost.putRecord: {
      const request = reader.u32();
      return { kind: 'putRecord', request, name: reader.text(), bytes: reader.bytes() };
    }
    case toHost.getRecord:
      return { kind: 'getRecord', request: reader.u32(), name: reader.text() };
    case toHost.attest:
      return { kind: 'attest', request: reader.u32(), reportData: reader.raw(32) };
    case toHost.sealingKey:
      return { kind: 'sealingKey', request: reader.u32() };
    case toHost.durability:
      return { kind: 'durability', fsync: readFlag(reader) };
    case toHost.listening:
      return { kind: 'listening', which: reader.text() };
    default:
      return readSnapshotToHost(type, reader);
  }
}

/** Encodes one frame from a host to an enclave. Long byte strings are passed by reference. */
export function encodeControlToEnclave(message: ControlToEnclave): EncodedFrame {
  const frame = frameBuilder.begin(toEnclave[message.kind]);
  switch (message.kind) {
    case 'start':
      return frame.raw(message.json).finish();
    case 'synced':
    case 'earlierSynced':
      return frame.u64(message.height).finish();
    case 'truncated':
      return frame.u64(message.after).finish();
    case 'entries':
      frame.u32(message.request).flag(message.last).u32(message.blocks.length);
      for (const block of message.blocks) frame.bytes(block);
      return frame.finish();
    case 'record':
      frame.u32(message.request).flag(message.bytes !== undefined);
      if (message.bytes !== undefined) frame.bytes(message.bytes);
      return frame.finish();
    case 'done':
      frame.u32(message.request).flag(message.error === undefined);
      return frame.text(message.error ?? '').finish();
    case 'evidence':
      return frame.u32(message.request).bytes(message.bytes).finish();
    case 'sealing':
      return frame.u32(message.request).raw(message.key).finish();
    case 'chunk':
      return frame.u32(message.request).u64(message.from).u64(message.to).finish();
    case 'shutdown':
      return frame.finish();
    case 'approve':
      return frame.raw(message.terms).finish();
    case 'genesisData':
      return frame.text(message.adapterId).flag(message.last).bytes(message.part).finish();
    case 'hostFault':
      return frame.text(message.code).text(message.message).finish();
  }
}

/**
 * Decodes one frame from a host. Byte strings are views into the frame.
 * @throws BridgeError UNKNOWN_FRAME, MALFORMED_FRAME
 */
export function decodeControlToEnclave({ type, body }: Frame): ControlToEnclave {
  if (type === toEnclave.start) return { kind: 'start', json: body };
  return decodingFrame(type, () => {
    const reader = new BinaryReader(body);
    const message = readToEnclave(type, reader);
    reader.end();
    return message;
  });
}

function readToEnclave(type: number, reader: BinaryReader): ControlToEnclave {
  switch (type) {
    case toEnclave.synced:
      return { kind: 'synced', height: reader.u64() };
    case toEnclave.truncated:
      return { kind: 'truncated', after: reader.u64() };
    case toEnclave.earlierSynced:
      return { kind: 'earlierSynced', height: reader.u64() };
    case toEnclave.entries: {
      const [request, last] = [reader.u32(), readFlag(reader)];
      return { kind: 'entries', request, last, blocks: readBlocks(reader) };
    }
    case toEnclave.record: {
      const request = reader.u32();
      if (!readFlag(reader)) return { kind: 'record', request };
      return { kind: 'record', request, bytes: reader.bytes() };
    }
    case toEnclave.done: {
      const [request, ok, error] = [reader.u32(), readFlag(reader), reader.text()];
      return ok ? { kind: 'done', request } : { kind: 'done', request, error };
    }
    case toEnclave.evidence:
      return { kind: 'evidence', request: reader.u32(), bytes: reader.bytes() };
    case toEnclave.sealing:
      return { kind: 'sealing', request: reader.u32(), key: reader.raw(32) };
    case toEnclave.chunk:
      return { kind: 'chunk', request: reader.u32(), from: reader.u64(), to: reader.u64() };
    case toEnclave.shutdown:
      return { kind: 'shutdown' };
    case toEnclave.approve:
      return { kind: 'approve', terms: reader.raw(32) };
    case toEnclave.genesisData: {
      const [adapterId, last] = [reader.text(), readFlag(reader)];
      return { kind: 'genesisData', adapterId, last, part: reader.bytes() };
    }
    case toEnclave.hostFault:
      return { kind: 'hostFault', code: reader.text(), message: reader.text() };
    default:
      throw unknownFrame(type);
  }
}

function readBlocks(reader: BinaryReader): Buffer[] {
  const count = reader.u32();
  const blocks: Buffer[] = [];
  for (let index = 0; index < count; index++) blocks.push(reader.bytes());
  return blocks;
}

/**
 * Reads a byte that must be 0 or 1.
 * @throws DecodeError TRUNCATED, INVALID
 */
export function readFlag(reader: BinaryReader): boolean {
  const value = reader.u8();
  if (value > 1) throw new DecodeError('INVALID', `flag with value ${value}`);
  return value === 1;
}
