import { type BlockEnvironment, type Outcome, toWord } from '@concordat/evm';
import { toHex } from '@concordat/std';
import { EVM, type EVMResult, NobleBN254 } from '@ethereumjs/evm';
import { Address, createBlockLevelAccessList } from '@ethereumjs/util';
import type { AccessListEntry } from '../chain-reader.ts';
import type { Fork } from '../fork.ts';
import { commonOf } from './library.ts';
import type { Account, ChainState } from './state.ts';
import { LibraryStateManager, libraryAddress } from './state-manager.ts';

/** The outermost call or creation of a transaction, after its fees are bought. */
export interface Message {
  readonly caller: Account;
  /** Absent for a creation; the sender's nonce is already counted up. */
  readonly to?: Account;
  readonly value: bigint;
  /** Call data, or init code. */
  readonly data: Uint8Array;
  /** Gas after the intrinsic cost. */
  readonly gas: number;
}

/** What a message sees around it; the caller is the origin. */
export interface Surroundings {
  readonly block: BlockEnvironment;
  readonly gasPrice: bigint;
  readonly blobHashes: readonly Uint8Array[];
  readonly recordAccesses?: boolean;
}

/** How a message ended. Logs and the refund counter are in the state. */
export interface MessageResult {
  readonly halt: Outcome['status'];
  /** The library's word for a failure. */
  readonly error?: string;
  readonly gasLeft: number;
  readonly output: Uint8Array;
  /** The new contract of a creation, also of a failed one. */
  readonly created?: Account;
  /** Used for growth of the state, since EIP-8037. */
  readonly stateGas?: number;
}

/** The library's EVM, unchanged, over our state. */
export class LibraryEvm {
  readonly fork: Fork;
  readonly state: ChainState;
  readonly #evm: EVM;
  #block: BlockEnvironment | undefined;

  constructor(fork: Fork, state: ChainState) {
    this.fork = fork;
    this.state = state;
    this.#evm = new EVM({
      common: commonOf(fork),
      stateManager: new LibraryStateManager(state),
      bn254: new NobleBN254(),
      blockchain: {
        getBlock: async (number: number) => ({
          hash: () => toWord(this.#block?.blockHash(BigInt(number)) ?? 0n),
        }),
        putBlock: async () => {},
        shallowCopy() {
          return this;
        },
      } as never,
    });
  }

  /** What the last message met, if it was to be recorded. */
  get accessed(): readonly AccessListEntry[] {
    return Array.from(this.#evm.journal.accessList ?? [], ([address, slots]) => ({
      address: libraryAddress(address),
      storageKeys: Array.from(slots, (slot) => toWord(BigInt(`0x${slot}`))),
    }));
  }

  /** EIP-8037: a transaction begins with so much gas kept for state. */
  openReservoir(gas: number): void {
    const evm = this.#evm;
    evm.stateGasReservoir = BigInt(gas);
    evm.executionStateGasUsed = 0n;
    evm.eip2780PrepOog = false;
    evm.eip7928CallPostTargetOog = false;
    evm.createdAccountStateGas = new Map();
    evm.createdAccountIntrinsicStateGas = new Map();
  }

  /** Takes state gas from the reservoir, then from `gas`; what is left of that, or undefined. */
  takeStateGas(amount: number, gas: number): number | undefined {
    const evm = this.#evm;
    const reservoir = Number(evm.stateGasReservoir);
    if (amount > reservoir + gas) return undefined;
    const drawn = Math.min(amount, reservoir);
    evm.stateGasReservoir = BigInt(reservoir - drawn);
    evm.executionStateGasUsed += BigInt(amount);
    return gas - (amount - drawn);
  }

  /** Gas left in the reservoir, and state gas used. */
  get stateGas(): { readonly left: number; readonly used: number } {
    const { stateGasReservoir, executionStateGasUsed } = this.#evm;
    return { left: Number(stateGasReservoir), used: Number(executionStateGasUsed) };
  }

  /** Whether the last message could not pay what precedes it (EIP-2780). */
  get isUnprepared(): boolean {
    return this.#evm.eip2780PrepOog;
  }

  /** Whether a call could not pay once it had met its target (EIP-7928). */
  get isOverdrawn(): boolean {
    return this.#evm.eip7928CallPostTargetOog;
  }

  async execute(message: Message, around: Surroundings): Promise<MessageResult> {
    const { state } = this;
    const evm = this.#evm;
    this.#block = around.block;
    evm.journal.cleanJournal();
    if (around.recordAccesses === true) evm.journal.startReportingAccessList();
    // The list of a block's accesses (EIP-7928) is kept for nobody.
    if (evm.blockLevelAccessList !== undefined) {
      Object.assign(evm, { blockLevelAccessList: createBlockLevelAccessList() });
    }
    this.#warm();
    const result = await evm.runCall({
      block: { header: headerOf(around.block) } as never,
      gasPrice: around.gasPrice,
      origin: new Address(message.caller.address),
      caller: new Address(message.caller.address),
      ...(message.to === undefined ? {} : { to: new Address(message.to.address) }),
      gasLimit: BigInt(message.gas),
      value: message.value,
      data: new Uint8Array(message.data),
      blobVersionedHashes: around.blobHashes.map((hash) => `0x${toHex(hash)}` as const),
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
      const address = toHex(account.address);
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
    const created =
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

/** A block as the library's header, as far as it is looked at. */
export function headerOf(block: BlockEnvironment): unknown {
  return {
    number: BigInt(block.number),
    coinbase: new Address(block.coinbase),
    timestamp: BigInt(block.timestamp),
    difficulty: block.difficulty,
    prevRandao: toWord(block.prevRandao),
    gasLimit: BigInt(block.gasLimit),
    baseFeePerGas: block.baseFee,
    slotNumber: BigInt(block.slotNumber ?? 0),
    getBlobGasPrice: () => block.blobBaseFee,
  };
}
