import { isErrorCode } from '@concordat/api';
import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';
import type { LedgerAdapter, Refused, Submitted, Wait } from './adapter.ts';
import type { RequestKey } from './request-key.ts';
import { refusal } from './submission.ts';

/** A submission that travels to the leader's worker. */
export interface ForwardRequest {
  readonly adapterId: string;
  readonly wait: Wait;
  readonly raw: Uint8Array;
  readonly key: RequestKey | undefined;
}

const writer = new BinaryWriter();

const localBit = 1;
const keyedBit = 2;
const sealedBit = 4;

/**
 * text adapter id | u8 bits (1: wait local, 2: keyed, 4: sealed, with 2 only) | if keyed: key id (32),
 * fingerprint (32) | if sealed: u64 when, ms | the request.
 */
export function encodeForwardRequest({ adapterId, wait, raw, key }: ForwardRequest): Uint8Array {
  const bits = (wait === 'local' ? localBit : 0) | (key === undefined ? 0 : keyedBit);
  const sealedAtMs = key?.sealedAtMs;
  writer.text(adapterId).u8(bits | (sealedAtMs === undefined ? 0 : sealedBit));
  if (key !== undefined) writer.raw(key.id).raw(key.fingerprint);
  if (sealedAtMs !== undefined) writer.u64(sealedAtMs);
  return writer.raw(raw).take();
}

/** @throws DecodeError */
export function decodeForwardRequest(bytes: Uint8Array): ForwardRequest {
  const reader = new BinaryReader(bytes);
  const adapterId = reader.text(64);
  const bits = reader.u8();
  const isSealed = (bits & sealedBit) !== 0;
  if (bits > 7 || (isSealed && !(bits & keyedBit)))
    throw new DecodeError('INVALID', `bits ${bits}`);
  const wait = bits & localBit ? 'local' : 'commit';
  const key = bits & keyedBit ? readKey(reader, isSealed) : undefined;
  return { adapterId, wait, key, raw: reader.raw(reader.remaining) };
}

function readKey(reader: BinaryReader, isSealed: boolean): RequestKey {
  const key = { id: reader.raw(32), fingerprint: reader.raw(32) };
  return isSealed ? { ...key, sealedAtMs: reader.u64() } : key;
}

/** What travels back: for success text transaction id | result, else JSON {code, message, details}. */
export function encodeReply(
  adapter: LedgerAdapter | undefined,
  answer: Submitted<unknown>,
): Uint8Array {
  if (!answer.ok) {
    const { code, message, details } = answer;
    return Buffer.from(JSON.stringify({ code, message, details }));
  }
  return writer
    .text(answer.transactionId ?? '')
    .raw(encodeResult(adapter, answer.result))
    .take();
}

/** A result as bytes, as its adapter has it or else as JSON. */
export const encodeResult = (adapter: LedgerAdapter | undefined, result: unknown): Uint8Array =>
  adapter?.encodeResult
    ? adapter.encodeResult(result)
    : Buffer.from(JSON.stringify(result ?? null));

/** Reads what {@link encodeResult} wrote. */
export const decodeResult = (adapter: LedgerAdapter, bytes: Uint8Array): unknown =>
  adapter.decodeResult
    ? adapter.decodeResult(bytes)
    : JSON.parse(Buffer.from(bytes).toString('utf8'));

/** Reads a success. @throws DecodeError */
export function decodeReply(
  adapter: LedgerAdapter,
  reply: Uint8Array,
  height: number,
): Submitted<unknown> {
  const reader = new BinaryReader(reply);
  const transactionId = reader.text(64);
  const result = decodeResult(adapter, reader.raw(reader.remaining));
  return transactionId === ''
    ? { ok: true, result, height }
    : { ok: true, result, transactionId, height };
}

/** Refusals of managers on the way that say: no leader took the request. */
const neverTaken = new Set(['NOT_LEADER', 'NO_LEADER', 'LEADER_UNKNOWN', 'FORWARDING_FAILED']);

/** Refusals of managers on the way that leave open whether the leader got the request. */
const wayBroke = new Set(['CHANNEL_FAILED', 'PEER_TIMEOUT']);

/** Whether a refusal proves that the transaction is in no block and may be sent again. */
export const wasNeverTaken = (refused: Refused): boolean => neverTaken.has(refused.code);

/**
 * Reads a refusal, from the leader's worker or from a manager on the way. A code that clients do
 * not know means that the way to the leader broke after the request was handed over.
 */
export function decodeRefusal(reply: Uint8Array): Refused {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(Buffer.from(reply).toString('utf8')) as Record<string, unknown>;
  } catch {
    return refusal('TRANSACTION_UNKNOWN', 'the answer of the leader could not be read');
  }
  const { code, message, details } = parsed;
  const known = typeof code === 'string' && (isErrorCode(code) || neverTaken.has(code));
  if (known && !wayBroke.has(code)) {
    const text = typeof message === 'string' ? message : code;
    return refusal(code, text, details as Record<string, unknown> | undefined);
  }
  return refusal('TRANSACTION_UNKNOWN', 'the way to the leader broke; the outcome is not known');
}
