import { isUtf8 } from 'node:buffer';
import type { Key } from '@concordat/kv';

/** Operations of the binary request, by their first byte. */
export const operations = { put: 1, get: 2, delete: 3 } as const;

/** Added to the operation: answer once executed, before the commit. */
export const waitLocal = 0x80;

/** Added to a get: answer from a state as new as everything committed anywhere, or refuse. */
export const linearizable = 0x40;

/** u8 operation, u16 key length. */
const headBytes = 3;

/** A parsed request. */
export interface KeyvalueRequest {
  readonly operation: number;
  readonly local: boolean;
  readonly linearizable: boolean;
  /** Binary string of the key's UTF-8 bytes. */
  readonly key: Key;
  /** View into the request; empty for `get` and `delete`. */
  readonly value: Buffer;
}

/** Bounds of keys and values in bytes, from the constitution. */
export interface KeyvalueLimits {
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
}

/** Why a request was refused, as a code of the catalogue and a sentence. */
export interface Misfit {
  readonly code: 'INVALID_TRANSACTION' | 'INVALID_PARAMETER' | 'PAYLOAD_TOO_LARGE';
  readonly message: string;
}

/** u8 operation | u16 key length | key (UTF-8) | value. */
export function encodeRequest(operation: number, key: string, value?: Uint8Array): Buffer {
  const keyBytes = Buffer.byteLength(key);
  const bytes = Buffer.allocUnsafe(headBytes + keyBytes + (value?.length ?? 0));
  bytes[0] = operation;
  bytes.writeUInt16BE(keyBytes, 1);
  bytes.write(key, headBytes, 'utf8');
  if (value !== undefined) bytes.set(value, headBytes + keyBytes);
  return bytes;
}

const tooShort: Misfit = { code: 'INVALID_TRANSACTION', message: 'the request is truncated' };
const badOperation: Misfit = { code: 'INVALID_TRANSACTION', message: 'unknown operation' };
const badKey: Misfit = { code: 'INVALID_PARAMETER', message: 'a key is 1 or more bytes of UTF-8' };
const noValueHere: Misfit = {
  code: 'INVALID_TRANSACTION',
  message: 'only a put carries a value',
};

/** Reads a binary request; a misfit when it does not have the form or is too large. */
export function parseRequest(bytes: Buffer, limits: KeyvalueLimits): KeyvalueRequest | Misfit {
  if (bytes.length < headBytes) return tooShort;
  const first = bytes[0] as number;
  const isLinearizable = (first & ~waitLocal) === (operations.get | linearizable);
  const operation = isLinearizable ? operations.get : first & ~waitLocal;
  if (operation < operations.put || operation > operations.delete) return badOperation;
  const keyEnd = headBytes + (((bytes[1] as number) << 8) | (bytes[2] as number));
  if (keyEnd > bytes.length) return tooShort;
  const keyLength = keyEnd - headBytes;
  if (keyLength === 0 || !isUtf8(bytes.subarray(headBytes, keyEnd))) return badKey;
  if (keyLength > limits.maxKeyBytes) {
    return { code: 'PAYLOAD_TOO_LARGE', message: `a key has at most ${limits.maxKeyBytes} bytes` };
  }
  const value = bytes.subarray(keyEnd);
  if (value.length > 0 && operation !== operations.put) return noValueHere;
  if (value.length > limits.maxValueBytes) {
    const message = `a value has at most ${limits.maxValueBytes} bytes`;
    return { code: 'PAYLOAD_TOO_LARGE', message };
  }
  const key = bytes.toString('latin1', headBytes, keyEnd);
  return { operation, local: first >= waitLocal, linearizable: isLinearizable, key, value };
}

/** Whether parsing failed. */
export const isMisfit = (parsed: KeyvalueRequest | Misfit): parsed is Misfit => 'code' in parsed;
