import {
  type BlockEnvironment,
  effectivePrice,
  emptyCodeKey,
  intrinsicGas,
  upfrontCost,
} from '@concordat/evm';
import { emptyBytes } from '@concordat/std';
import type { TransactionFields } from './chain-reader.ts';
import type { MessageEngine, MessageResult } from './engine.ts';
import { EthereumError } from './errors.ts';
import type { AppliedTransaction, SignedTransaction } from './executor.ts';
import type { Fork } from './fork.ts';
import { isDelegation, type Surroundings } from './operation.ts';
import type { Account, ChainState } from './state.ts';
import { checkStateless } from './stateless.ts';
import { authorityOf } from './transaction.ts';

/** @throws EthereumError NONCE_TOO_LOW, NONCE_TOO_HIGH, SENDER_NOT_EOA, INSUFFICIENT_FUNDS */
function checkSender(fields: TransactionFields, sender: Account, engine: MessageEngine): void {
  if (fields.nonce !== sender.nonce) {
    const low = fields.nonce < sender.nonce;
    throw new EthereumError(
      low ? 'NONCE_TOO_LOW' : 'NONCE_TOO_HIGH',
      `nonce ${fields.nonce}, next is ${sender.nonce}`,
      { next: sender.nonce.toString() },
    );
  }
  if (sender.codeKey !== emptyCodeKey) {
    const delegates = engine.fork.rules.prague && isDelegation(engine.state.code(sender).bytes);
    if (!delegates) throw new EthereumError('SENDER_NOT_EOA', 'the sender has code (EIP-3607)');
  }
  const needed = upfrontCost(fields, engine.fork);
  if (sender.balance < needed) {
    throw new EthereumError(
      'INSUFFICIENT_FUNDS',
      `the sender has ${sender.balance} wei, needs ${needed}`,
    );
  }
}

/** Surroundings of a message in a block. */
export function surroundingsOf(
  block: BlockEnvironment,
  origin: bigint,
  gasPrice: bigint,
  blobHashes: readonly Uint8Array[],
): Surroundings {
  return {
    gasPrice,
    origin,
    number: BigInt(block.number),
    timestamp: BigInt(block.timestamp),
    coinbase: wordOf(block.coinbase),
    gasLimit: BigInt(block.gasLimit),
    difficulty: block.difficulty,
    prevRandao: block.prevRandao,
    baseFee: block.baseFee,
    blobBaseFee: block.blobBaseFee,
    blobHashes: blobHashes.map(wordOf),
    blockHash: (number) => block.blockHash(number),
  };
}

const wordOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);

/**
 * Applies one transaction to the state (Yellow Paper, section 6). The caller ends it with
 * `finishTransaction`; a refusal leaves no trace but marks, which `abandonTransaction` takes off.
 * @throws EthereumError every refusal of {@link checkStateless} and of the sender's state
 */
export function applyTransaction(
  engine: MessageEngine,
  transaction: SignedTransaction,
  block: BlockEnvironment,
): AppliedTransaction | Promise<AppliedTransaction> {
  const { fork, state } = engine;
  const { fields } = transaction;
  checkStateless(transaction, fork, block);
  const sender = state.account(transaction.from);
  checkSender(fields, sender, engine);
  const price = effectivePrice(fields, block.baseFee);
  const blobGas = BigInt(fields.blobVersionedHashes.length * fork.gas.blobGas);
  state.setBalance(sender, sender.balance - fields.gasLimit * price - blobGas * block.blobBaseFee);
  state.setNonce(sender, fields.nonce + 1n);
  state.touch(sender);
  if (fork.rules.berlin) warmUp(state, fork, { ...fields, from: transaction.from }, block);
  authorize(engine, fields);
  const { intrinsic, floor } = intrinsicGas(fields, fork);
  const to = fields.to === undefined ? undefined : state.account(fields.to);
  const result = engine.execute(
    {
      caller: sender,
      ...(to === undefined ? {} : { to }),
      value: fields.value,
      data: fields.data,
      gas: Number(fields.gasLimit) - intrinsic,
    },
    surroundingsOf(block, sender.word, price, fields.blobVersionedHashes),
  );
  const settle = (outcome: MessageResult): AppliedTransaction =>
    settleTransaction(engine, { fields, sender, price, floor, block }, outcome);
  return result instanceof Promise ? result.then(settle) : settle(result);
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
  for (const precompile of fork.precompiles.keys()) {
    state.warmAddress(state.accountOfWord(precompile));
  }
  state.warmAddress(state.account(message.from));
  if (message.to !== undefined) state.warmAddress(state.account(message.to));
  if (fork.rules.shanghai) state.warmAddress(state.account(block.coinbase));
  for (const entry of message.accessList) {
    const account = state.account(entry.address);
    state.warmAddress(account);
    for (const slot of entry.storageKeys) state.warmSlot(account, wordOf(slot));
  }
}

