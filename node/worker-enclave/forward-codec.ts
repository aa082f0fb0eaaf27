import { isErrorCode } from '@concordat/api';
import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';
import type { LedgerAdapter, Refused, Submitted, Wait } from './adapter.ts';
import { refusal } from './submission.ts';

/** A submission that travels to the leader's worker. */
export interface ForwardRequest {
  readonly adapterId: string;
  readonly wait: Wait;
  readonly raw: Uint8Array;
}

const writer = new BinaryWriter();

/** text adapter id | u8 wait (0 commit, 1 local) | the request. */
export const encodeForwardRequest = ({ adapterId, wait, raw }: ForwardRequest): Uint8Array =>
  writer
    .text(adapterId)
    .u8(wait === 'local' ? 1 : 0)
    .raw(raw)
    .take();

/** @throws DecodeError */
export function decodeForwardRequest(bytes: Uint8Array): ForwardRequest {
  const reader = new BinaryReader(bytes);
  const adapterId = reader.text(64);
  const wait = reader.u8();
  if (wait > 1) throw new DecodeError('INVALID', `wait ${wait}`);
  return { adapterId, wait: wait === 1 ? 'local' : 'commit', raw: reader.raw(reader.remaining) };
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
  const { result } = answer;
  const encoded = adapter?.encodeResult
    ? adapter.encodeResult(result)
    : Buffer.from(JSON.stringify(result ?? null));
  return writer
    .text(answer.transactionId ?? '')
    .raw(encoded)
    .take();
}

/** Reads a success. @throws DecodeError */
export function decodeReply(
  adapter: LedgerAdapter,
  reply: Uint8Array,
  height: number,
): Submitted<unknown> {
  const reader = new BinaryReader(reply);
  const transactionId = reader.text(64);
  const bytes = reader.raw(reader.remaining);
  const result: unknown = adapter.decodeResult
    ? adapter.decodeResult(bytes)
    : JSON.parse(bytes.toString('utf8'));
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
