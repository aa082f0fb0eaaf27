import { CodedError } from '@concordat/std';

/** Why evidence or the description of an image was not accepted as what it claims to be. */
export type AttestationErrorCode = 'MALFORMED' | 'INVALID_IMAGE';

/** The error of this room, for decoders called directly; verification returns refusals instead. */
export class AttestationError extends CodedError<AttestationErrorCode> {}
