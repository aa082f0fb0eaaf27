import {
  type BlockEnvironment,
  type BlockGas,
  effectivePrice,
  emptyCodeKey,
  intrinsicGas,
  revisions,
  tipPerGas,
  toBigInt,
  upfrontCost,
} from '@concordat/evm';
import { emptyBytes } from '@concordat/std';
import type { TransactionFields } from '../chain-reader.ts';
import { EthereumError } from '../errors.ts';
import type { AppliedTransaction, SignedTransaction } from '../executor.ts';
import type { Fork } from '../fork.ts';
import { checkStateless } from '../stateless.ts';
import { authorize, isDelegation } from './authorizations.ts';
import { precompileAddresses } from './library.ts';
import type { LibraryEvm, MessageResult } from './library-evm.ts';
import { runPaidMessage } from './paid-message.ts';
import type { Account, ChainState } from './state.ts';

/** @throws EthereumError NONCE_TOO_LOW, NONCE_TOO_HIGH, SENDER_NOT_EOA, INSUFFICIENT_FUNDS */
function checkSender(fields: TransactionFields, sender: Account, evm: LibraryEvm): void {
  if (fields.nonce !== sender.nonce) {
    const low = fields.nonce < sender.nonce;
    throw new EthereumError(
      low ? 'NONCE_TOO_LOW' : 'NONCE_TOO_HIGH',
      `nonce ${fields.nonce}, next is ${sender.nonce}`,
      { next: sender.nonce.toString() },
    );
  }
  if (sender.codeKey !== emptyCodeKey) {
    const delegates = evm.fork.revision >= revisions.prague && isDelegation(evm.state.code(sender));
    if (!delegates) throw new EthereumError('SENDER_NOT_EOA', 'the sender has code (EIP-3607)');
  }
  const needed = upfrontCost(fields, evm.fork);
  if (sender.balance < needed) {
    throw new EthereumError(
      'INSUFFICIENT_FUNDS',
      `the sender has ${sender.balance} wei, needs ${needed}`,
    );
  }
}

/**
 * Applies one transaction to the state (Yellow Paper, section 6). The caller ends it with
 * `finishTransaction`; a refusal leaves no trace but marks, which `abandonTransaction` takes off.
 * @throws EthereumError every refusal of {@link checkStateless} and of the sender's state
 */
export async function applyTransaction(
  evm: LibraryEvm,
  transaction: SignedTransaction,
  block: BlockEnvironment,
): Promise<AppliedTransaction> {
  const { fork, state } = evm;
  const { fields } = transaction;
  checkStateless(transaction, fork, block);
  const sender = state.account(transaction.from);
  checkSender(fields, sender, evm);
  const price = effectivePrice(fields, block.baseFee);
  const blobGas = BigInt(fields.blobVersionedHashes.length * fork.prices.blobGas);
  state.setBalance(sender, sender.balance - fields.gasLimit * price - blobGas * block.blobBaseFee);
  state.setNonce(sender, fields.nonce + 1n);
  state.touch(sender);
  if (fork.revision >= revisions.berlin)
    warmUp(state, fork, { ...fields, from: transaction.from }, block);
  const { intrinsic, floor } = intrinsicGas({ ...fields, from: transaction.from }, fork);
  const to = fields.to === undefined ? undefined : state.account(fields.to);
  const message = {
    caller: sender,
    ...(to === undefined ? {} : { to }),
    value: fields.value,
    data: fields.data,
    gas: Number(fields.gasLimit) - intrinsic,
  };
  const around = { block, gasPrice: price, blobHashes: fields.blobVersionedHashes };
  const { authorizationList } = fields;
  const isPaid = fork.revision >= revisions.amsterdam;
  if (!isPaid) authorize(evm, authorizationList);
  const outcome = isPaid
    ? await runPaidMessage(evm, { ...message, intrinsic, authorizationList }, around)
    : await evm.execute(message, around);
  return settleTransaction(evm, { fields, sender, price, floor, block }, outcome);
}

/** What of a transaction or call is warm before it begins. */
export type WarmMessage = Pick<TransactionFields, 'to' | 'accessList'> &
  Pick<SignedTransaction, 'from'>;

