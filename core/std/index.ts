// Whoever compiles a room alone, an application for instance, needs what the rooms stand on.
/// <reference path="./buffer-natives.d.ts" />
export { BinaryReader, BinaryWriter, DecodeError, type DecodeErrorCode } from './binary.ts';
export {
  type ActorId,
  type Digest,
  type Epoch,
  formatTransactionId,
  type Height,
  isHex64,
  type NodeId,
  parseTransactionId,
  type Seqno,
  toActorId,
  toDigest,
  toEpoch,
  toHeight,
  toNodeId,
  toSeqno,
  toView,
  type View,
} from './brands.ts';
export {
  concatBytes,
  emptyBytes,
  equalBytes,
  fromBase64,
  fromHex,
  fromLatin1,
  fromUtf8,
  toBase64,
  toHex,
  toLatin1,
  utf8,
  viewOf,
} from './bytes.ts';
export { AssertionError, assert, CodedError } from './errors.ts';
export { RecentMap } from './recent-map.ts';
