import type { BinaryReader } from '@concordat/std';
import { readFlag } from './control.ts';
import type { EncodedFrame, FrameBuilder } from './frame-builder.ts';
import { maxCodeBytes, maxReasonBytes } from './snapshot-channel.ts';

/** A worker asks for a sealed request to be opened; answered once, by an `opened` of the same id. */
export interface OpenRequest {
  readonly kind: 'open';
  readonly id: number;
  /** Whether it came on a connection without a certificate. */
  readonly isStrangers: boolean;
  /** As it came. */
  readonly sealed: Uint8Array;
}

/** What was in it; or, with a code of the catalogue of `core/api`, why it was not opened. */
export interface OpenReply {
  readonly kind: 'opened';
  readonly id: number;
  readonly code?: string;
  /** Of the code, for whoever sent the request. */
  readonly message: string;
  /** Of whoever signed it: the output of `encodeIdentity`. */
  readonly identity: Uint8Array;
  /** What was signed, the manager has not looked at it. */
  readonly payload: Uint8Array;
  /** What the reply is sealed with, 32 bytes. */
  readonly secret: Uint8Array;
  /** Names the signed message, hex SHA-256. */
  readonly digest: string;
  /** Milliseconds since 1970, as its signer says. */
  readonly createdAtMs: number;
}

/** Frame type of {@link OpenRequest}. */
export const openType = 81;
/** Frame type of {@link OpenReply}. */
export const openedType = 81;

/** Writes the body of a frame that was begun with its type. */
export const writeOpen = (frame: FrameBuilder, message: OpenRequest): EncodedFrame =>
  frame.u32(message.id).flag(message.isStrangers).bytes(message.sealed).finish();

/** Reads it; the caller checks that nothing follows. @throws DecodeError */
export function readOpen(reader: BinaryReader): OpenRequest {
  const [id, isStrangers] = [reader.u32(), readFlag(reader)];
  return { kind: 'open', id, isStrangers, sealed: reader.bytes() };
}

/** Writes the body of a frame that was begun with its type. */
export function writeOpened(frame: FrameBuilder, message: OpenReply): EncodedFrame {
  const { id, code = '', message: why, identity, payload, secret, digest, createdAtMs } = message;
  frame.u32(id).text(code).text(why).bytes(identity).bytes(secret).text(digest);
  return frame.u64(createdAtMs).bytes(payload).finish();
}

/** Reads it; the caller checks that nothing follows. @throws DecodeError */
export function readOpened(reader: BinaryReader): OpenReply {
  const [id, code, message] = [
    reader.u32(),
    reader.text(maxCodeBytes),
    reader.text(maxReasonBytes),
  ];
  const [identity, secret, digest] = [reader.bytes(), reader.bytes(32), reader.text(64)];
  const createdAtMs = reader.u64();
  const opened = { identity, secret, digest, createdAtMs, payload: reader.bytes() };
  return { kind: 'opened', id, ...(code !== '' && { code }), message, ...opened };
}
