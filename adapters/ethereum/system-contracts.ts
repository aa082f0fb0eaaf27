import type { SystemCall } from '@concordat/evm';
import { fromHex } from '@concordat/std';

const hex = (digits: string): Uint8Array => fromHex(digits) ?? new Uint8Array(0);

/** Where the roots of the beacon chain are kept (EIP-4788). */
export const beaconRootsAddress: Uint8Array = hex('000f3df6d732807ef1319fb7b8bb8522d0beac02');

/** Where the hashes of the last 8,191 blocks are kept (EIP-2935). */
export const historyAddress: Uint8Array = hex('0000f90827f1c53a10cb7a02335b175320002935');

/** Code at {@link historyAddress}, as EIP-2935 gives it. */
export const historyCode: Uint8Array = hex(
  '3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff' +
    '81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500',
);

/** What a block knows of the one before it. */
export interface BlockParents {
  /** 32 bytes. */
  readonly parentHash: Uint8Array;
  /** 32 bytes; zero on a chain without a beacon chain. */
  readonly parentBeaconBlockRoot: Uint8Array;
}

/** System calls before the first transaction of a block, in order. */
export function callsAtBlockStart(
  rules: { readonly cancun: boolean; readonly prague: boolean },
  { parentHash, parentBeaconBlockRoot }: BlockParents,
): readonly SystemCall[] {
  return [
    ...(rules.cancun ? [{ target: beaconRootsAddress, data: parentBeaconBlockRoot }] : []),
    ...(rules.prague ? [{ target: historyAddress, data: parentHash }] : []),
  ];
}
