import { BinaryReader } from '@concordat/std';
import {
  type AppliedBlock,
  type BatchTransaction,
  readAppliedBlocks,
  readTransactions,
  writeApplied,
  writeTransaction,
} from './block-frames.ts';
import { readFlag } from './control.ts';
import { decodingFrame } from './errors.ts';
import {
  type ExternalToManager,
  type ExternalToWorker,
  externalType,
  readExternalToManager,
  readExternalToWorker,
  writeExternal,
} from './external-channel.ts';
import { type EncodedFrame, frameBuilder } from './frame-builder.ts';
import type { Frame } from './frame-decoder.ts';
import {
  type PastReply,
  type PastRequest,
  pastReplyType,
  pastType,
  readPast,
  readPastReply,
  writePast,
  writePastReply,
} from './past-channel.ts';
import {
  type ProgramToManager,
  type ProgramToWorker,
  programToManager,
  programToWorker,
  readProgramToManager,
  readProgramToWorker,
  writeProgramToManager,
  writeProgramToWorker,
} from './program-channel.ts';
import {
  type Answer,
  answerType,
  type Question,
  questionType,
  readAnswer,
  readQuestion,
  writeAnswer,
  writeQuestion,
} from './question-channel.ts';
import {
  type OpenReply,
  type OpenRequest,
  openedType,
  openType,
  readOpen,
  readOpened,
  writeOpen,
  writeOpened,
} from './sealed-channel.ts';
import {
  maxCodeBytes,
  maxReasonBytes,
  readSnapshotToManager,
  readSnapshotToWorker,
  type SnapshotToManager,
  type SnapshotToWorker,
  snapshotToManager,
  snapshotToWorker,
  writeSnapshotToManager,
  writeSnapshotToWorker,
} from './snapshot-channel.ts';
import {
  decodeStreamData,
  type EvidenceFrame,
  type StreamData,
  type StreamFrame,
  streamTypes,
} from './stream-frames.ts';

/** What a manager enclave tells a worker enclave. */
export type ChannelToWorker =
  | EvidenceFrame
  | StreamData
  | StreamFrame<'streamEnd'>
  | StreamFrame<'streamReset'>
  /** `identity` is the output of `encodeIdentity`. */
  | (StreamFrame<'streamOpen'> & { readonly identity: Uint8Array })
  | {
      readonly kind: 'role';
      readonly leader: boolean;
      readonly view: number;
      /** JSON `{leaderNode?}`. */
      readonly json: Uint8Array;
    }
  | {
      readonly kind: 'sealed';
      readonly batch: number;
      readonly view: number;
      readonly height: number;
      readonly firstSeqno: number;
    }
  | { readonly kind: 'committed'; readonly height: number }
  /** Drop every layer above this height. */
  | { readonly kind: 'rollback'; readonly height: number }
  | { readonly kind: 'applied'; readonly blocks: readonly AppliedBlock[] }
  | { readonly kind: 'committedByAll'; readonly height: number }
  | { readonly kind: 'refused'; readonly batch: number; readonly code: string }
  | {
      readonly kind: 'forwarded';
      readonly id: number;
      readonly origin: string;
      readonly identity: Uint8Array;
      readonly request: Uint8Array;
    }
  /**
   * All that was committed anywhere when the barrier was asked for has been told to the worker
   * before this frame; with a code (of the catalogue of `core/api`) it could not be made certain.
   */
  | { readonly kind: 'readBarrierReply'; readonly id: number; readonly code?: string }
  | {
      readonly kind: 'forwardReply';
      readonly id: number;
      readonly ok: boolean;
      readonly height: number;
      readonly reply: Uint8Array;
    }
  /** JSON `{adapters: {id: config}, policies, networkId, nodeId, trust, externalSystems?}`. */
  | { readonly kind: 'configure'; readonly json: Uint8Array }
  | {
      readonly kind: 'genesis';
      readonly adapterId: string;
      readonly last: boolean;
      readonly part: Uint8Array;
    }
  | { readonly kind: 'start' }
  /** Answered with `pong` by a worker that gets to read it. */
  | { readonly kind: 'ping' }
  | Answer
  | PastReply
  | SnapshotToWorker
  | ExternalToWorker
  | OpenReply
  | ProgramToWorker;

