import { fromHex } from '@concordat/std';
import { EthereumError } from './errors.ts';

/** Bytes of 0x-prefixed hex, of odd length too. @throws EthereumError MALFORMED */
export function hexBytes(hex: string): Uint8Array {
  const digits = hex.slice(2);
  const bytes = hex.startsWith('0x')
    ? fromHex(digits.length % 2 === 0 ? digits : `0${digits}`)
    : undefined;
  if (bytes === undefined) throw new EthereumError('MALFORMED', 'not 0x-prefixed hex');
  return bytes;
}
