import { type Common, createCustomCommon, Mainnet } from '@ethereumjs/common';
import {
  EVM,
  EVMMockBlockchain,
  getActivePrecompiles,
  NobleBN254,
  type PrecompileFunc,
} from '@ethereumjs/evm';
import { SimpleStateManager } from '@ethereumjs/statemanager';
import * as kzgWasm from 'kzg-wasm';

/** What a precompile made of an input: its price and output, or a failure. */
export type Answer = { readonly gas: number; readonly output: string } | 'failure';

/** The library's precompiles of one fork: what ours are compared with. */
export interface ReferencePrecompiles {
  readonly ids: readonly number[];
  run(id: number, input: Uint8Array, gas: number): Promise<Answer>;
}

const kzg = await kzgWasm.loadKZG();

/** Makes the reference of a fork. */
export function referencePrecompiles(fork: string): ReferencePrecompiles {
  const common: Common = createCustomCommon({ chainId: 1, name: 'reference' }, Mainnet, {
    hardfork: fork,
    customCrypto: { kzg: kzg as never },
  });
  const library = new EVM({
    common,
    blockchain: new EVMMockBlockchain(),
    stateManager: new SimpleStateManager(),
    bn254: new NobleBN254(),
  });
  const precompiles = new Map<number, PrecompileFunc>();
  for (const [address, run] of getActivePrecompiles(common)) {
    precompiles.set(Number(`0x${address}`), run);
  }
  return {
    ids: [...precompiles.keys()],
    async run(id, input, gas) {
      const result = await (precompiles.get(id) as PrecompileFunc)({
        data: new Uint8Array(input),
        gasLimit: BigInt(gas),
        common,
        _EVM: library,
      });
      if (result.exceptionError !== undefined) return 'failure';
      return {
        gas: Number(result.executionGasUsed),
        output: Buffer.from(result.returnValue).toString('hex'),
      };
    },
  };
}
