import type { BinaryReader } from '@concordat/std';
import { DecodeError } from '@concordat/std';
import { unknownFrame } from './errors.ts';
import type { EncodedFrame, FrameBuilder } from './frame-builder.ts';

/**
 * Largest chunk of a snapshot as it travels and is stored, in bytes. Chunks of state have 1 MiB
 * and a few bytes of sealing; the first one, the manifest, grows by 32 bytes a chunk.
 */
export const maxSnapshotChunkBytes = 4 * 1024 * 1024;

/** Largest page of the history that a host keeps, in bytes. */
export const maxPageBytes = 1024 * 1024;

/**
 * What a manager asks of its host beside blocks and records: history pages, snapshots, and blocks
 * from before the height its ledger begins at. All bytes are opaque to the host.
 */
export type SnapshotToHost =
  /** Stores a page of the history durably; answered by `done`. Pages are numbered from 0. */
  | {
      readonly kind: 'putPage';
      readonly request: number;
      readonly page: number;
      readonly bytes: Uint8Array;
    }
  /** Answered by `record`, without bytes when there is no such page. */
  | { readonly kind: 'getPage'; readonly request: number; readonly page: number }
  /**
   * Begins to store the snapshot of a height, forgetting an unfinished one of that height. Another
   * height may be under way beside it, not a third.
   */
  | { readonly kind: 'snapshotBegin'; readonly height: number }
  /**
   * The next chunk of a snapshot under way, counted from 0; answered by `done` once it is on the
   * disk. Keep few unanswered: the host does not hold the sender back otherwise.
   */
  | {
      readonly kind: 'snapshotChunk';
      readonly request: number;
      readonly height: number;
      readonly index: number;
      readonly bytes: Uint8Array;
    }
  /**
   * The snapshot is whole with so many chunks; answered by `done` once it would outlive a crash.
   * It replaces a finished one of the same height; of the others the newest is kept.
   */
  | {
      readonly kind: 'snapshotFinish';
      readonly request: number;
      readonly height: number;
      readonly chunks: number;
    }
  /** A chunk of a finished snapshot; answered by `record`, without bytes when it is not there. */
  | {
      readonly kind: 'snapshotRead';
      readonly request: number;
      readonly height: number;
      readonly index: number;
    }
  /** Forgets the snapshot of a height, finished or under way. */
  | { readonly kind: 'snapshotDrop'; readonly height: number }
  /**
   * The ledger goes on after this height, whatever it holds: blocks above are dropped, those below
   * stay as its earlier part, and what is missing between them and this height comes by
   * `appendEarlier`. Answered by `done` once it would outlive a crash; the next `append` is of
   * `height + 1`. Blocks that were never committed must have been truncated before.
   */
  | { readonly kind: 'ledgerBase'; readonly request: number; readonly height: number }
  /**
   * The lowest block the ledger misses below its bases, once `ledgerBase` has been answered, or the
   * one after those sent already; `earlierSynced` says when it is durable.
   */
  | { readonly kind: 'appendEarlier'; readonly height: number; readonly block: Uint8Array }
  /** Which committed chunk the block at a height lies in; answered by `chunk`. */
  | { readonly kind: 'chunkAt'; readonly request: number; readonly height: number }
  /**
   * The committed chunk of these blocks is damaged: the file is kept under another name, and its
   * blocks are missing from now on. Answered by `done` once that would outlive a crash; they come
   * back by `appendEarlier`, of which none may be under way.
   */
  | {
      readonly kind: 'setAside';
      readonly request: number;
      readonly from: number;
      readonly to: number;
    };

/** Frame types of {@link SnapshotToHost}. */
export const snapshotToHost = {
  putPage: 16,
  getPage: 17,
  snapshotBegin: 18,
  snapshotChunk: 19,
  snapshotFinish: 20,
  snapshotRead: 21,
  snapshotDrop: 22,
  ledgerBase: 23,
  appendEarlier: 24,
  chunkAt: 25,
  setAside: 26,
} as const satisfies Record<SnapshotToHost['kind'], number>;

