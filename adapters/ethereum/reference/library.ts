import { fromHex } from '@concordat/std';
import { type Common, createCustomCommon, Mainnet } from '@ethereumjs/common';
import { getActivePrecompiles } from '@ethereumjs/evm';
import type { Fork } from '../fork.ts';
import { libraryCrypto } from './library-crypto.ts';

/** The library's chain parameters for a fork of our own chain id. */
export function commonOf({ name, chainId }: Pick<Fork, 'name' | 'chainId'>): Common {
  return createCustomCommon({ chainId: Number(chainId), name: 'concordat' }, Mainnet, {
    hardfork: name,
    customCrypto: libraryCrypto,
  });
}

const precompiles = new Map<string, readonly Uint8Array[]>();

/** Addresses of a fork's precompiles, 20 bytes each. */
export function precompileAddresses(fork: Pick<Fork, 'name' | 'chainId'>): readonly Uint8Array[] {
  let addresses = precompiles.get(fork.name);
  if (addresses === undefined) {
    const active = getActivePrecompiles(commonOf(fork)).keys();
    addresses = Array.from(active, (hex) => fromHex(hex) as Uint8Array);
    precompiles.set(fork.name, addresses);
  }
  return addresses;
}
