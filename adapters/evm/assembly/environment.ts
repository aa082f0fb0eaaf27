// What operations read of the block and the transaction around them. All areas are static, so
// pointers into them are good for the life of the instance.

/** Block area, 192 bytes, as the exchange format describes it. */
export const blockArea: usize = memory.data(192, 16);

/** One bit per address 0 to 511: which of them are precompiles. */
export const precompileBits: usize = memory.data(64, 16);

/** Effective gas price, a word. */
export const gasPriceWord: usize = memory.data(32, 16);

/** Sender of the transaction, a word. */
export const originWord: usize = memory.data(32, 16);

/** Coinbase of the block, a word. */
export const coinbaseWord: usize = memory.data(32, 16);

/** Where the blob hashes are, 32 raw bytes each. */
export let blobHashes: usize = 0;

/** Number of blob hashes. */
export let blobHashCount: u32 = 0;

/** Sets the versioned hashes of the transaction's blobs; `count` times 32 raw bytes. */
export function setBlobHashes(hashes: usize, count: u32): void {
  blobHashes = hashes;
  blobHashCount = count;
}

/** Revision whose rules are in force: 0 is Frontier, 14 Osaka. */
export let revision: i32 = 0;

/** Selects the revision; `configureGas` must follow. */
export function setRevision(number: i32): void {
  revision = number;
}

export const chainIdWord: usize = blockArea;
export const blockNumberAt: usize = blockArea + 64;
export const timestampAt: usize = blockArea + 72;
export const blockGasLimitAt: usize = blockArea + 80;
export const randomWord: usize = blockArea + 96;
export const baseFeeWord: usize = blockArea + 128;
export const blobBaseFeeWord: usize = blockArea + 160;

// Revisions in their order.
export const homestead: i32 = 1;
export const tangerineWhistle: i32 = 2;
export const spuriousDragon: i32 = 3;
export const byzantium: i32 = 4;
export const constantinople: i32 = 5;
export const petersburg: i32 = 6;
export const istanbul: i32 = 7;
export const berlin: i32 = 8;
export const london: i32 = 9;
export const paris: i32 = 10;
export const shanghai: i32 = 11;
export const cancun: i32 = 12;
export const prague: i32 = 13;
export const osaka: i32 = 14;
