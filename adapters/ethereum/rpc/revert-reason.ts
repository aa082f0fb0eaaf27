import { toHex } from '@concordat/std';

const errorSelector = '08c379a0';
const panicSelector = '4e487b71';

/** Solidity's panic codes (Solidity documentation, "Panic via assert and Error via require"). */
const panicReasons: ReadonlyMap<bigint, string> = new Map([
  [0x00n, 'generic panic'],
  [0x01n, 'assert(false)'],
  [0x11n, 'arithmetic underflow or overflow'],
  [0x12n, 'division or modulo by zero'],
  [0x21n, 'enum overflow'],
  [0x22n, 'invalid encoded storage byte array accessed'],
  [0x31n, 'out-of-bounds array access; popping on an empty array'],
  [0x32n, 'out-of-bounds access of an array or bytesN'],
  [0x41n, 'out of memory'],
  [0x51n, 'uninitialized function'],
]);

/**
 * The reason in revert data: the text of `Error(string)`, the meaning of `Panic(uint256)`;
 * undefined for custom errors and anything that is not exactly encoded.
 */
export function revertReason(data: Uint8Array): string | undefined {
  const selector = toHex(data.subarray(0, 4));
  const body = data.subarray(4);
  if (selector === errorSelector) return errorText(body);
  if (selector !== panicSelector || body.length !== 32) return undefined;
  const code = wordAt(body, 0);
  return panicReasons.get(code) ?? `unknown panic code: 0x${code.toString(16)}`;
}

function errorText(body: Uint8Array): string | undefined {
  if (body.length < 64 || wordAt(body, 0) !== 32n) return undefined;
  const length = wordAt(body, 32);
  if (length > BigInt(body.length - 64)) return undefined;
  return Buffer.from(body.subarray(64, 64 + Number(length))).toString('utf8');
}

const wordAt = (bytes: Uint8Array, at: number): bigint =>
  BigInt(`0x${toHex(bytes.subarray(at, at + 32))}`);
