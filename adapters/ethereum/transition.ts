import { emptyBytes } from '@concordat/std';
import type { TransactionFields } from './chain-reader.ts';
import { emptyCodeKey } from './crypto.ts';
import type { Engine, MessageResult } from './engine.ts';
import { EthereumError } from './errors.ts';
import type { Fork } from './fork.ts';
import { isDelegation, type Surroundings } from './operation.ts';
import type { Account, ChainState, StateLog } from './state.ts';
import { authorityOf } from './transaction.ts';

/** What a transaction sees of the block it is in. */
export interface BlockContext {
  readonly number: number;
  /** Unix seconds. */
  readonly timestamp: number;
  /** 20 bytes. */
  readonly coinbase: Uint8Array;
  readonly gasLimit: number;
  readonly difficulty: bigint;
  readonly prevRandao: bigint;
  /** 0 before London and on chains without fees. */
  readonly baseFee: bigint;
  readonly blobBaseFee: bigint;
  /** Hash of an earlier block as a number; 0 when unknown. */
  blockHash(number: bigint): bigint;
}

/** A transaction as the transition needs it: fields and the recovered sender. */
export interface SignedTransaction {
  readonly fields: TransactionFields;
  readonly from: Uint8Array;
}

/** What became of a transaction that entered the block. */
export interface AppliedTransaction {
  readonly status: 0 | 1;
  /** What was paid for: after refunds, at least the calldata floor. */
  readonly gasUsed: number;
  readonly effectiveGasPrice: bigint;
  readonly logs: readonly StateLog[];
  readonly contractAddress?: Uint8Array;
  readonly output: Uint8Array;
  /** The EVM's word for a failure. */
  readonly error?: string;
}

/**
 * Gas a transaction pays before anything runs, and the least it pays in the end (EIP-2, 2028, 2930,
 * 3860, 7623, 7702).
 */
export function intrinsicGas(
  fields: Pick<TransactionFields, 'data' | 'to' | 'accessList' | 'authorizationList'>,
  fork: Fork,
): { readonly intrinsic: number; readonly floor: number } {
  const { gas: price } = fork;
  const { data } = fields;
  let zeros = 0;
  for (let i = 0; i < data.length; i++) if (data[i] === 0) zeros++;
  const others = data.length - zeros;
  let intrinsic = price.transaction + zeros * price.dataZero + others * price.dataNonZero;
  if (fields.to === undefined) {
    intrinsic += price.creation + price.initCodeWord * Math.ceil(data.length / 32);
  }
  for (const entry of fields.accessList) {
    intrinsic += price.accessListAddress + entry.storageKeys.length * price.accessListSlot;
  }
  intrinsic += fields.authorizationList.length * price.emptyAuthorization;
  const floor =
    price.floorToken === 0 ? 0 : price.transaction + price.floorToken * (zeros + 4 * others);
  return { intrinsic, floor };
}

/**
 * What can be refused without state: prices, limits, sizes.
 * @throws EthereumError GAS_LIMIT_TOO_HIGH, INITCODE_TOO_LARGE, INTRINSIC_GAS_TOO_LOW, FEE_TOO_LOW,
 *   TIP_ABOVE_FEE_CAP, NONCE_TOO_HIGH
 */
export function checkStateless(
  fields: TransactionFields,
  fork: Fork,
  block: Pick<BlockContext, 'gasLimit' | 'baseFee' | 'blobBaseFee'>,
): void {
  const { gas: price } = fork;
  const limit = Math.min(block.gasLimit, price.maxTransactionGas);
  if (fields.gasLimit > limit) {
    throw new EthereumError('GAS_LIMIT_TOO_HIGH', `gas limit ${fields.gasLimit} is above ${limit}`);
  }
  if (fields.to === undefined && fields.data.length > price.maxInitCodeBytes) {
    throw new EthereumError('INITCODE_TOO_LARGE', `init code of ${fields.data.length} bytes`);
  }
  const { intrinsic, floor } = intrinsicGas(fields, fork);
  const least = Math.max(intrinsic, floor);
  if (Number(fields.gasLimit) < least) {
    throw new EthereumError(
      'INTRINSIC_GAS_TOO_LOW',
      `gas limit ${fields.gasLimit} is below the ${least} this transaction costs at least`,
    );
  }
  if (fields.maxPriorityFeePerGas > fields.maxFeePerGas) {
    throw new EthereumError('TIP_ABOVE_FEE_CAP', 'the priority fee exceeds the fee cap');
  }
  if (fields.maxFeePerGas < block.baseFee) {
    throw new EthereumError(
      'FEE_TOO_LOW',
      `offers ${fields.maxFeePerGas} wei a gas, the base fee is ${block.baseFee}`,
    );
  }
  if (fields.type === 3 && fields.maxFeePerBlobGas < block.blobBaseFee) {
    throw new EthereumError('FEE_TOO_LOW', 'the blob fee cap is below the blob base fee');
  }
  if (fields.nonce >= 0xffff_ffff_ffff_ffffn) {
    throw new EthereumError('NONCE_TOO_HIGH', 'the nonce has no successor (EIP-2681)');
  }
}

