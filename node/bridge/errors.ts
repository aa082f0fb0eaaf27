import { CodedError, DecodeError } from '@concordat/std';

/** Why a bridge connection or a frame on it was refused. */
export type BridgeErrorCode =
  | 'FRAME_TOO_LARGE'
  | 'EMPTY_FRAME'
  | 'UNKNOWN_FRAME'
  | 'MALFORMED_FRAME'
  | 'TRUNCATED_STREAM'
  | 'DIAL_FAILED'
  | 'INVALID_ARGUMENTS';

/** A failure of the bridge between host, manager enclave and worker enclave. */
export class BridgeError extends CodedError<BridgeErrorCode> {}

/**
 * Runs a decoder of one frame body and turns what the ground room reports into a bridge error.
 * @throws BridgeError MALFORMED_FRAME
 */
export function decodingFrame<T>(type: number, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof DecodeError) && !(error instanceof SyntaxError)) throw error;
    // A JSON syntax error quotes the text it met, which may be secret: only its kind is kept.
    const reason = error instanceof DecodeError ? `${error.code}: ${error.message}` : 'not JSON';
    throw new BridgeError('MALFORMED_FRAME', `frame of type ${type} is malformed (${reason})`, {
      type,
    });
  }
}

/** Reports a frame type that does not exist in this direction. */
export const unknownFrame = (type: number): BridgeError =>
  new BridgeError('UNKNOWN_FRAME', `no frame of type ${type} goes in this direction`, { type });
