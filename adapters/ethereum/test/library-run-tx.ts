import { toMinimalBytes, toWord } from '@concordat/evm';
import { EVM, NobleBN254 } from '@ethereumjs/evm';
import { createTx, type TypedTransaction } from '@ethereumjs/tx';
import { Address } from '@ethereumjs/util';
import { createVM, type RunTxResult, runTx, type VM } from '@ethereumjs/vm';
import type { Execution, Outcome } from '../../evm/test/proof/executor.ts';
import { tablesOf } from '../../evm/test/proof/world.ts';
import type { SignedTransaction } from '../executor.ts';
import { forkOf } from '../fork.ts';
import { commonOf } from '../reference/library.ts';
import { headerOf } from '../reference/library-evm.ts';
import { ChainState } from '../reference/state.ts';
import { LibraryStateManager } from '../reference/state-manager.ts';

/**
 * Executes by the library's own `runTx`, on our state: nothing of this room's transition is in
 * between. What the library throws counts as a refusal of no particular reason.
 */
export async function executeByRunTx(execution: Execution): Promise<Outcome[]> {
  const { world, block, followers = [] } = execution;
  const tables = tablesOf(world);
  const state = new ChainState(tables);
  const vm = await vmOf(execution, state);
  const outcomes: Outcome[] = [];
  for (const transaction of [execution, ...followers]) {
    try {
      const tx = libraryTransaction(transaction, vm);
      const result = await runTx(vm, {
        tx,
        block: { header: headerOf(block) } as never,
        skipHardForkValidation: true,
      });
      state.finishTransaction(tables);
      outcomes.push({ ...outcomeOf(result), changes: tables.takeChanges() });
    } catch {
      state.abandonTransaction();
      outcomes.push({ refused: 'by the library' });
    }
  }
  return outcomes;
}

async function vmOf({ fork, chainId, block }: Execution, state: ChainState): Promise<VM> {
  const common = commonOf(forkOf(fork, chainId));
  const stateManager = new LibraryStateManager(state);
  const blockchain = {
    getBlock: async (number: number) => ({ hash: () => toWord(block.blockHash(BigInt(number))) }),
    putBlock: async () => {},
    shallowCopy() {
      return this;
    },
  } as never;
  const evm = new EVM({ common, stateManager, bn254: new NobleBN254(), blockchain });
  return createVM({ common, stateManager, evm, blockchain });
}

function libraryTransaction({ fields, from }: SignedTransaction, { common }: VM): TypedTransaction {
  const { type, maxFeePerGas, maxPriorityFeePerGas } = fields;
  // The library's older types have no place for a tip that it could refuse.
  if (maxPriorityFeePerGas > maxFeePerGas) throw new Error('a tip above the cap');
  const price = type < 2 ? { gasPrice: maxFeePerGas } : { maxFeePerGas, maxPriorityFeePerGas };
  const list = fields.accessList.map(({ address, storageKeys }) => [address, storageKeys]);
  const authorizations = fields.authorizationList.map((one) => [
    toMinimalBytes(one.chainId),
    one.address,
    toMinimalBytes(one.nonce),
    toMinimalBytes(BigInt(one.yParity)),
    toMinimalBytes(one.r),
    toMinimalBytes(one.s),
  ]);
  const tx = createTx(
    {
      type,
      nonce: fields.nonce,
      gasLimit: fields.gasLimit,
      ...(fields.to === undefined ? {} : { to: new Address(fields.to) }),
      value: fields.value,
      data: new Uint8Array(fields.data),
      ...price,
      ...(type > 0 ? { chainId: common.chainId(), accessList: list } : {}),
      ...(type === 4 ? { authorizationList: authorizations } : {}),
      ...(type === 3
        ? {
            blobVersionedHashes: fields.blobVersionedHashes.map(
              (hash) => `0x${Buffer.from(hash).toString('hex')}`,
            ),
            maxFeePerBlobGas: fields.maxFeePerBlobGas,
          }
        : {}),
      v: type === 0 ? 27n : 0n,
      r: 1n,
      s: 1n,
    } as never,
    { common, freeze: false },
  ) as TypedTransaction;
  // Who sends it is given; nobody signed it.
  tx.getSenderAddress = () => new Address(from);
  return tx;
}

function outcomeOf(result: RunTxResult): Omit<Outcome & { refused?: never }, 'changes'> {
  const { execResult, createdAddress, txRegularGas, txStateGas } = result;
  const failure = execResult.exceptionError?.error;
  return {
    status: failure === undefined ? 1 : 0,
    gasUsed: Number(result.totalGasSpent),
    ...(txRegularGas === undefined
      ? {}
      : { blockGas: { regular: Number(txRegularGas), state: Number(txStateGas) } }),
    effectiveGasPrice: result.amountSpent / result.totalGasSpent,
    logs: (execResult.logs ?? []).map(([address, topics, data]) => ({ address, topics, data })),
    output: execResult.returnValue,
    ...(createdAddress === undefined ? {} : { contractAddress: createdAddress.bytes }),
    ...(failure === undefined ? {} : { error: failure }),
  };
}
