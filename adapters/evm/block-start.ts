import { assert, fromHex } from '@concordat/std';
import type { BlockEnvironment } from './block-environment.ts';
import type { Evm, SystemCall } from './evm.ts';
import { type Fork, revisions } from './fork.ts';
import type { EvmSink } from './host.ts';

function addressOf(digits: string): Uint8Array {
  const bytes = fromHex(digits);
  assert(bytes?.length === 20, 'an address has 20 bytes');
  return bytes;
}

/** Where the roots of the beacon chain are kept (EIP-4788); 20 bytes. */
export const beaconRootsAddress: Uint8Array = addressOf('000f3df6d732807ef1319fb7b8bb8522d0beac02');

/** Where the hashes of the last 8,191 blocks are kept (EIP-2935); 20 bytes. */
export const historyAddress: Uint8Array = addressOf('0000f90827f1c53a10cb7a02335b175320002935');

/** What a block knows of the one before it. */
export interface BlockParents {
  /** 32 bytes. */
  readonly parentHash: Uint8Array;
  /** 32 bytes; zero on a chain without a beacon chain. */
  readonly parentBeaconBlockRoot: Uint8Array;
}

/** Calls the protocol makes before the first transaction of a block, in order. */
export function callsAtBlockStart(fork: Fork, parents: BlockParents): readonly SystemCall[] {
  const { parentHash, parentBeaconBlockRoot } = parents;
  const { revision } = fork;
  return [
    ...(revision >= revisions.cancun
      ? [{ target: beaconRootsAddress, data: parentBeaconBlockRoot }]
      : []),
    ...(revision >= revisions.prague ? [{ target: historyAddress, data: parentHash }] : []),
  ];
}

/**
 * Runs what the fork demands before the first transaction of a block; its changes go to the sink.
 * Where a contract is not deployed nothing happens.
 * @throws EvmError ENGINE_FAULT
 */
export function startBlock(
  evm: Evm,
  block: BlockEnvironment,
  { parents, sink }: { readonly parents: BlockParents; readonly sink: EvmSink },
): void {
  for (const call of callsAtBlockStart(evm.fork, parents)) {
    evm.systemCall(call, block);
    evm.finish(sink);
  }
}
