import {
  type BlockEnvironment,
  type CallResult,
  type EvmHost,
  intrinsicGas,
  precompilesOf,
  toBigInt,
} from '@concordat/evm';
import { emptyBytes, toHex } from '@concordat/std';
import type {
  AccessListEntry,
  BlockOverrides,
  CallOutcome,
  CallRequest,
  StateOverrides,
} from './chain-reader.ts';
import { EthereumError } from './errors.ts';
import type { CallMessage, Simulator } from './executor.ts';
import type { Fork } from './fork.ts';
import { overriddenState } from './overridden-state.ts';
import { accountKey, readAccount } from './state-source.ts';

const zeroAddress = new Uint8Array(20);

/** What a simulated call runs on. */
export interface SimulationGround {
  readonly fork: Fork;
  readonly source: EvmHost;
  readonly block: BlockEnvironment;
  readonly simulator: Simulator;
}

/**
 * Runs a message call on a state that it leaves as it was.
 * @throws EthereumError INSUFFICIENT_FUNDS, INTRINSIC_GAS_TOO_LOW, FEE_TOO_LOW, INVALID_CALL
 */
export async function simulateCall(
  ground: SimulationGround,
  request: CallRequest,
  overrides?: StateOverrides,
): Promise<CallOutcome> {
  return outcomeOf(await simulate(overridden(ground, overrides), request));
}

const overridden = (ground: SimulationGround, overrides?: StateOverrides): SimulationGround =>
  overrides === undefined
    ? ground
    : { ...ground, source: overriddenState(ground.source, overrides) };

function simulate(
  { fork, source, block, simulator }: SimulationGround,
  request: CallRequest,
  recordAccesses = false,
): CallResult | Promise<CallResult> {
  const message = { ...messageOf(request, block), recordAccesses };
  const { gas, gasPrice } = message;
  const { intrinsic, floor } = intrinsicGas({ ...message, authorizationList: [] }, fork);
  if (gas < Math.max(intrinsic, floor)) {
    throw new EthereumError('INTRINSIC_GAS_TOO_LOW', `gas ${gas} is below ${intrinsic}`);
  }
  // Without a price nothing is paid, whatever the base fee.
  const baseFee = gasPrice === 0n ? 0n : block.baseFee;
  if (gasPrice < baseFee) {
    throw new EthereumError('FEE_TOO_LOW', `offers ${gasPrice} wei a gas, base fee is ${baseFee}`);
  }
  const balance = balanceOf(source, message.from);
  const needed = message.value + BigInt(gas) * gasPrice;
  if (balance < needed) {
    throw new EthereumError('INSUFFICIENT_FUNDS', `the caller has ${balance} wei, needs ${needed}`);
  }
  return simulator.call(source, message, block);
}

const balanceOf = (source: EvmHost, address: Uint8Array): bigint =>
  readAccount(source, accountKey(address))?.balance ?? 0n;

const outcomeOf = ({ status, output, error, gasUsed }: CallResult): CallOutcome => ({
  status,
  output,
  ...(error === undefined ? {} : { error }),
  gasUsed,
});

/** What a caller offers a gas: a call pays the cap itself, for there is no tip to give. */
const priceOf = (request: CallRequest): bigint => request.gasPrice ?? request.maxFeePerGas ?? 0n;

function messageOf(
  request: CallRequest,
  block: BlockEnvironment,
): Omit<CallMessage, 'recordAccesses'> {
  const gas = Math.min(request.gas ?? block.gasLimit, block.gasLimit);
  if (!Number.isSafeInteger(gas) || gas < 0) {
    throw new EthereumError('INVALID_CALL', 'gas must be a non-negative integer');
  }
  return {
    from: request.from ?? zeroAddress,
    ...(request.to === undefined ? {} : { to: request.to }),
    ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
    gas,
    gasPrice: priceOf(request),
    value: request.value ?? 0n,
    data: request.data ?? emptyBytes,
    accessList: request.accessList ?? [],
  };
}