/** What a worker enclave tells a manager enclave. */
export type ChannelToManager =
  | EvidenceFrame
  | StreamData
  | StreamFrame<'streamEnd'>
  | StreamFrame<'streamReset'>
  | StreamFrame<'streamPause'>
  | StreamFrame<'streamResume'>
  | {
      readonly kind: 'batch' | 'genesisBatch';
      readonly batch: number;
      readonly transactions: readonly BatchTransaction[];
    }
  | {
      readonly kind: 'forward';
      readonly id: number;
      readonly identity: Uint8Array;
      readonly request: Uint8Array;
    }
  | {
      readonly kind: 'forwardedReply';
      readonly id: number;
      readonly origin: string;
      readonly ok: boolean;
      readonly reply: Uint8Array;
      readonly height: number;
    }
  /** Asks for a `readBarrierReply` to reads that must not be stale. */
  | { readonly kind: 'readBarrier'; readonly id: number }
  | { readonly kind: 'ready' }
  | { readonly kind: 'pong' }
  | { readonly kind: 'log'; readonly line: Uint8Array }
  /** The last frame of a worker that cannot go on, and why: at most 64 and 1,024 bytes. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | Question
  | PastRequest
  | SnapshotToManager
  | ExternalToManager
  | OpenRequest
  | ProgramToManager;

const evidenceType = { evidence: 40 } as const;

const toWorker = {
  ...evidenceType,
  streamOpen: 1,
  ...streamTypes,
  role: 10,
  sealed: 11,
  committed: 12,
  rollback: 13,
  applied: 14,
  committedByAll: 15,
  refused: 16,
  forwarded: 20,
  forwardReply: 21,
  readBarrierReply: 25,
  configure: 22,
  genesis: 23,
  start: 24,
  ping: 26,
  answer: answerType,
  pastReply: pastReplyType,
  opened: openedType,
  external: externalType,
  ...snapshotToWorker,
  ...programToWorker,
} as const satisfies Record<ChannelToWorker['kind'], number>;

const toManager = {
  ...evidenceType,
  ...streamTypes,
  streamPause: 5,
  streamResume: 6,
  batch: 30,
  forward: 31,
  forwardedReply: 32,
  genesisBatch: 33,
  ready: 34,
  log: 35,
  readBarrier: 36,
  pong: 37,
  failed: 38,
  question: questionType,
  past: pastType,
  open: openType,
  external: externalType,
  ...snapshotToManager,
  ...programToManager,
} as const satisfies Record<ChannelToManager['kind'], number>;

/** Encodes one frame from manager to worker. Long byte strings are passed by reference. */
export function encodeChannelToWorker(message: ChannelToWorker): EncodedFrame {
  const frame = frameBuilder.begin(toWorker[message.kind]);
  switch (message.kind) {
    case 'streamData':
      return frame.u32(message.id).raw(message.data).finish();
    case 'evidence':
      return frame.bytes(message.bytes).finish();
    case 'streamEnd':
    case 'streamReset':
      return frame.u32(message.id).finish();
    case 'streamOpen':
      return frame.u32(message.id).bytes(message.identity).finish();
    case 'role':
      return frame.flag(message.leader).u64(message.view).bytes(message.json).finish();
    case 'sealed':
      frame.u32(message.batch).u64(message.view);
      return frame.u64(message.height).u64(message.firstSeqno).finish();
    case 'committed':
    case 'rollback':
    case 'committedByAll':
      return frame.u64(message.height).finish();
    case 'applied':
      frame.u32(message.blocks.length);
      for (const block of message.blocks) writeApplied(frame, block);
      return frame.finish();
    case 'refused':
      return frame.u32(message.batch).text(message.code).finish();
    case 'forwarded':
      frame.u32(message.id).text(message.origin);
      return frame.bytes(message.identity).bytes(message.request).finish();
    case 'forwardReply':
      frame.u32(message.id).flag(message.ok).u64(message.height);
      return frame.bytes(message.reply).finish();
    case 'readBarrierReply':
      return frame
        .u32(message.id)
        .text(message.code ?? '')
        .finish();
    case 'configure':
      return frame.bytes(message.json).finish();
    case 'genesis':
      return frame.text(message.adapterId).flag(message.last).bytes(message.part).finish();
    case 'start':
    case 'ping':
      return frame.finish();
    case 'answer':
      return writeAnswer(frame, message);
    case 'pastReply':
      return writePastReply(frame, message);
    case 'opened':
      return writeOpened(frame, message);
    case 'external':
      return writeExternal(frame, message);
    case 'program':
      return writeProgramToWorker(frame, message);
    default:
      return writeSnapshotToWorker(frame, message);
  }
}