const delegation = Uint8Array.of(0xef, 0x01, 0x00);
const lastNonce = 0xffff_ffff_ffff_ffffn;

/** Sets the delegations of a type 4 transaction; an invalid one is passed over (EIP-7702). */
function authorize(engine: MessageEngine, fields: TransactionFields): void {
  const { state, fork } = engine;
  for (const entry of fields.authorizationList) {
    if (entry.chainId !== 0n && entry.chainId !== fork.chainId) continue;
    if (entry.nonce >= lastNonce) continue;
    const address = authorityOf(entry);
    if (address === undefined) continue;
    const authority = state.account(address);
    state.warmAddress(authority);
    const code = state.code(authority);
    if (code.length > 0 && !isDelegation(code.bytes)) continue;
    if (authority.nonce !== entry.nonce) continue;
    if (authority.exists) state.refund += fork.gas.emptyAuthorization - fork.gas.authorization;
    state.touch(authority);
    state.setNonce(authority, authority.nonce + 1n);
    const clears = entry.address.every((byte) => byte === 0);
    state.setCode(authority, clears ? emptyBytes : Buffer.concat([delegation, entry.address]));
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
  engine: MessageEngine,
  about: Settlement,
  outcome: MessageResult,
): AppliedTransaction {
  const { state, fork } = engine;
  const { sender, price, block } = about;
  const gasLimit = Number(about.fields.gasLimit);
  const spent = gasLimit - outcome.gasLeft;
  const refund = Math.min(state.refund, Math.floor(spent / fork.gas.refundQuotient));
  const gasUsed = Math.max(spent - refund, about.floor);
  state.setBalance(sender, sender.balance + BigInt(gasLimit - gasUsed) * price);
  const tip = fork.rules.london ? price - block.baseFee : price;
  payCoinbase(engine, state.account(block.coinbase), BigInt(gasUsed) * tip);
  clearAccounts(state, fork);
  return {
    status: outcome.halt === 'success' ? 1 : 0,
    gasUsed,
    effectiveGasPrice: price,
    logs: state.logs.slice(),
    ...(outcome.created === undefined ? {} : { contractAddress: outcome.created.address }),
    output: outcome.output,
    ...(outcome.error === undefined ? {} : { error: outcome.error }),
  };
}

function payCoinbase(engine: MessageEngine, coinbase: Account, fee: bigint): void {
  const { state, fork } = engine;
  if (fee === 0n && fork.rules.spuriousDragon && !coinbase.exists) return;
  state.touch(coinbase);
  state.setBalance(coinbase, coinbase.balance + fee);
}

/** Destroys what was destroyed and, since EIP-161, what was touched and is empty. */
export function clearAccounts(state: ChainState, fork: Fork): void {
  for (const account of state.marked()) {
    if (account.destroyed && (!fork.rules.cancun || account.created)) state.remove(account);
  }
  if (!fork.rules.spuriousDragon) return;
  for (const account of state.marked()) {
    if (account.touched && account.exists && account.isEmpty) state.remove(account);
  }
}
