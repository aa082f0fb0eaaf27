// The log of a transfer of value (EIP-7708).
import { addressOf, emitLog } from './state';
import { systemAddress } from './system-address';
import { loadAddress, loadBytes, storeBytes } from './word';

/** keccak256 of Transfer(address,address,uint256). */
const transferTopic: usize = memory.data<u8>([
  0xdd, 0xf2, 0x52, 0xad, 0x1b, 0xe2, 0xc8, 0x9b, 0x69, 0xc2, 0xb0, 0x68, 0xfc, 0x37, 0x8d, 0xaa,
  0x95, 0x2b, 0xa7, 0xf1, 0x63, 0xc4, 0xa1, 0x16, 0x28, 0xf5, 0x5a, 0x4d, 0xf5, 0x23, 0xb3, 0xef,
]);

const topics: usize = memory.data(96, 16);
const data: usize = memory.data(32, 16);

/** Emits the log of a transfer between two accounts; none when they are one. */
export function logTransfer(from: usize, to: usize, value: usize): void {
  if (from == to) return;
  loadBytes(topics, transferTopic);
  loadAddress(topics + 32, addressOf(from));
  loadAddress(topics + 64, addressOf(to));
  storeBytes(data, value);
  emitLog(systemAddress, topics, 3, data, 32);
}
