import type { Outcome } from '@concordat/evm';

import type { Fork } from './fork.ts';
import type { Surroundings } from './operation.ts';
import type { Account, ChainState } from './state.ts';

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

/** How a message ended. Logs and the refund counter are in the state. */
export interface MessageResult {
  readonly halt: Outcome['status'];
  /** The EVM's word for a failure. */
  readonly error?: string;
  readonly gasLeft: number;
  readonly output: Uint8Array;
  /** The new contract of a creation, also of a failed one. */
  readonly created?: Account;
}

/**
 * What executes a message on a chain's state. The room's own interpreter answers at once, except
 * where a precompile of the library is asynchronous; the library's EVM is the reference that it is
 * proved equal to.
 */
export interface MessageEngine {
  readonly fork: Fork;
  readonly state: ChainState;
  execute(message: Message, around: Surroundings): MessageResult | Promise<MessageResult>;
}

/** Makes an engine for a fork over a state. */
export type MessageEngineFactory = (fork: Fork, state: ChainState) => MessageEngine;
