// Prices by revision (Yellow Paper, appendix G and H, and the EIPs since). All are set by
// `configureGas` and read by the operations.
import {
  amsterdam,
  berlin,
  byzantium,
  cancun,
  constantinople,
  homestead,
  istanbul,
  london,
  osaka,
  revision,
  shanghai,
  spuriousDragon,
  tangerineWhistle,
} from './environment';

/**
 * One entry of 8 bytes per operation: u16 base fee; u16 bytes it takes off the stack; u16 bytes of
 * stack that there may be below those, so that one comparison finds too few and too many words; i16
 * bytes by which it moves the top (up when the stack gets shorter). An operation that the revision
 * lacks takes 0xffff bytes, more than any stack has.
 */
export const operationTable: usize = memory.data(2048, 16);

/** Bytes of a stack: 1,024 words. */
export const stackBytes: i32 = 32768;

/** Bytes taken by an operation that does not exist. */
export const absent: i32 = 0xffff;

/** Each word of memory, before the quadratic part. */
export const memoryWordGas: i64 = 3;
/** Divisor of the square of the words of memory. */
export const memoryQuadratic: i64 = 512;
/** Each word of a copy. */
export const copyWordGas: i64 = 3;
/** Each word of what KECCAK256 or CREATE2 hashes. */
export const keccakWordGas: i64 = 6;
/** Each topic of a log. */
export const logTopicGas: i64 = 375;
/** Each byte of a log's data. */
export const logByteGas: i64 = 8;
/** A call that makes an account; state gas in its place since EIP-8037. */
export const newAccountGas: i64 = 25000;
/** What the callee gets besides with value. */
export const callStipend: i64 = 2300;
/** Each byte of deployed code. */
export const codeByteGas: i64 = 200;
/** A slot from zero to something, before net metering. */
export const sstoreSetGas: i64 = 20000;
/** A slot otherwise changed, before net metering. */
export const sstoreResetGas: i64 = 5000;
/** EIP-2200: with no more than this left nothing is stored. */
export const sstoreSentry: i64 = 2300;
/** First access to a slot (EIP-2929). */
export const coldSlotGas: i64 = 2100;
/** Each later access (EIP-2929). */
export const warmGas: i64 = 100;

/** A call with value; with a write to the account since EIP-8038. */
export let callValueGas: i64 = 9000;
/** A self-destruction that makes an account. */
export let heirGas: i64 = 25000;
/** First access to an account (EIP-2929, 8038). */
export let coldAccountGas: i64 = 2600;
/** Longest code (EIP-170, 7954). */
export let maxCodeBytes: i32 = 24576;
/** Longest init code (EIP-3860, 7954). */
export let maxInitCodeBytes: i32 = 49152;
/** Per byte of the exponent; 10 before EIP-160. */
export let expByteGas: i64 = 10;
/** EIP-3860; 0 before. */
export let initCodeWordGas: i64 = 0;
/** Refund of a self-destruction; 0 since London (EIP-3529). */
export let selfdestructRefund: i64 = 24000;
/** How stores are priced: one of the three below. */
export let storePricing: i32 = 0;
/** By what the slot holds. */
export const plainPricing: i32 = 0;
/** By the net change in the transaction (EIP-1283 and 2200). */
export const netPricing: i32 = 1;
/** By the net change, and in state gas for a new slot (EIP-8037, 8038). */
export const statePricing: i32 = 2;
/** A store that changes nothing. */
export let sstoreNoop: i64 = 0;
/** First change of a slot that held something. */
export let sstoreClean: i64 = 0;
/** A slot changed before in the transaction. */
export let sstoreDirty: i64 = 0;
/** Refund of a slot set to zero. */
export let sstoreClearRefund: i64 = 15000;
/** Refund of a slot that is zero again. */
export let sstoreInitRefund: i64 = 0;
/** Refund of a slot that holds its original value again. */
export let sstoreCleanRefund: i64 = 0;