/** Wei that the sender must hold for a transaction to start. */
export function upfrontCost(fields: TransactionFields, fork: Fork): bigint {
  const blobs = BigInt(fields.blobVersionedHashes.length * fork.gas.blobGas);
  return fields.gasLimit * fields.maxFeePerGas + fields.value + blobs * fields.maxFeePerBlobGas;
}

/** @throws EthereumError NONCE_TOO_LOW, NONCE_TOO_HIGH, SENDER_NOT_EOA, INSUFFICIENT_FUNDS */
function checkSender(fields: TransactionFields, sender: Account, engine: Engine): void {
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
  block: BlockContext,
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
  engine: Engine,
  transaction: SignedTransaction,
  block: BlockContext,
): AppliedTransaction | Promise<AppliedTransaction> {
  const { fork, state } = engine;
  const { fields } = transaction;
  checkStateless(fields, fork, block);
  const sender = state.account(transaction.from);
  checkSender(fields, sender, engine);
  const price = effectivePrice(fields, block.baseFee);
  const blobGas = BigInt(fields.blobVersionedHashes.length * fork.gas.blobGas);
  state.setBalance(sender, sender.balance - fields.gasLimit * price - blobGas * block.blobBaseFee);
  state.setNonce(sender, fields.nonce + 1n);
  state.touch(sender);
  if (fork.rules.berlin) warmUp(state, fork, transaction, block);
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

/** What is paid per gas: the base fee plus the priority fee, within the cap (EIP-1559). */
export function effectivePrice(fields: TransactionFields, baseFee: bigint): bigint {
  if (fields.type < 2) return fields.maxFeePerGas;
  const offered = baseFee + fields.maxPriorityFeePerGas;
  if (offered > fields.maxFeePerGas) return fields.maxFeePerGas;
  return offered;
}

/** EIP-2929, 2930 and 3651: what is warm from the start. Precompiles never cost the cold price. */
export function warmUp(
  state: ChainState,
  fork: Fork,
  transaction: SignedTransaction,
  block: BlockContext,
): void {
  const { fields } = transaction;
  for (const precompile of fork.precompiles.keys()) {
    state.warmAddress(state.accountOfWord(precompile));
  }
  state.warmAddress(state.account(transaction.from));
  if (fields.to !== undefined) state.warmAddress(state.account(fields.to));
  if (fork.rules.shanghai) state.warmAddress(state.account(block.coinbase));
  for (const entry of fields.accessList) {
    const account = state.account(entry.address);
    state.warmAddress(account);
    for (const slot of entry.storageKeys) state.warmSlot(account, wordOf(slot));
  }
}

const delegation = Uint8Array.of(0xef, 0x01, 0x00);
const lastNonce = 0xffff_ffff_ffff_ffffn;

/** Sets the delegations of a type 4 transaction; an invalid one is passed over (EIP-7702). */
function authorize(engine: Engine, fields: TransactionFields): void {
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
  readonly block: BlockContext;
}

/** Refunds, pays, destroys and clears (Yellow Paper, section 6.2; EIP-161, 3529, 6780, 7623). */
function settleTransaction(
  engine: Engine,
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

function payCoinbase(engine: Engine, coinbase: Account, fee: bigint): void {
  const { state, fork } = engine;
  if (fee === 0n && fork.rules.spuriousDragon && !coinbase.exists) return;
  state.touch(coinbase);
  state.setBalance(coinbase, coinbase.balance + fee);
}

function clearAccounts(state: ChainState, fork: Fork): void {
  for (const account of state.marked()) {
    if (account.destroyed && (!fork.rules.cancun || account.created)) state.remove(account);
  }
  if (!fork.rules.spuriousDragon) return;
  for (const account of state.marked()) {
    if (account.touched && account.exists && account.isEmpty) state.remove(account);
  }
}
