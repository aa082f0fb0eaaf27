import { assert } from '@concordat/std';
import type { Fork } from './fork.ts';
import { revisions } from './fork.ts';
import { writeLimbs } from './quantities.ts';

/** What a transaction sees of the block it is in. Treat one as unchangeable once it was handed in. */
export interface BlockEnvironment {
  readonly number: number;
  /** Unix seconds. */
  readonly timestamp: number;
  /** 20 bytes. */
  readonly coinbase: Uint8Array;
  readonly gasLimit: number;
  /** Pushed by 0x44 before Paris. */
  readonly difficulty: bigint;
  /** Pushed by 0x44 since Paris (EIP-4399). */
  readonly prevRandao: bigint;
  /** 0 before London and on chains without fees. */
  readonly baseFee: bigint;
  readonly blobBaseFee: bigint;
  /** Slot of the beacon chain (EIP-7843); 0 when absent. */
  readonly slotNumber?: number;
  /**
   * Hash of an earlier block as a number; 0 when unknown. Asked for the 256 blocks before this one
   * only.
   */
  blockHash(number: bigint): bigint;
}

/** Writes a block's fields where the engine reads them, 208 bytes. */
export function writeBlock(
  memory: DataView,
  at: number,
  { chainId, fork, block, baseFee }: BlockFields,
): void {
  const { coinbase } = block;
  assert(coinbase.length === 20, 'an address has 20 bytes');
  writeLimbs(memory, at, chainId);
  for (let i = 0; i < 20; i++) memory.setUint8(at + 32 + i, coinbase[i] as number);
  memory.setBigUint64(at + 64, BigInt(block.number), true);
  memory.setBigUint64(at + 72, BigInt(block.timestamp), true);
  memory.setBigUint64(at + 80, BigInt(block.gasLimit), true);
  const seed = fork.revision >= revisions.paris ? block.prevRandao : block.difficulty;
  writeLimbs(memory, at + 96, seed);
  writeLimbs(memory, at + 128, baseFee);
  writeLimbs(memory, at + 160, block.blobBaseFee);
  memory.setBigUint64(at + 192, BigInt(block.slotNumber ?? 0), true);
}

/** What {@link writeBlock} writes. */
export interface BlockFields {
  readonly chainId: bigint;
  readonly fork: Fork;
  readonly block: BlockEnvironment;
  /** The block's own, or 0 for a call that pays nothing. */
  readonly baseFee: bigint;
}
