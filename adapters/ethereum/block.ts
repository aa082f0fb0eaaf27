import { type EvmLog, toMinimalBytes } from '@concordat/evm';
import { RecentMap } from '@concordat/std';
import type { HeaderView } from './chain-reader.ts';
import { keccak256 } from './crypto.ts';
import type { ForkRules } from './fork.ts';
import { emptyTrieRoot } from './ordered-trie.ts';
import { encodeRlp } from './rlp.ts';

/**
 * The state root in every header of a normal chain. No state trie is kept: what a block changed is
 * proved by the ledger's own receipts. 32 zero bytes cannot be mistaken for a root, since no trie
 * hashes to them.
 */
export const noStateRoot: Uint8Array = new Uint8Array(32);

/** keccak256 of an empty uncle list, as in every block since the merge. */
export const noUnclesHash: Uint8Array = keccak256(encodeRlp([]));

/** Bytes of a bloom filter. */
export const bloomBytes = 256;

// Emitters and topics repeat; one hash each.
const bloomBits = new RecentMap<string, readonly [number, number, number]>(65_536);

function bitsOf(item: Uint8Array): readonly [number, number, number] {
  const key = Buffer.prototype.latin1Slice.call(item, 0, item.length);
  const known = bloomBits.get(key);
  if (known !== undefined) return known;
  const hash = keccak256(item);
  const bit = (at: number): number =>
    (((hash[at] as number) << 8) | (hash[at + 1] as number)) & 2047;
  const bits = [bit(0), bit(2), bit(4)] as const;
  bloomBits.set(key, bits);
  return bits;
}

/** Adds an emitter or topic to a filter (Yellow Paper, 4.3.1). */
export function addToBloom(bloom: Uint8Array, item: Uint8Array): void {
  for (const bit of bitsOf(item)) {
    const at = bloomBytes - 1 - (bit >> 3);
    bloom[at] = (bloom[at] as number) | (1 << (bit & 7));
  }
}

/** Whether a filter may contain an emitter or topic. */
export function bloomMayHold(bloom: Uint8Array, item: Uint8Array): boolean {
  return bitsOf(item).every(
    (bit) => ((bloom[bloomBytes - 1 - (bit >> 3)] as number) & (1 << (bit & 7))) !== 0,
  );
}

/** What of a log goes into filters. */
type FilteredLog = Pick<EvmLog, 'address' | 'topics'>;

/** Adds all emitters and topics of some logs to a filter. */
export function addLogsToBloom(bloom: Uint8Array, logs: readonly FilteredLog[]): void {
  for (const { address, topics } of logs) {
    addToBloom(bloom, address);
    for (const topic of topics) addToBloom(bloom, topic);
  }
}

/** Filter over all emitters and topics of some logs; not to be written to. */
export function bloomOf(logs: readonly FilteredLog[]): Uint8Array {
  if (logs.length === 0) return emptyBloom;
  const bloom = new Uint8Array(bloomBytes);
  addLogsToBloom(bloom, logs);
  return bloom;
}

const emptyBloom = new Uint8Array(bloomBytes);

/** What a receipt's consensus form says; the filter follows from the logs. */
export interface ConsensusReceipt {
  readonly type: number;
  readonly status: 0 | 1;
  readonly cumulativeGasUsed: number;
  readonly logs: readonly EvmLog[];
}

/** EIP-2718 form of a receipt, the leaf of the receipts root (since Byzantium: with status). */
export function encodeReceipt(receipt: ConsensusReceipt): Uint8Array {
  return encodeRlp(
    [
      receipt.status === 1 ? one : none,
      toMinimalBytes(BigInt(receipt.cumulativeGasUsed)),
      bloomOf(receipt.logs),
      receipt.logs.map((log) => [log.address, log.topics, log.data]),
    ],
    receipt.type === 0 ? undefined : receipt.type,
  );
}

const one = Uint8Array.of(1);
const none = new Uint8Array(0);

/** RLP of a header; fields of later forks follow as far as they are present. */
export function encodeHeader(header: HeaderView): Uint8Array {
  const number = (value: number | bigint): Uint8Array => toMinimalBytes(BigInt(value));
  const later = [
    header.baseFeePerGas === undefined ? undefined : number(header.baseFeePerGas),
    header.withdrawalsRoot,
    header.blobGasUsed === undefined ? undefined : number(header.blobGasUsed),
    header.excessBlobGas === undefined ? undefined : number(header.excessBlobGas),
    header.parentBeaconBlockRoot,
    header.requestsHash,
    header.blockAccessListHash,
    header.slotNumber === undefined ? undefined : number(header.slotNumber),
  ];
  const present: Uint8Array[] = [];
  for (const field of later) {
    if (field === undefined) break;
    present.push(field);
  }
  return encodeRlp([
    header.parentHash,
    header.unclesHash,
    header.coinbase,
    header.stateRoot,
    header.transactionsRoot,
    header.receiptsRoot,
    header.logsBloom,
    number(header.difficulty),
    number(header.number),
    number(header.gasLimit),
    number(header.gasUsed),
    number(header.timestamp),
    header.extraData,
    header.mixHash,
    header.nonce,
    ...present,
  ]);
}

/**
 * Fields that a fork added to the header, with the values of a chain without validators; no list of
 * a block's accesses (EIP-7928) is made.
 */
export function laterHeaderFields(
  rules: Pick<ForkRules, 'london' | 'shanghai' | 'cancun' | 'prague' | 'amsterdam'>,
  baseFee: bigint,
): Partial<HeaderView> {
  return {
    ...(rules.london ? { baseFeePerGas: baseFee } : {}),
    ...(rules.shanghai ? { withdrawalsRoot: emptyTrieRoot } : {}),
    ...(rules.cancun
      ? { blobGasUsed: 0n, excessBlobGas: 0n, parentBeaconBlockRoot: new Uint8Array(32) }
      : {}),
    ...(rules.prague ? { requestsHash: emptyRequestsHash } : {}),
    ...(rules.amsterdam ? { blockAccessListHash: new Uint8Array(32), slotNumber: 0n } : {}),
  };
}

/** SHA-256 of nothing: the hash of no requests (EIP-7685). */
const emptyRequestsHash: Uint8Array = Buffer.from(
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'hex',
);

/** Base fee of the next block in wei (EIP-1559). */
export function nextBaseFee(parent: {
  readonly baseFee: bigint;
  readonly gasUsed: number;
  readonly gasLimit: number;
}): bigint {
  const target = BigInt(Math.floor(parent.gasLimit / 2));
  const used = BigInt(parent.gasUsed);
  const { baseFee } = parent;
  if (used === target || target === 0n) return baseFee;
  if (used > target) {
    const rise = (baseFee * (used - target)) / target / 8n;
    return baseFee + (rise > 0n ? rise : 1n);
  }
  return baseFee - (baseFee * (target - used)) / target / 8n;
}

/** Base fee of a chain's first block with fees: 1 gwei. */
export const initialBaseFee = 1_000_000_000n;
