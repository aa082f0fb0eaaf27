import { EVM, type EVMResult, NobleBN254 } from '@ethereumjs/evm';
import { Address } from '@ethereumjs/util';
import type { Message, MessageEngine, MessageResult } from './engine.ts';
import { commonOf, type Fork } from './fork.ts';
import type { Surroundings } from './operation.ts';
import type { Account, ChainState } from './state.ts';
import { LibraryStateManager, libraryAddress } from './state-manager.ts';
import { wordBytes } from './words.ts';

/**
 * The library's EVM, unchanged, over our state: what the room's own interpreter is measured and
 * proved against. It runs whole chains too; it is only slower.
 */
export class ReferenceEngine implements MessageEngine {
  readonly fork: Fork;
  readonly state: ChainState;
  readonly #evm: EVM;
  #around: Surroundings | undefined;

  constructor(fork: Fork, state: ChainState) {
    this.fork = fork;
    this.state = state;
    this.#evm = new EVM({
      common: commonOf(fork.name, fork.chainId),
      stateManager: new LibraryStateManager(state),
      bn254: new NobleBN254(),
      blockchain: {
        getBlock: async (number: number) => ({
          hash: () => wordBytes(this.#around?.blockHash(BigInt(number)) ?? 0n),
        }),
        putBlock: async () => {},
        shallowCopy() {
          return this;
        },
      } as never,
    });
  }

  async execute(message: Message, around: Surroundings): Promise<MessageResult> {
    const { state } = this;
    const evm = this.#evm;
    this.#around = around;
    evm.journal.cleanJournal();
    this.#warm();
    const result = await evm.runCall({
      block: { header: headerOf(around) } as never,
      gasPrice: around.gasPrice,
      origin: new Address(addressBytes(around.origin)),
      caller: new Address(message.caller.address),
      ...(message.to === undefined ? {} : { to: new Address(message.to.address) }),
      gasLimit: BigInt(message.gas),
      value: message.value,
      data: new Uint8Array(message.data),
      blobVersionedHashes: around.blobHashes.map(
        (hash) => `0x${hash.toString(16).padStart(64, '0')}` as const,
      ),
      skipNonceIncrement: true,
    });
    const { touched } = evm.journal as unknown as { readonly touched: ReadonlySet<string> };
    for (const address of touched) {
      state.touch(state.account(libraryAddress(address)));
    }
    return this.#collect(message, result);
  }

  /** The transition has warmed our marks; the library keeps its own. */
  #warm(): void {
    for (const account of this.state.marked()) {
      if (!account.warm) continue;
      const address = Buffer.from(account.address).toString('hex');
      this.#evm.journal.addAlwaysWarmAddress(address);
      for (const slot of account.warmSlots ?? []) {
        this.#evm.journal.addAlwaysWarmSlot(address, slot.toString(16).padStart(64, '0'));
      }
    }
  }

  #collect(message: Message, { execResult, createdAddress }: EVMResult): MessageResult {
    const { state } = this;
    const failure = execResult.exceptionError?.error;
    for (const address of execResult.createdAddresses ?? []) {
      state.markCreated(state.account(libraryAddress(address)));
    }
    for (const address of execResult.selfdestruct?.keys() ?? []) {
      state.markDestroyed(state.account(libraryAddress(address)));
    }
    for (const [address, topics, data] of execResult.logs ?? []) {
      state.logs.push({ address, topics, data });
    }
    state.refund += Number(execResult.gasRefund ?? 0n);
    const created: Account | undefined =
      message.to === undefined && createdAddress !== undefined
        ? state.account(createdAddress.bytes)
        : undefined;
    return {
      halt: failure === undefined ? 'success' : failure === 'revert' ? 'revert' : 'error',
      ...(failure === undefined ? {} : { error: failure }),
      gasLeft: message.gas - Number(execResult.executionGasUsed),
      output: execResult.returnValue,
      ...(created === undefined ? {} : { created }),
    };
  }
}

const addressBytes = (word: bigint): Uint8Array =>
  Buffer.from(word.toString(16).padStart(40, '0'), 'hex');

function headerOf(around: Surroundings): unknown {
  return {
    number: around.number,
    coinbase: new Address(addressBytes(around.coinbase)),
    timestamp: around.timestamp,
    difficulty: around.difficulty,
    prevRandao: wordBytes(around.prevRandao),
    gasLimit: around.gasLimit,
    baseFeePerGas: around.baseFee,
    getBlobGasPrice: () => around.blobBaseFee,
  };
}
