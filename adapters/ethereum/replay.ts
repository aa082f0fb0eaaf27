import { type BlockEnvironment, type BlockParents, blobBaseFee, type Fork } from '@concordat/evm';
import type { HeaderView } from './chain-reader.ts';
import type { ReplayConfig } from './config.ts';
import { hexBytes } from './hex.ts';

/** What the transactions of a replayed block see: the real header. */
export function replayContext(
  { header, blockHashes }: Omit<ReplayConfig, 'hash'>,
  fork: Fork,
): BlockEnvironment {
  const quantity = (name: string): bigint => BigInt(header[name] ?? 0);
  return {
    number: Number(quantity('number')),
    timestamp: Number(quantity('timestamp')),
    coinbase: hexBytes(header.coinbase as string),
    gasLimit: Number(quantity('gasLimit')),
    difficulty: quantity('difficulty'),
    prevRandao: quantity('mixHash'),
    baseFee: quantity('baseFeePerGas'),
    blobBaseFee: blobBaseFee(fork, quantity('excessBlobGas')),
    slotNumber: Number(quantity('slotNumber')),
    blockHash: (number) => blockHashes.get(Number(number)) ?? 0n,
  };
}

/** What the system calls at the start of a replayed block are told. */
export const replayParents = ({ header }: ReplayConfig): BlockParents => ({
  parentHash: hexBytes(header.parentHash as string),
  parentBeaconBlockRoot: hexBytes(header.parentBeaconBlockRoot ?? `0x${'00'.repeat(32)}`),
});

/** What this network's execution of a replayed block came to, to put beside the real header. */
export interface ReplayOutcome {
  readonly transactionsRoot: Uint8Array;
  readonly receiptsRoot: Uint8Array;
  readonly logsBloom: Uint8Array;
  readonly gasUsed: number;
}

/** The real header with what was computed here in place of what the miner claimed. */
export function replayHeader(replay: ReplayConfig, outcome: ReplayOutcome): HeaderView {
  const { header } = replay;
  const bytes = (name: string, length: number): Uint8Array =>
    header[name] === undefined ? new Uint8Array(length) : hexBytes(header[name]);
  const quantity = (name: string): bigint => BigInt(header[name] ?? 0);
  const later = (name: string, field: keyof HeaderView, number: boolean): Partial<HeaderView> =>
    header[name] === undefined ? {} : { [field]: number ? quantity(name) : hexBytes(header[name]) };
  return {
    parentHash: bytes('parentHash', 32),
    unclesHash: bytes('uncleHash', 32),
    coinbase: bytes('coinbase', 20),
    stateRoot: bytes('stateRoot', 32),
    ...outcome,
    difficulty: quantity('difficulty'),
    number: Number(quantity('number')),
    gasLimit: Number(quantity('gasLimit')),
    timestamp: Number(quantity('timestamp')),
    extraData: bytes('extraData', 0),
    mixHash: bytes('mixHash', 32),
    nonce: bytes('nonce', 8),
    ...later('baseFeePerGas', 'baseFeePerGas', true),
    ...later('withdrawalsRoot', 'withdrawalsRoot', false),
    ...later('blobGasUsed', 'blobGasUsed', true),
    ...later('excessBlobGas', 'excessBlobGas', true),
    ...later('parentBeaconBlockRoot', 'parentBeaconBlockRoot', false),
    ...later('requestsHash', 'requestsHash', false),
    ...later('blockAccessListHash', 'blockAccessListHash', false),
    ...later('slotNumber', 'slotNumber', true),
  };
}