/**
 * Decodes one frame from a manager. Byte strings are views into the frame.
 * @throws BridgeError UNKNOWN_FRAME, MALFORMED_FRAME
 */
export function decodeChannelToWorker({ type, body }: Frame): ChannelToWorker {
  if (type === streamTypes.streamData) return decodeStreamData(type, body);
  return decodingFrame(type, () => {
    const reader = new BinaryReader(body);
    const message = readToWorker(type, reader);
    reader.end();
    return message;
  });
}

function readToWorker(type: number, reader: BinaryReader): ChannelToWorker {
  switch (type) {
    case toWorker.streamOpen:
      return { kind: 'streamOpen', id: reader.u32(), identity: reader.bytes() };
    case toWorker.streamEnd:
      return { kind: 'streamEnd', id: reader.u32() };
    case toWorker.streamReset:
      return { kind: 'streamReset', id: reader.u32() };
    case toWorker.role: {
      const leader = readFlag(reader);
      return { kind: 'role', leader, view: reader.u64(), json: reader.bytes() };
    }
    case toWorker.sealed: {
      const [batch, view, height] = [reader.u32(), reader.u64(), reader.u64()];
      return { kind: 'sealed', batch, view, height, firstSeqno: reader.u64() };
    }
    case toWorker.committed:
      return { kind: 'committed', height: reader.u64() };
    case toWorker.rollback:
      return { kind: 'rollback', height: reader.u64() };
    case toWorker.applied:
      return { kind: 'applied', blocks: readAppliedBlocks(reader) };
    case toWorker.committedByAll:
      return { kind: 'committedByAll', height: reader.u64() };
    case toWorker.refused:
      return { kind: 'refused', batch: reader.u32(), code: reader.text() };
    default:
      return readForwardingToWorker(type, reader);
  }
}

function readForwardingToWorker(type: number, reader: BinaryReader): ChannelToWorker {
  switch (type) {
    case toWorker.forwarded: {
      const [id, origin, identity] = [reader.u32(), reader.text(), reader.bytes()];
      return { kind: 'forwarded', id, origin, identity, request: reader.bytes() };
    }
    case toWorker.forwardReply: {
      const [id, ok, height] = [reader.u32(), readFlag(reader), reader.u64()];
      return { kind: 'forwardReply', id, ok, height, reply: reader.bytes() };
    }
    case toWorker.readBarrierReply: {
      const [id, code] = [reader.u32(), reader.text(64)];
      return { kind: 'readBarrierReply', id, ...(code !== '' && { code }) };
    }
    case toWorker.configure:
      return { kind: 'configure', json: reader.bytes() };
    case toWorker.genesis: {
      const [adapterId, last] = [reader.text(), readFlag(reader)];
      return { kind: 'genesis', adapterId, last, part: reader.bytes() };
    }
    case toWorker.start:
      return { kind: 'start' };
    case toWorker.ping:
      return { kind: 'ping' };
    case toWorker.evidence:
      return { kind: 'evidence', bytes: reader.bytes() };
    case toWorker.answer:
      return readAnswer(reader);
    case toWorker.pastReply:
      return readPastReply(reader);
    case toWorker.opened:
      return readOpened(reader);
    case toWorker.external:
      return readExternalToWorker(reader);
    case toWorker.program:
      return readProgramToWorker(reader);
    default:
      return readSnapshotToWorker(type, reader);
  }
}

