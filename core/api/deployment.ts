import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';
import { ApiError } from './error-body.ts';

/** Media type of a signed proposal together with the program it names. */
export const deploymentMediaType = 'application/vnd.concordat.deployment';

/** POST /gov/deployments: a signed proposal, and the program that it names by its digest. */
export interface Deployment {
  /** COSE_Sign1. */
  readonly message: Uint8Array;
  readonly program: Uint8Array;
}

/** u32 length of the message | the message | the program */
export const encodeDeployment = ({ message, program }: Deployment): Uint8Array =>
  new BinaryWriter(4 + message.length + program.length).bytes(message).raw(program).take();

/** Reads what {@link encodeDeployment} wrote. @throws ApiError MALFORMED_REQUEST */
export function decodeDeployment(bytes: Uint8Array): Deployment {
  try {
    const reader = new BinaryReader(bytes);
    const message = reader.bytes();
    if (reader.remaining === 0) throw new DecodeError('TRUNCATED', 'no program follows');
    return { message, program: reader.raw(reader.remaining) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new ApiError('MALFORMED_REQUEST', `not a message with a program: ${error.message}`);
  }
}

/**
 * What an adapter of one worker runs: `none`; `starting`, with requests that wait; `running`;
 * `failing`: it ended and is started again and again.
 */
export interface ApplicationState {
  readonly adapter: string;
  readonly state: 'none' | 'starting' | 'running' | 'failing';
  /** Hex SHA-256 of its program. */
  readonly digest?: string;
  /** Why it is failing. */
  readonly reason?: string;
  /** What came of making a program ready for a vote, the newest time; with a code it failed. */
  readonly prepared?: {
    readonly digest: string;
    readonly code?: string;
    readonly message?: string;
  };
}
