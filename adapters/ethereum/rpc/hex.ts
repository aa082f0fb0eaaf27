import { toHex } from '@concordat/std';
import { invalidParameter } from './errors.ts';

/** `0x` and two lowercase digits a byte (the "unformatted data" of the execution APIs). */
export const toData = (bytes: Uint8Array): string => `0x${toHex(bytes)}`;

/** `0x` and the digits of a number without leading zeros (a "quantity"); zero is `0x0`. */
export const toQuantity = (value: number | bigint): string => `0x${value.toString(16)}`;

const quantityForm = /^0x(?:0|[1-9a-fA-F][0-9a-fA-F]*)$/;

/** Why a text is not a quantity, in Geth's words; undefined when it is. */
function quantityFault(text: string): string | undefined {
  if (text === '') return 'empty hex string';
  if (!text.startsWith('0x')) return 'hex string without 0x prefix';
  if (text === '0x') return 'hex string "0x"';
  if (quantityForm.test(text)) return undefined;
  return /^0x0+[0-9a-fA-F]*$/.test(text)
    ? 'hex number with leading zero digits'
    : 'invalid hex string';
}

/** Reads hex data of at most so many bytes. @throws RpcError INVALID_PARAMETERS */
export function readData(value: unknown, at: string, maxBytes: number): Uint8Array {
  if (typeof value !== 'string') throw invalidParameter(at, 'not a hex string');
  // Length first: a refusal must cost less than the work it refuses.
  if (value.length > 2 + 2 * maxBytes) {
    throw invalidParameter(at, `hex string of more than ${maxBytes} bytes`);
  }
  if (value === '') throw invalidParameter(at, 'empty hex string');
  if (!value.startsWith('0x')) throw invalidParameter(at, 'hex string without 0x prefix');
  if (value.length % 2 === 1) throw invalidParameter(at, 'hex string of odd length');
  // Decoding stops at the first character that is no digit, so the length tells.
  const bytes = Buffer.from(value.slice(2), 'hex');
  if (bytes.length !== value.length / 2 - 1) throw invalidParameter(at, 'invalid hex string');
  return bytes;
}

/** Reads hex data of exactly so many bytes. @throws RpcError INVALID_PARAMETERS */
export function readFixedData(value: unknown, at: string, bytes: number): Uint8Array {
  const data = readData(value, at, Math.max(bytes, 64));
  if (data.length !== bytes) {
    throw invalidParameter(at, `hex string has ${data.length} bytes, want ${bytes}`);
  }
  return data;
}

/** Reads an unsigned quantity of at most so many bits. @throws RpcError INVALID_PARAMETERS */
export function readQuantity(value: unknown, at: string, maxBits: number): bigint {
  if (typeof value !== 'string') throw invalidParameter(at, 'not a hex string');
  const digits = maxBits / 4;
  if (value.length > 2 + Math.max(digits, 64)) {
    throw invalidParameter(at, `hex number > ${maxBits} bits`);
  }
  const fault = quantityFault(value);
  if (fault !== undefined) throw invalidParameter(at, fault);
  if (value.length - 2 > digits) throw invalidParameter(at, `hex number > ${maxBits} bits`);
  return BigInt(value);
}

/** Reads a quantity that must be a safe integer. @throws RpcError INVALID_PARAMETERS */
export function readCount(value: unknown, at: string): number {
  const quantity = readQuantity(value, at, 64);
  if (quantity > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw invalidParameter(at, 'number beyond 2^53-1');
  }
  return Number(quantity);
}
