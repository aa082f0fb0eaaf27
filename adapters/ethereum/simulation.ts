import { emptyBytes, utf8 } from '@concordat/std';
import type {
  AccessListEntry,
  BlockOverrides,
  CallOutcome,
  CallRequest,
  StateOverride,
  StateOverrides,
  TransactionFields,
} from './chain-reader.ts';
import { toBigInt, toWord } from './crypto.ts';
import type { EngineFactory, MessageResult } from './engine.ts';
import { EthereumError } from './errors.ts';
import type { Fork } from './fork.ts';
import { hexBytes } from './hex.ts';
import { type Account, ChainState } from './state.ts';
import { memorySink, type StateSource } from './state-source.ts';
import { type BlockContext, intrinsicGas, surroundingsOf, warmUp } from './transition.ts';

const zeroAddress = new Uint8Array(20);

/** What a simulated call runs on. */
export interface SimulationGround {
  readonly fork: Fork;
  readonly source: StateSource;
  readonly block: BlockContext;
  readonly makeEngine: EngineFactory;
}

/** A finished simulation and the state it left, which nobody keeps. */
interface Simulated {
  readonly outcome: CallOutcome;
  /** Gas that came back as refund. */
  readonly refund: number;
  readonly accessed: ReadonlyMap<Account, ReadonlySet<bigint>>;
  readonly contract?: Account;
}

/**
 * Runs a message call on a copy of the state.
 * @throws EthereumError INSUFFICIENT_FUNDS, INTRINSIC_GAS_TOO_LOW, FEE_TOO_LOW, INVALID_CALL
 */
export async function simulateCall(
  ground: SimulationGround,
  request: CallRequest,
  overrides?: StateOverrides,
): Promise<CallOutcome> {
  return (await simulate(ground, request, overrides)).outcome;
}

async function simulate(
  ground: SimulationGround,
  request: CallRequest,
  overrides?: StateOverrides,
): Promise<Simulated> {
  const { fork, block, makeEngine } = ground;
  const sink = memorySink(ground.source);
  const state = new ChainState(sink);
  applyOverrides(state, overrides ?? {});
  const engine = makeEngine(fork, state);
  const from = request.from ?? zeroAddress;
  const fields = fieldsOf(request, block);
  const { intrinsic, floor } = intrinsicGas(fields, fork);
  const gas = Number(fields.gasLimit);
  if (gas < Math.max(intrinsic, floor)) {
    throw new EthereumError('INTRINSIC_GAS_TOO_LOW', `gas ${gas} is below ${intrinsic}`);
  }
  const caller = state.account(from);
  // Without a price nothing is paid, whatever the base fee.
  const price = fields.maxFeePerGas;
  const baseFee = price === 0n ? 0n : block.baseFee;
  if (price < baseFee) {
    throw new EthereumError('FEE_TOO_LOW', `offers ${price} wei a gas, base fee is ${baseFee}`);
  }
  const needed = fields.value + fields.gasLimit * price;
  if (caller.balance < needed) {
    const message = `the caller has ${caller.balance} wei, needs ${needed}`;
    throw new EthereumError('INSUFFICIENT_FUNDS', message);
  }
  state.setBalance(caller, caller.balance - fields.gasLimit * price);
  state.setNonce(caller, (request.nonce ?? caller.nonce) + 1n);
  if (fork.rules.berlin) warmUp(state, fork, { fields, from }, block);
  const accessed = new Map<Account, Set<bigint>>();
  state.accessed = accessed;
  const to = fields.to === undefined ? undefined : state.account(fields.to);
  const result = await engine.execute(
    {
      caller,
      ...(to === undefined ? {} : { to }),
      value: fields.value,
      data: fields.data,
      gas: gas - intrinsic,
    },
    surroundingsOf({ ...block, baseFee }, caller.word, price, []),
  );
  const spent = gas - result.gasLeft;
  const refund = Math.min(state.refund, Math.floor(spent / fork.gas.refundQuotient));
  return {
    outcome: outcomeOf(result, Math.max(spent - refund, floor)),
    refund,
    accessed,
    ...(result.created === undefined ? {} : { contract: result.created }),
  };
}

