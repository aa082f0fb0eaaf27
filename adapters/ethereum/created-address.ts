import { toMinimalBytes } from '@concordat/evm';
import { keccak256 } from './crypto.ts';
import { encodeRlp } from './rlp.ts';

/** Address of a contract made by CREATE or a transaction, 20 bytes. */
export function createdAddress(creator: Uint8Array, nonce: bigint): Uint8Array {
  return keccak256(encodeRlp([creator, toMinimalBytes(nonce)])).subarray(12);
}