/** Encodes one frame from worker to manager. Long byte strings are passed by reference. */
export function encodeChannelToManager(message: ChannelToManager): EncodedFrame {
  const frame = frameBuilder.begin(toManager[message.kind]);
  switch (message.kind) {
    case 'streamData':
      return frame.u32(message.id).raw(message.data).finish();
    case 'evidence':
      return frame.bytes(message.bytes).finish();
    case 'streamEnd':
    case 'streamReset':
    case 'streamPause':
    case 'streamResume':
      return frame.u32(message.id).finish();
    case 'batch':
    case 'genesisBatch':
      frame.u32(message.batch).u32(message.transactions.length);
      for (const transaction of message.transactions) writeTransaction(frame, transaction);
      return frame.finish();
    case 'forward':
      return frame.u32(message.id).bytes(message.identity).bytes(message.request).finish();
    case 'forwardedReply':
      frame.u32(message.id).text(message.origin).flag(message.ok);
      return frame.bytes(message.reply).u64(message.height).finish();
    case 'readBarrier':
      return frame.u32(message.id).finish();
    case 'ready':
    case 'pong':
      return frame.finish();
    case 'log':
      return frame.bytes(message.line).finish();
    case 'failed':
      return frame.text(message.code).text(message.message).finish();
    case 'question':
      return writeQuestion(frame, message);
    case 'past':
      return writePast(frame, message);
    case 'open':
      return writeOpen(frame, message);
    case 'external':
      return writeExternal(frame, message);
    case 'programReply':
    case 'programState':
      return writeProgramToManager(frame, message);
    default:
      return writeSnapshotToManager(frame, message);
  }
}

/**
 * Decodes one frame from a worker. Byte strings are views into the frame.
 * @throws BridgeError UNKNOWN_FRAME, MALFORMED_FRAME
 */
export function decodeChannelToManager({ type, body }: Frame): ChannelToManager {
  if (type === streamTypes.streamData) return decodeStreamData(type, body);
  return decodingFrame(type, () => {
    const reader = new BinaryReader(body);
    const message = readToManager(type, reader);
    reader.end();
    return message;
  });
}

function readToManager(type: number, reader: BinaryReader): ChannelToManager {
  switch (type) {
    case toManager.streamEnd:
      return { kind: 'streamEnd', id: reader.u32() };
    case toManager.streamReset:
      return { kind: 'streamReset', id: reader.u32() };
    case toManager.streamPause:
      return { kind: 'streamPause', id: reader.u32() };
    case toManager.streamResume:
      return { kind: 'streamResume', id: reader.u32() };
    case toManager.batch:
      return { kind: 'batch', batch: reader.u32(), transactions: readTransactions(reader) };
    case toManager.genesisBatch:
      return { kind: 'genesisBatch', batch: reader.u32(), transactions: readTransactions(reader) };
    case toManager.forward: {
      const [id, identity] = [reader.u32(), reader.bytes()];
      return { kind: 'forward', id, identity, request: reader.bytes() };
    }
    case toManager.forwardedReply: {
      const [id, origin, ok] = [reader.u32(), reader.text(), readFlag(reader)];
      const reply = reader.bytes();
      return { kind: 'forwardedReply', id, origin, ok, reply, height: reader.u64() };
    }
    case toManager.evidence:
      return { kind: 'evidence', bytes: reader.bytes() };
    case toManager.readBarrier:
      return { kind: 'readBarrier', id: reader.u32() };
    case toManager.ready:
      return { kind: 'ready' };
    case toManager.pong:
      return { kind: 'pong' };
    case toManager.question:
      return readQuestion(reader);
    case toManager.past:
      return readPast(reader);
    case toManager.open:
      return readOpen(reader);
    case toManager.external:
      return readExternalToManager(reader);
    case toManager.log:
      return { kind: 'log', line: reader.bytes() };
    case toManager.failed: {
      const code = reader.text(maxCodeBytes);
      return { kind: 'failed', code, message: reader.text(maxReasonBytes) };
    }
    case toManager.programReply:
    case toManager.programState:
      return readProgramToManager(type, reader);
    default:
      return readSnapshotToManager(type, reader);
  }
}