function outcomeOf(result: MessageResult, gasUsed: number): CallOutcome {
  const status = result.halt;
  return {
    status,
    output: result.output,
    ...(result.error === undefined ? {} : { error: result.error }),
    gasUsed,
  };
}

/** A call as the fields of a transaction that nobody signed. */
function fieldsOf(request: CallRequest, block: BlockContext): TransactionFields {
  const price = request.gasPrice ?? request.maxFeePerGas ?? 0n;
  const gas = Math.min(request.gas ?? block.gasLimit, block.gasLimit);
  if (!Number.isSafeInteger(gas) || gas < 0) {
    throw new EthereumError('INVALID_CALL', 'gas must be a non-negative integer');
  }
  return {
    type: 2,
    nonce: request.nonce ?? 0n,
    maxFeePerGas: price,
    maxPriorityFeePerGas: request.maxPriorityFeePerGas ?? 0n,
    gasLimit: BigInt(gas),
    ...(request.to === undefined ? {} : { to: request.to }),
    value: request.value ?? 0n,
    data: request.data ?? emptyBytes,
    accessList: request.accessList ?? [],
    authorizationList: [],
    blobVersionedHashes: [],
    maxFeePerBlobGas: 0n,
    v: 0n,
    yParity: 0,
    r: 0n,
    s: 0n,
  };
}

function applyOverrides(state: ChainState, overrides: StateOverrides): void {
  for (const [address, override] of Object.entries(overrides)) {
    const bytes = hexBytes(address);
    if (bytes.length !== 20) throw new EthereumError('INVALID_CALL', `no address: ${address}`);
    applyOverride(state, state.account(bytes), override);
  }
  // From here on these are the values the transaction began with.
  state.finishTransaction();
}

function applyOverride(state: ChainState, account: Account, override: StateOverride): void {
  if (override.balance !== undefined) state.setBalance(account, override.balance);
  if (override.nonce !== undefined) state.setNonce(account, override.nonce);
  if (override.code !== undefined) state.setCode(account, override.code);
  if (override.state !== undefined) state.wipeStorage(account);
  for (const slots of [override.state, override.stateDiff]) {
    for (const [slot, value] of Object.entries(slots ?? {})) {
      state.setSlot(account, wordOf(slot), wordOf(value));
    }
  }
}

function wordOf(hex: string): bigint {
  if (!/^0x[0-9a-fA-F]{1,64}$/.test(hex)) {
    throw new EthereumError('INVALID_CALL', 'a storage word must be up to 32 bytes of 0x-hex');
  }
  return BigInt(hex);
}

/**
 * Least gas limit with which a call succeeds, by halving; the outcome at the highest limit when it
 * fails there too.
 * @throws EthereumError like {@link simulateCall}
 */
export async function estimateGas(
  ground: SimulationGround,
  request: CallRequest,
  overrides?: StateOverrides,
): Promise<{ readonly gas: number } | CallOutcome> {
  const most = Math.min(
    request.gas ?? ground.block.gasLimit,
    ground.fork.gas.maxTransactionGas,
    await affordable(ground, request, overrides),
  );
  const first = await simulate(ground, { ...request, gas: most }, overrides);
  if (first.outcome.status !== 'success') return first.outcome;
  let enough = most;
  let tooLittle = first.outcome.gasUsed - 1;
  // What it used, before refunds, with the 64th kept back on one level, is most often enough.
  let guess = Math.floor(((first.outcome.gasUsed + first.refund) * 64) / 63) + 2_300;
  while (tooLittle + 1 < enough) {
    const gas = guess > tooLittle && guess < enough ? guess : (tooLittle + enough) >> 1;
    guess = 0;
    if (await succeeds(ground, { ...request, gas }, overrides)) enough = gas;
    else tooLittle = gas;
  }
  return { gas: enough };
}

