import { assert } from './errors.ts';

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A leader's term, from 1. */
export type View = Branded<number, 'View'>;
/** Position of a transaction in the ledger, from 1. */
export type Seqno = Branded<number, 'Seqno'>;
/** Position of a block in the ledger, from 1; 0 stands for "before the first block". */
export type Height = Branded<number, 'Height'>;
/** Number of a session key's period, from 1. */
export type Epoch = Branded<number, 'Epoch'>;
/** Identity of a validating node: 64 lowercase hex digits, SHA-256 of its public key's DER SPKI. */
export type NodeId = Branded<string, 'NodeId'>;
/** Identity of an actor: 64 lowercase hex digits, SHA-256 of its certificate's DER. */
export type ActorId = Branded<string, 'ActorId'>;
/** A SHA-256 digest, 32 bytes. */
export type Digest = Branded<Uint8Array, 'Digest'>;

const hex64 = /^[0-9a-f]{64}$/;

function count(value: number, what: string, least: number): number {
  assert(Number.isSafeInteger(value) && value >= least, `${what} out of range: ${value}`);
  return value;
}

/** Brands a view number (an integer from 0; 0 = no view yet). */
export const toView = (value: number): View => count(value, 'view', 0) as View;
/** Brands a seqno (an integer from 0; 0 = before the first). */
export const toSeqno = (value: number): Seqno => count(value, 'seqno', 0) as Seqno;
/** Brands a block height (an integer from 0; 0 = before the first). */
export const toHeight = (value: number): Height => count(value, 'height', 0) as Height;
/** Brands an epoch number (an integer from 0; 0 = none yet). */
export const toEpoch = (value: number): Epoch => count(value, 'epoch', 0) as Epoch;

/** Whether the value is 64 lowercase hex digits, the shape of node and actor identities. */
export const isHex64 = (value: unknown): value is string =>
  typeof value === 'string' && hex64.test(value);

/** Brands a node identity; asserts its shape, so check foreign input with {@link isHex64} first. */
export function toNodeId(value: string): NodeId {
  assert(isHex64(value), 'node id is not 64 lowercase hex digits');
  return value as NodeId;
}

/** Brands an actor identity; asserts its shape, so check foreign input with {@link isHex64} first. */
export function toActorId(value: string): ActorId {
  assert(isHex64(value), 'actor id is not 64 lowercase hex digits');
  return value as ActorId;
}

/** Brands 32 bytes as a digest; asserts the length. */
export function toDigest(value: Uint8Array): Digest {
  assert(value.length === 32, `digest of ${value.length} bytes`);
  return value as Digest;
}

/** A transaction id as users see it: `view.seqno`. */
export const formatTransactionId = (view: number, seqno: number): string => `${view}.${seqno}`;

/** Reads a transaction id `view.seqno`; undefined when it is not one. */
export function parseTransactionId(text: string): { view: View; seqno: Seqno } | undefined {
  const match = /^([1-9]\d{0,15})\.([1-9]\d{0,15})$/.exec(text);
  if (!match) return undefined;
  const [view, seqno] = [Number(match[1]), Number(match[2])];
  if (!Number.isSafeInteger(view) || !Number.isSafeInteger(seqno)) return undefined;
  return { view: view as View, seqno: seqno as Seqno };
}
