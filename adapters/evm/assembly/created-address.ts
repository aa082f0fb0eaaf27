// Addresses of contracts that are made (Yellow Paper, section 7).
import { keccak256 } from './keccak';
import { storeBytes } from './word';

const scratch: usize = memory.data(128, 16);

/** Address of a contract made by CREATE or a transaction; 20 raw bytes, good until the next one. */
export function createdAddress(creator: usize, nonce: u64): usize {
  // The RLP list of 20 bytes and a number of at most 8, big-endian, in `scratch + 32`.
  const list = scratch + 32;
  let bytes: i32 = 0;
  if (nonce >= 0x80) bytes = 8 - (<i32>clz<u64>(nonce) >> 3);
  store<u8>(list, 0xc0 + 22 + bytes);
  store<u8>(list, 0x94, 1);
  memory.copy(list + 2, creator, 20);
  if (bytes == 0) {
    store<u8>(list, nonce == 0 ? 0x80 : <u8>nonce, 22);
  } else {
    store<u8>(list, 0x80 + bytes, 22);
    store<u64>(list, bswap<u64>(nonce << (64 - ((<u64>bytes) << 3))), 23);
  }
  keccak256(scratch, list, 23 + bytes);
  return scratch + 12;
}

/** Address of a contract made by CREATE2 (EIP-1014) with a salt, a word, and its init code. */
export function saltedAddress(creator: usize, salt: usize, code: usize, length: i32): usize {
  const preimage = scratch + 32;
  store<u8>(preimage, 0xff);
  memory.copy(preimage + 1, creator, 20);
  storeBytes(scratch, salt);
  memory.copy(preimage + 21, scratch, 32);
  keccak256(scratch, code, length);
  memory.copy(preimage + 53, scratch, 32);
  keccak256(scratch, preimage, 85);
  return scratch + 12;
}
