import { type BinaryReader, DecodeError } from '@concordat/std';
import type { EncodedFrame, FrameBuilder } from './frame-builder.ts';
import { maxCodeBytes, maxReasonBytes } from './snapshot-channel.ts';

interface Step<Name extends string> {
  readonly kind: 'external';
  /** Of the connection, drawn by the worker. */
  readonly id: number;
  readonly step: Name;
}

/** Bytes of a connection to a system outside of the network: TLS, which ends in the worker. */
interface Data extends Step<'data'> {
  readonly data: Uint8Array;
}

/** What a worker says of its connections to systems that the constitution lists. */
export type ExternalToManager =
  /** Asks for a connection to the system of this name; where it is, the manager knows. */
  | (Step<'open'> & { readonly system: string })
  | Data
  /** It sends no more. */
  | Step<'end'>
  /** It wants no more of it. */
  | Step<'close'>;

/** What a manager says of them. */
export type ExternalToWorker =
  | Step<'opened'>
  | Data
  /** The system sends no more. */
  | Step<'end'>
  /** The connection is over, or there never was one; nothing follows. */
  | (Step<'closed'> & { readonly code: string; readonly message: string });

/** Frame type of {@link ExternalToManager} and {@link ExternalToWorker}. */
export const externalType = 80;

/** Of one frame: what a socket gives at a time is less. */
const maxDataBytes = 1024 * 1024;
const maxNameBytes = 64;
const steps = ['open', 'opened', 'data', 'end', 'close', 'closed'] as const;

/** Writes the body of a frame that was begun with its type. */
export function writeExternal(
  frame: FrameBuilder,
  message: ExternalToManager | ExternalToWorker,
): EncodedFrame {
  frame.u32(message.id).u32(steps.indexOf(message.step));
  switch (message.step) {
    case 'open':
      return frame.text(message.system).finish();
    case 'data':
      return frame.bytes(message.data).finish();
    case 'closed':
      return frame.text(message.code).text(message.message).finish();
    default:
      return frame.finish();
  }
}

/** Reads it; the caller checks that nothing follows. @throws DecodeError */
export function readExternalToManager(reader: BinaryReader): ExternalToManager {
  const [id, step] = readHead(reader);
  switch (step) {
    case 'open':
      return { kind: 'external', id, step, system: reader.text(maxNameBytes) };
    case 'data':
      return { kind: 'external', id, step, data: reader.bytes(maxDataBytes) };
    case 'end':
    case 'close':
      return { kind: 'external', id, step };
    default:
      throw new DecodeError('INVALID', 'no step of a worker');
  }
}

/** Reads it; the caller checks that nothing follows. @throws DecodeError */
export function readExternalToWorker(reader: BinaryReader): ExternalToWorker {
  const [id, step] = readHead(reader);
  switch (step) {
    case 'data':
      return { kind: 'external', id, step, data: reader.bytes(maxDataBytes) };
    case 'closed': {
      const code = reader.text(maxCodeBytes);
      return { kind: 'external', id, step, code, message: reader.text(maxReasonBytes) };
    }
    case 'opened':
    case 'end':
      return { kind: 'external', id, step };
    default:
      throw new DecodeError('INVALID', 'no step of a manager');
  }
}

const readHead = (reader: BinaryReader) => [reader.u32(), steps[reader.u32()]] as const;
