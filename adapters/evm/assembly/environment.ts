// What operations read of the block and the transaction around them. All areas are static, so
// pointers into them are good for the life of the instance.

/** Block area, 208 bytes, as the exchange format describes it. */
export const blockArea: usize = memory.data(208, 16);

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

/** Revision whose rules are in force: 0 is Frontier, 15 Amsterdam. */
export let revision: i32 = 0;

/** Selects the revision; `configureGas` must follow. */
export function setRevision(number: i32): void {
  revision = number;
}

/** Chain id, a word. */
export const chainIdWord: usize = blockArea;
/** Number of the block, u64. */
export const blockNumberAt: usize = blockArea + 64;
/** Unix seconds, u64. */
export const timestampAt: usize = blockArea + 72;
/** Gas limit of the block, u64. */
export const blockGasLimitAt: usize = blockArea + 80;
/** What 0x44 pushes, a word: difficulty, since Paris the random value (EIP-4399). */
export const randomWord: usize = blockArea + 96;
/** Base fee per gas in wei, a word. */
export const baseFeeWord: usize = blockArea + 128;
/** Base fee per blob gas in wei, a word. */
export const blobBaseFeeWord: usize = blockArea + 160;
/** Slot of the beacon chain, u64. */
export const slotNumberAt: usize = blockArea + 192;

// Revisions in their order.
/** EIP-2 and 7. */
export const homestead: i32 = 1;
/** EIP-150. */
export const tangerineWhistle: i32 = 2;
/** EIP-155, 160, 161 and 170. */
export const spuriousDragon: i32 = 3;
/** EIP-140, 196, 197, 198, 211 and 214. */
export const byzantium: i32 = 4;
/** EIP-145, 1014, 1052 and 1283. */
export const constantinople: i32 = 5;
/** Without EIP-1283. */
export const petersburg: i32 = 6;
/** EIP-152, 1108, 1344, 1884, 2028 and 2200. */
export const istanbul: i32 = 7;
/** EIP-2565, 2929 and 2930. */
export const berlin: i32 = 8;
/** EIP-1559, 3198, 3529 and 3541. */
export const london: i32 = 9;
/** EIP-3675 and 4399. */
export const paris: i32 = 10;
/** EIP-3651, 3855 and 3860. */
export const shanghai: i32 = 11;
/** EIP-1153, 4788, 4844, 5656, 6780 and 7516. */
export const cancun: i32 = 12;
/** EIP-2537, 2935, 7623 and 7702. */
export const prague: i32 = 13;
/** EIP-7825, 7883, 7823, 7939 and 7951. */
export const osaka: i32 = 14;
/** A draft: EIP-2780, 7708, 7843, 7954, 7976, 7981, 8024, 8037, 8038 and 8246. */
export const amsterdam: i32 = 15;
