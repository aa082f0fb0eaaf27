import { type BinaryReader, DecodeError } from '@concordat/std';
import { unknownFrame } from './errors.ts';
import type { EncodedFrame, FrameBuilder } from './frame-builder.ts';
import { maxCodeBytes } from './snapshot-channel.ts';

/** What a manager asks of a worker about programs that votes are to put in force. */
export type ProgramToWorker = {
  readonly kind: 'program';
  readonly request: number;
  /** `check`: could the adapter run it? `prepare`: it is about to be put in force. */
  readonly purpose: 'check' | 'prepare';
  readonly adapterId: string;
  readonly bytes: Uint8Array;
};

/** What a worker tells its manager about programs. */
export type ProgramToManager =
  /** The answer to `program`; without a code it is as it should be. */
  | {
      readonly kind: 'programReply';
      readonly request: number;
      readonly code?: string;
      /** JSON `{message, details}`; empty without a code. */
      readonly json: Uint8Array;
    }
  /** What an adapter runs from now on: JSON of `ApplicationState` of `core/api`. */
  | { readonly kind: 'programState'; readonly json: Uint8Array };

/** Frame types of {@link ProgramToWorker}. */
export const programToWorker = { program: 54 } as const;

/** Frame types of {@link ProgramToManager}. */
export const programToManager = {
  programReply: 63,
  programState: 64,
} as const satisfies Record<ProgramToManager['kind'], number>;

/** Of a program in a frame. */
export const maxProgramFrameBytes = 8 * 1024 * 1024;
/** Of what is said about one. */
export const maxProgramJsonBytes = 8 * 1024;
const maxAdapterIdBytes = 32;
const purposes = ['check', 'prepare'] as const;

/** Writes the body of a frame that was begun with its type. */
export function writeProgramToWorker(frame: FrameBuilder, message: ProgramToWorker): EncodedFrame {
  frame
    .u32(message.request)
    .flag(message.purpose === 'prepare')
    .text(message.adapterId);
  return frame.bytes(message.bytes).finish();
}

/** Reads the body of such a frame; the caller checks that nothing follows. @throws DecodeError */
export function readProgramToWorker(reader: BinaryReader): ProgramToWorker {
  const request = reader.u32();
  const purpose = purposes[reader.u8()];
  if (purpose === undefined) throw new DecodeError('INVALID', 'the purpose of a program');
  const adapterId = reader.text(maxAdapterIdBytes);
  return {
    kind: 'program',
    request,
    purpose,
    adapterId,
    bytes: reader.bytes(maxProgramFrameBytes),
  };
}

/** Writes the body of a frame that was begun with its type. */
export function writeProgramToManager(
  frame: FrameBuilder,
  message: ProgramToManager,
): EncodedFrame {
  if (message.kind === 'programState') return frame.bytes(message.json).finish();
  frame.u32(message.request).text(message.code ?? '');
  return frame.bytes(message.json).finish();
}

/**
 * Reads the body of a frame of these types; the caller checks that nothing follows.
 * @throws BridgeError UNKNOWN_FRAME; DecodeError
 */
export function readProgramToManager(type: number, reader: BinaryReader): ProgramToManager {
  switch (type) {
    case programToManager.programReply: {
      const [request, code] = [reader.u32(), reader.text(maxCodeBytes)];
      const json = reader.bytes(maxProgramJsonBytes);
      return { kind: 'programReply', request, ...(code !== '' && { code }), json };
    }
    case programToManager.programState:
      return { kind: 'programState', json: reader.bytes(maxProgramJsonBytes) };
    default:
      throw unknownFrame(type);
  }
}