/** EIP-2929, 2930 and 3651: what is warm from the start. Precompiles never cost the cold price. */
export function warmUp(
  state: ChainState,
  fork: Fork,
  message: WarmMessage,
  block: Pick<BlockEnvironment, 'coinbase'>,
): void {
  for (const address of precompileAddresses(fork)) state.warmAddress(state.account(address));
  state.warmAddress(state.account(message.from));
  if (message.to !== undefined) state.warmAddress(state.account(message.to));
  if (fork.revision >= revisions.shanghai) state.warmAddress(state.account(block.coinbase));
  for (const entry of message.accessList) {
    const account = state.account(entry.address);
    state.warmAddress(account);
    for (const slot of entry.storageKeys) state.warmSlot(account, toBigInt(slot));
  }
}

interface Settlement {
  readonly fields: TransactionFields;
  readonly sender: Account;
  readonly price: bigint;
  readonly floor: number;
  readonly block: BlockEnvironment;
}

/** Refunds, pays, destroys and clears (Yellow Paper, section 6.2; EIP-161, 3529, 6780, 7623). */
function settleTransaction(
  evm: LibraryEvm,
  about: Settlement,
  outcome: MessageResult,
): AppliedTransaction {
  const { state, fork } = evm;
  const { sender, price, block } = about;
  const gasLimit = Number(about.fields.gasLimit);
  const spent = gasLimit - outcome.gasLeft;
  const refund = cappedRefund(state, fork, spent);
  const gasUsed = Math.max(spent - refund, about.floor);
  state.setBalance(sender, sender.balance + BigInt(gasLimit - gasUsed) * price);
  const fee = BigInt(gasUsed) * tipPerGas(fork, price, block.baseFee);
  payCoinbase(evm, state.account(block.coinbase), fee);
  clearAccounts(state, fork);
  const { stateGas } = outcome;
  return {
    status: outcome.halt === 'success' ? 1 : 0,
    gasUsed,
    ...(stateGas === undefined ? {} : { blockGas: blockGasOf(spent, stateGas, about.floor) }),
    effectiveGasPrice: price,
    logs: state.logs.slice(),
    ...(outcome.created === undefined ? {} : { contractAddress: outcome.created.address }),
    output: outcome.output,
    ...(outcome.error === undefined ? {} : { error: outcome.error }),
  };
}

/** What a block counts: both kinds of gas without refunds (EIP-7778, 8037). */
function blockGasOf(spent: number, stateGas: number, floor: number): BlockGas {
  const state = Math.max(stateGas, 0);
  return { regular: Math.max(spent - state, floor), state };
}

/** Half of what was spent comes back at most, since EIP-3529 a fifth. */
export const cappedRefund = ({ refund }: ChainState, fork: Fork, spent: number): number =>
  Math.min(refund, Math.floor(spent / (fork.revision >= revisions.london ? 5 : 2)));

function payCoinbase(evm: LibraryEvm, coinbase: Account, fee: bigint): void {
  const { state, fork } = evm;
  if (fee === 0n && fork.revision >= revisions.spuriousDragon && !coinbase.exists) return;
  state.touch(coinbase);
  state.setBalance(coinbase, coinbase.balance + fee);
}

/** Takes everything but its balance from an account (EIP-8246). */
function emptyAccount(state: ChainState, account: Account): void {
  state.setCode(account, emptyBytes);
  state.wipeStorage(account);
  state.setNonce(account, 0n);
  state.touch(account);
}

/** Destroys what was destroyed and, since EIP-161, what was touched and is empty. */
export function clearAccounts(state: ChainState, fork: Fork): void {
  for (const account of state.marked()) {
    if (!account.destroyed || (fork.revision >= revisions.cancun && !account.created)) continue;
    if (fork.revision < revisions.amsterdam) state.remove(account);
    else emptyAccount(state, account);
  }
  if (fork.revision < revisions.spuriousDragon) return;
  for (const account of state.marked()) {
    if (account.touched && account.exists && account.isEmpty) state.remove(account);
  }
}