/**
 * Least gas limit with which a call succeeds, by halving; the outcome at the highest limit when it
 * fails there too.
 * @throws EthereumError like {@link simulateCall}
 */
export async function estimateGas(
  given: SimulationGround,
  request: CallRequest,
  overrides?: StateOverrides,
): Promise<{ readonly gas: number } | CallOutcome> {
  const ground = overridden(given, overrides);
  const most = Math.min(
    request.gas ?? ground.block.gasLimit,
    ground.fork.prices.maxTransactionGas,
    affordable(ground.source, request),
  );
  const first = await simulate(ground, { ...request, gas: most });
  if (first.status !== 'success') return outcomeOf(first);
  let enough = most;
  let tooLittle = first.gasUsed - 1;
  // What it used, before refunds, with the 64th kept back on one level, is most often enough.
  let guess = Math.floor(((first.gasUsed + first.refund) * 64) / 63) + 2_300;
  while (tooLittle + 1 < enough) {
    const gas = guess > tooLittle && guess < enough ? guess : (tooLittle + enough) >> 1;
    guess = 0;
    if (await succeeds(ground, { ...request, gas })) enough = gas;
    else tooLittle = gas;
  }
  return { gas: enough };
}

function affordable(source: EvmHost, request: CallRequest): number {
  const price = priceOf(request);
  if (price === 0n) return Number.MAX_SAFE_INTEGER;
  const spare = balanceOf(source, request.from ?? zeroAddress) - (request.value ?? 0n);
  return spare < 0n ? 0 : Number(spare / price);
}

async function succeeds(ground: SimulationGround, request: CallRequest): Promise<boolean> {
  try {
    return (await simulate(ground, request)).status === 'success';
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
  let accessList = request.accessList ?? [];
  // A list changes gas, which may change the path; what one round found stays for the next.
  for (let round = 0; ; round++) {
    const result = await simulate(ground, { ...request, accessList }, true);
    const found = payingEntries(ground.fork, request, { ...result, given: accessList });
    if (round > 0 && (round > 2 || key(found) === key(accessList))) {
      return { accessList: found, outcome: outcomeOf(result) };
    }
    accessList = found;
  }
}

const key = (list: readonly AccessListEntry[]): string =>
  list
    .map(({ address, storageKeys }) => Buffer.concat([address, ...storageKeys]).toString('hex'))
    .join(' ');

/** What was given and what was met, without what is warm anyway, ordered by address and slot. */
function payingEntries(
  fork: Fork,
  request: CallRequest,
  met: CallResult & { readonly given: readonly AccessListEntry[] },
): readonly AccessListEntry[] {
  const { accessed = [], contractAddress = emptyBytes, given } = met;
  const parties = [request.from ?? zeroAddress, request.to ?? emptyBytes, contractAddress];
  const free = new Set(parties.map(toHex));
  const precompiles = precompilesOf(fork.revision);
  const slots = new Map<string, Set<string>>();
  for (const { address, storageKeys } of [...given, ...accessed]) {
    const name = toHex(address);
    const known = slots.get(name) ?? new Set();
    for (const slot of storageKeys) known.add(toHex(slot));
    slots.set(name, known);
  }
  const entries: AccessListEntry[] = [];
  for (const [name, keys] of slots) {
    const isFree = free.has(name) || precompiles.has(Number(`0x${name}`));
    if (isFree && keys.size === 0) continue;
    const storageKeys = [...keys].sort().map(bytesOf);
    entries.push({ address: bytesOf(name), storageKeys });
  }
  return entries.toSorted((a, b) => Buffer.compare(a.address, b.address));
}

const bytesOf = (hex: string): Uint8Array => Buffer.from(hex, 'hex');

/** A block's surroundings with what a caller wants to see in their place. */
export function overriddenBlock(
  block: BlockEnvironment,
  overrides: BlockOverrides,
): BlockEnvironment {
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
