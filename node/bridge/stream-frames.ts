import { BinaryReader } from '@concordat/std';
import { decodingFrame } from './errors.ts';

/** About one client connection. */
export interface StreamFrame<Kind extends string> {
  readonly kind: Kind;
  /** Stream number, drawn by the manager. */
  readonly id: number;
}

/** The first frame each way: attestation evidence over the sender's TLS key. */
export interface EvidenceFrame {
  readonly kind: 'evidence';
  readonly bytes: Uint8Array;
}

/** Decrypted bytes of one. */
export interface StreamData extends StreamFrame<'streamData'> {
  readonly data: Uint8Array;
}

/** Frame types that both sides send. */
export const streamTypes = { streamData: 2, streamEnd: 3, streamReset: 4 } as const;

/** Reads bytes of a client connection, as a view. @throws BridgeError MALFORMED_FRAME */
export function decodeStreamData(type: number, body: Buffer): StreamData {
  return decodingFrame(type, () => {
    const reader = new BinaryReader(body);
    return { kind: 'streamData', id: reader.u32(), data: reader.raw(reader.remaining) };
  });
}