/** Sets all prices for the revision of the environment. */
export function configureGas(): void {
  expByteGas = revision >= spuriousDragon ? 50 : 10;
  initCodeWordGas = revision >= shanghai ? 2 : 0;
  selfdestructRefund = revision >= london ? 0 : 24000;
  storePricing = revision >= istanbul || revision == constantinople ? netPricing : plainPricing;
  // EIP-2929 lowers the prices of a store by what it charges for the access.
  sstoreNoop = revision >= berlin ? 100 : revision >= istanbul ? 800 : 200;
  sstoreDirty = sstoreNoop;
  sstoreClean = revision >= berlin ? 2900 : 5000;
  sstoreClearRefund = revision >= london ? 4800 : 15000;
  sstoreInitRefund = sstoreSetGas - sstoreNoop;
  sstoreCleanRefund = sstoreClean - sstoreNoop;
  configureAmsterdam(revision >= amsterdam);
  configureOperations();
}

/** EIP-7954, 8037 and 8038, or what was before them. */
function configureAmsterdam(isActive: bool): void {
  callValueGas = isActive ? 11300 : 9000;
  heirGas = isActive ? 9000 : 25000;
  coldAccountGas = isActive ? 3000 : 2600;
  maxCodeBytes = isActive ? 65536 : 24576;
  maxInitCodeBytes = isActive ? 131072 : 49152;
  if (!isActive) return;
  storePricing = statePricing;
  sstoreClean = 10000;
  sstoreClearRefund = 11616;
}

/** Describes operations from `first` to `last`: words taken off the stack, words put there. */
function describe(first: i32, last: i32, fee: u32, taken: i32, given: i32): void {
  for (let operation = first; operation <= last; operation++) {
    const entry = operationTable + ((<usize>operation) << 3);
    store<u16>(entry, <u16>fee);
    store<u16>(entry, <u16>(taken << 5), 2);
    store<u16>(entry, <u16>(stackBytes - (max(taken, given) << 5)), 4);
    store<i16>(entry, <i16>((taken - given) << 5), 6);
  }
}

function configureOperations(): void {
  for (let operation = 0; operation < 256; operation++) {
    store<u64>(operationTable + ((<usize>operation) << 3), (<u64>absent) << 16);
  }
  describeComputation();
  describeEnvironment();
  describeFlow();
  describeCalls();
}

function describeComputation(): void {
  describe(0x00, 0x00, 0, 0, 0);
  describe(0x01, 0x01, 3, 2, 1);
  describe(0x02, 0x02, 5, 2, 1);
  describe(0x03, 0x03, 3, 2, 1);
  describe(0x04, 0x07, 5, 2, 1);
  describe(0x08, 0x09, 8, 3, 1);
  describe(0x0a, 0x0a, 10, 2, 1);
  describe(0x0b, 0x0b, 5, 2, 1);
  describe(0x10, 0x14, 3, 2, 1);
  describe(0x15, 0x15, 3, 1, 1);
  describe(0x16, 0x18, 3, 2, 1);
  describe(0x19, 0x19, 3, 1, 1);
  describe(0x1a, 0x1a, 3, 2, 1);
  if (revision >= constantinople) describe(0x1b, 0x1d, 3, 2, 1);
  if (revision >= osaka) describe(0x1e, 0x1e, 5, 1, 1);
  describe(0x20, 0x20, 30, 2, 1);
}