/** Writes the body of a frame that was begun with its type. */
export function writeSnapshotToHost(frame: FrameBuilder, message: SnapshotToHost): EncodedFrame {
  switch (message.kind) {
    case 'putPage':
      return frame.u32(message.request).u32(message.page).bytes(message.bytes).finish();
    case 'getPage':
      return frame.u32(message.request).u32(message.page).finish();
    case 'snapshotBegin':
    case 'snapshotDrop':
      return frame.u64(message.height).finish();
    case 'snapshotChunk':
      frame.u32(message.request).u64(message.height).u32(message.index);
      return frame.bytes(message.bytes).finish();
    case 'snapshotFinish':
      return frame.u32(message.request).u64(message.height).u32(message.chunks).finish();
    case 'snapshotRead':
      return frame.u32(message.request).u64(message.height).u32(message.index).finish();
    case 'ledgerBase':
    case 'chunkAt':
      return frame.u32(message.request).u64(message.height).finish();
    case 'setAside':
      return frame.u32(message.request).u64(message.from).u64(message.to).finish();
    case 'appendEarlier':
      return frame.u64(message.height).raw(message.block).finish();
  }
}

/**
 * Reads the body of a frame of these types; the caller checks that nothing follows.
 * @throws BridgeError UNKNOWN_FRAME; DecodeError
 */
export function readSnapshotToHost(type: number, reader: BinaryReader): SnapshotToHost {
  switch (type) {
    case snapshotToHost.putPage: {
      const [request, page] = [reader.u32(), reader.u32()];
      return { kind: 'putPage', request, page, bytes: readFilled(reader, maxPageBytes) };
    }
    case snapshotToHost.getPage:
      return { kind: 'getPage', request: reader.u32(), page: reader.u32() };
    case snapshotToHost.snapshotBegin:
      return { kind: 'snapshotBegin', height: readHeight(reader) };
    case snapshotToHost.snapshotChunk: {
      const [request, height, index] = [reader.u32(), readHeight(reader), reader.u32()];
      const bytes = readFilled(reader, maxSnapshotChunkBytes);
      return { kind: 'snapshotChunk', request, height, index, bytes };
    }
    case snapshotToHost.snapshotFinish: {
      const [request, height, chunks] = [reader.u32(), readHeight(reader), reader.u32()];
      return { kind: 'snapshotFinish', request, height, chunks };
    }
    case snapshotToHost.snapshotRead: {
      const [request, height, index] = [reader.u32(), readHeight(reader), reader.u32()];
      return { kind: 'snapshotRead', request, height, index };
    }
    case snapshotToHost.snapshotDrop:
      return { kind: 'snapshotDrop', height: readHeight(reader) };
    case snapshotToHost.ledgerBase:
      return { kind: 'ledgerBase', request: reader.u32(), height: readHeight(reader) };
    case snapshotToHost.chunkAt:
      return { kind: 'chunkAt', request: reader.u32(), height: readHeight(reader) };
    case snapshotToHost.setAside: {
      const [request, from] = [reader.u32(), readHeight(reader)];
      return { kind: 'setAside', request, from, to: readHeight(reader) };
    }
    case snapshotToHost.appendEarlier: {
      const height = readHeight(reader);
      return { kind: 'appendEarlier', height, block: reader.raw(reader.remaining) };
    }
    default:
      throw unknownFrame(type);
  }
}

/** A height of a block: there is none at 0. */
function readHeight(reader: BinaryReader): number {
  const height = reader.u64();
  if (height === 0) throw new DecodeError('INVALID', 'a height of 0');
  return height;
}

/** A byte string that holds something, up to a limit. */
export function readFilled(reader: BinaryReader, maxBytes: number): Buffer {
  const bytes = reader.bytes(maxBytes);
  if (bytes.length === 0) throw new DecodeError('INVALID', 'an empty byte string');
  return bytes;
}
