import { type BinaryReader, DecodeError } from '@concordat/std';
import { readFlag } from './control.ts';
import { unknownFrame } from './errors.ts';
import type { EncodedFrame, FrameBuilder } from './frame-builder.ts';
import { maxSnapshotChunkBytes, readFilled } from './snapshot-control.ts';

/** Chunks a worker may have sent of a snapshot that the manager has not taken yet. */
export const snapshotChunkCredit = 2;

/** What a manager tells a worker about snapshots of its state. */
export type SnapshotToWorker =
  /**
   * Freeze the committed state, which is exactly that of `height`, and send it as `snapshotChunk`
   * frames. `timeMs` is the time in that block's header. Send it right after the `committed` or
   * `applied` that reached the height.
   */
  | {
      readonly kind: 'snapshot';
      readonly request: number;
      readonly height: number;
      readonly timeMs: number;
    }
  /** The chunk has been dealt with: another may be sent (see {@link snapshotChunkCredit}). */
  | { readonly kind: 'snapshotTaken'; readonly request: number; readonly index: number }
  /** Nobody wants the rest. Chunks on their way may still arrive. */
  | { readonly kind: 'snapshotCancel'; readonly request: number }
  /**
   * The next of so many chunks, counted from 0, of a state that replaces whatever the worker has:
   * the first one stops its service, and `start` opens it again. After the last one the worker
   * answers `ready`, preceded by `restoreRefused` when the chunks are no state; then it holds none.
   */
  | {
      readonly kind: 'restore';
      readonly index: number;
      /** How many there are in all, at least 1. */
      readonly chunks: number;
      readonly bytes: Uint8Array;
    };

/** What a worker tells its manager about them. */
export type SnapshotToManager =
  | {
      readonly kind: 'snapshotChunk';
      readonly request: number;
      /** From 0. */
      readonly index: number;
      readonly last: boolean;
      readonly bytes: Uint8Array;
    }
  /** There will be no (more) chunks. Codes: see the worker's `snapshot-maker.ts`. */
  | { readonly kind: 'snapshotRefused'; readonly request: number; readonly code: string }
  | { readonly kind: 'restoreRefused'; readonly code: string; readonly message: string };

/** Frame types of {@link SnapshotToWorker}. */
export const snapshotToWorker = {
  snapshot: 50,
  snapshotTaken: 51,
  snapshotCancel: 52,
  restore: 53,
} as const satisfies Record<SnapshotToWorker['kind'], number>;

/** Frame types of {@link SnapshotToManager}. */
export const snapshotToManager = {
  snapshotChunk: 60,
  snapshotRefused: 61,
  restoreRefused: 62,
} as const satisfies Record<SnapshotToManager['kind'], number>;

/** Of a code in a frame. */
export const maxCodeBytes = 64;
/** Of a reason in a frame. */
export const maxReasonBytes = 1024;

/** Writes the body of a frame that was begun with its type. */
export function writeSnapshotToWorker(
  frame: FrameBuilder,
  message: SnapshotToWorker,
): EncodedFrame {
  switch (message.kind) {
    case 'snapshot':
      return frame.u32(message.request).u64(message.height).u64(message.timeMs).finish();
    case 'snapshotTaken':
      return frame.u32(message.request).u32(message.index).finish();
    case 'snapshotCancel':
      return frame.u32(message.request).finish();
    case 'restore':
      return frame.u32(message.index).u32(message.chunks).bytes(message.bytes).finish();
  }
}

/**
 * Reads the body of a frame of these types; the caller checks that nothing follows.
 * @throws BridgeError UNKNOWN_FRAME; DecodeError
 */
export function readSnapshotToWorker(type: number, reader: BinaryReader): SnapshotToWorker {
  switch (type) {
    case snapshotToWorker.snapshot: {
      const [request, height] = [reader.u32(), reader.u64()];
      return { kind: 'snapshot', request, height, timeMs: reader.u64() };
    }
    case snapshotToWorker.snapshotTaken:
      return { kind: 'snapshotTaken', request: reader.u32(), index: reader.u32() };
    case snapshotToWorker.snapshotCancel:
      return { kind: 'snapshotCancel', request: reader.u32() };
    case snapshotToWorker.restore: {
      const [index, chunks] = [reader.u32(), reader.u32()];
      if (index >= chunks) throw new DecodeError('INVALID', `chunk ${index} of ${chunks}`);
      return { kind: 'restore', index, chunks, bytes: readFilled(reader, maxSnapshotChunkBytes) };
    }
    default:
      throw unknownFrame(type);
  }
}

/** Writes the body of a frame that was begun with its type. */
export function writeSnapshotToManager(
  frame: FrameBuilder,
  message: SnapshotToManager,
): EncodedFrame {
  switch (message.kind) {
    case 'snapshotChunk':
      frame.u32(message.request).u32(message.index).flag(message.last);
      return frame.bytes(message.bytes).finish();
    case 'snapshotRefused':
      return frame.u32(message.request).text(message.code).finish();
    case 'restoreRefused':
      return frame.text(message.code).text(message.message).finish();
  }
}

/**
 * Reads the body of a frame of these types; the caller checks that nothing follows.
 * @throws BridgeError UNKNOWN_FRAME; DecodeError
 */
export function readSnapshotToManager(type: number, reader: BinaryReader): SnapshotToManager {
  switch (type) {
    case snapshotToManager.snapshotChunk: {
      const [request, index, last] = [reader.u32(), reader.u32(), readFlag(reader)];
      const bytes = readFilled(reader, maxSnapshotChunkBytes);
      return { kind: 'snapshotChunk', request, index, last, bytes };
    }
    case snapshotToManager.snapshotRefused: {
      const request = reader.u32();
      return { kind: 'snapshotRefused', request, code: reader.text(maxCodeBytes) };
    }
    case snapshotToManager.restoreRefused: {
      const code = reader.text(maxCodeBytes);
      return { kind: 'restoreRefused', code, message: reader.text(maxReasonBytes) };
    }
    default:
      throw unknownFrame(type);
  }
}