async function affordable(
  ground: SimulationGround,
  request: CallRequest,
  overrides: StateOverrides | undefined,
): Promise<number> {
  const price = request.gasPrice ?? request.maxFeePerGas ?? 0n;
  if (price === 0n) return Number.MAX_SAFE_INTEGER;
  const state = new ChainState(memorySink(ground.source));
  applyOverrides(state, overrides ?? {});
  const { balance } = state.account(request.from ?? zeroAddress);
  const spare = balance - (request.value ?? 0n);
  return spare < 0n ? 0 : Number(spare / price);
}

async function succeeds(
  ground: SimulationGround,
  request: CallRequest,
  overrides: StateOverrides | undefined,
): Promise<boolean> {
  try {
    return (await simulate(ground, request, overrides)).outcome.status === 'success';
  } catch (error) {
    if (error instanceof EthereumError && error.code === 'INTRINSIC_GAS_TOO_LOW') return false;
    throw error;
  }
}

/** What a call touches, as an access list; caller, target and precompiles left out where free. */
export async function accessListOf(
  ground: SimulationGround,
  request: CallRequest,
): Promise<{ readonly accessList: readonly AccessListEntry[]; readonly outcome: CallOutcome }> {
  if (!ground.fork.rules.berlin) {
    throw new EthereumError('INVALID_CALL', 'this fork has no access lists');
  }
  let accessList: readonly AccessListEntry[] = request.accessList ?? [];
  // A list changes gas, which may change the path; two rounds settle all but contrived code.
  for (let round = 0; ; round++) {
    const { outcome, accessed, contract } = await simulate(ground, { ...request, accessList });
    const found = entriesOf(ground.fork, request, accessed, contract);
    if (round > 0 && (round > 2 || key(found) === key(accessList))) {
      return { accessList: found, outcome };
    }
    accessList = found;
  }
}

const key = (list: readonly AccessListEntry[]): string =>
  list
    .map(({ address, storageKeys }) => Buffer.concat([address, ...storageKeys]).toString('hex'))
    .join(' ');

function entriesOf(
  fork: Fork,
  request: CallRequest,
  accessed: ReadonlyMap<Account, ReadonlySet<bigint>>,
  contract: Account | undefined,
): readonly AccessListEntry[] {
  const free = [request.from ?? zeroAddress, request.to ?? utf8('')].map((address) =>
    Buffer.from(address).toString('hex'),
  );
  const entries: AccessListEntry[] = [];
  for (const [account, slots] of accessed) {
    const isFree =
      free.includes(Buffer.from(account.address).toString('hex')) ||
      account === contract ||
      fork.precompiles.has(account.word);
    if (isFree && slots.size === 0) continue;
    const storageKeys = [...slots].toSorted((a, b) => (a < b ? -1 : 1)).map(toWord);
    entries.push({ address: account.address, storageKeys });
  }
  return entries.toSorted((a, b) => Buffer.compare(a.address, b.address));
}

/** A block's surroundings with what a caller wants to see in their place. */
export function overriddenBlock(block: BlockContext, overrides: BlockOverrides): BlockContext {
  const { number, timestamp, gasLimit, coinbase, prevRandao, baseFeePerGas } = overrides;
  return {
    ...block,
    number: number === undefined ? block.number : Number(number),
    timestamp: timestamp === undefined ? block.timestamp : Number(timestamp),
    // More gas than a block holds would let one call run for as long as it likes.
    gasLimit: Math.min(block.gasLimit, Number(gasLimit ?? block.gasLimit)),
    coinbase: coinbase ?? block.coinbase,
    prevRandao: prevRandao === undefined ? block.prevRandao : toBigInt(prevRandao),
    baseFee: baseFeePerGas ?? block.baseFee,
    blobBaseFee: overrides.blobBaseFee ?? block.blobBaseFee,
  };
}