function describeEnvironment(): void {
  // What reads an account: EIP-150 and 1884 raised it, EIP-2929 made it dynamic.
  const reads: u32 = revision >= berlin ? 0 : revision >= tangerineWhistle ? 700 : 20;
  let balance: u32 = 20;
  if (revision >= tangerineWhistle) balance = 400;
  if (revision >= istanbul) balance = 700;
  if (revision >= berlin) balance = 0;
  describe(0x30, 0x30, 2, 0, 1);
  describe(0x31, 0x31, balance, 1, 1);
  describe(0x32, 0x34, 2, 0, 1);
  describe(0x35, 0x35, 3, 1, 1);
  describe(0x36, 0x36, 2, 0, 1);
  describe(0x37, 0x37, 3, 3, 0);
  describe(0x38, 0x38, 2, 0, 1);
  describe(0x39, 0x39, 3, 3, 0);
  describe(0x3a, 0x3a, 2, 0, 1);
  // EIP-8038: code is read besides the account.
  const codeReads: u32 = revision >= amsterdam ? 100 : reads;
  describe(0x3b, 0x3b, codeReads, 1, 1);
  describe(0x3c, 0x3c, codeReads, 4, 0);
  if (revision >= byzantium) {
    describe(0x3d, 0x3d, 2, 0, 1);
    describe(0x3e, 0x3e, 3, 3, 0);
  }
  if (revision >= constantinople) describe(0x3f, 0x3f, balance, 1, 1);
  describe(0x40, 0x40, 20, 1, 1);
  describe(0x41, 0x45, 2, 0, 1);
  if (revision >= istanbul) {
    describe(0x46, 0x46, 2, 0, 1);
    describe(0x47, 0x47, 5, 0, 1);
  }
  if (revision >= london) describe(0x48, 0x48, 2, 0, 1);
  if (revision >= cancun) {
    describe(0x49, 0x49, 3, 1, 1);
    describe(0x4a, 0x4a, 2, 0, 1);
  }
  if (revision >= amsterdam) describe(0x4b, 0x4b, 2, 0, 1);
}

function describeFlow(): void {
  let loads: u32 = 50;
  if (revision >= tangerineWhistle) loads = 200;
  if (revision >= istanbul) loads = 800;
  if (revision >= berlin) loads = 0;
  describe(0x50, 0x50, 2, 1, 0);
  describe(0x51, 0x51, 3, 1, 1);
  describe(0x52, 0x53, 3, 2, 0);
  describe(0x54, 0x54, loads, 1, 1);
  describe(0x55, 0x55, 0, 2, 0);
  describe(0x56, 0x56, 8, 1, 0);
  describe(0x57, 0x57, 10, 2, 0);
  describe(0x58, 0x5a, 2, 0, 1);
  describe(0x5b, 0x5b, 1, 0, 0);
  if (revision >= cancun) {
    describe(0x5c, 0x5c, 100, 1, 1);
    describe(0x5d, 0x5d, 100, 2, 0);
    describe(0x5e, 0x5e, 3, 3, 0);
  }
  if (revision >= shanghai) describe(0x5f, 0x5f, 2, 0, 1);
  describe(0x60, 0x7f, 3, 0, 1);
  for (let i = 0; i < 16; i++) {
    describe(0x80 + i, 0x80 + i, 3, i + 1, i + 2);
    describe(0x90 + i, 0x90 + i, 3, i + 2, i + 2);
  }
  // Their operands depend on the byte behind them (EIP-8024).
  if (revision >= amsterdam) describe(0xe6, 0xe8, 3, 0, 0);
  for (let i = 0; i < 5; i++) describe(0xa0 + i, 0xa0 + i, 375, i + 2, 0);
}

function describeCalls(): void {
  const calls: u32 = revision >= berlin ? 0 : revision >= tangerineWhistle ? 700 : 40;
  const creates: u32 = revision >= amsterdam ? 12000 : 32000;
  describe(0xf0, 0xf0, creates, 3, 1);
  describe(0xf1, 0xf2, calls, 7, 1);
  describe(0xf3, 0xf3, 0, 2, 0);
  if (revision >= homestead) describe(0xf4, 0xf4, calls, 6, 1);
  if (revision >= constantinople) describe(0xf5, 0xf5, creates, 4, 1);
  if (revision >= byzantium) {
    describe(0xfa, 0xfa, calls, 6, 1);
    describe(0xfd, 0xfd, 0, 2, 0);
  }
  describe(0xff, 0xff, revision >= tangerineWhistle ? 5000 : 0, 1, 0);
}
