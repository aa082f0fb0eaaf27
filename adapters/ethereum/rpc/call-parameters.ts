import type {
  AccessListEntry,
  BlockOverrides,
  CallRequest,
  StateOverride,
  StateOverrides,
} from '../chain-reader.ts';
import { invalidParameter, RpcError } from './errors.ts';
import { toData } from './hex.ts';
import {
  address,
  data,
  hash,
  list,
  member,
  object,
  quantity,
  type Reader,
  requiredMember,
} from './parameters.ts';

/** Bytes of call data, init code or raw transaction one call may carry. */
export const maxCallDataBytes = 1_048_576;
/** Bytes of code in a state override; a multiple of EIP-170's limit, for unoptimised builds. */
const maxOverrideCodeBytes = 196_608;
const maxAccessListEntries = 1_000;
const maxOverriddenAccounts = 1_000;
const maxOverriddenSlots = 10_000;

const callData = data(maxCallDataBytes);
const word = quantity(256);

/** A type without its undefined members, as exact optional properties want it. */
type Present<Fields> = { [Name in keyof Fields]: Exclude<Fields[Name], undefined> };

/** Leaves out members that are undefined. */
function present<Fields extends object>(fields: Fields): Partial<Present<Fields>> {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as Partial<Present<Fields>>;
}

/**
 * Reads a transaction object of `eth_call`, `eth_estimateGas` and `eth_createAccessList`. Members
 * it does not know are ignored, as every client node does. @throws RpcError INVALID_PARAMETERS
 */
export const callRequest: Reader<CallRequest> = (value, at) => {
  const fields = object(value, at);
  refuseBlobs(fields, at);
  const gas = member(fields, 'gas', at, quantity(64));
  const fees = {
    gasPrice: member(fields, 'gasPrice', at, word),
    maxFeePerGas: member(fields, 'maxFeePerGas', at, word),
    maxPriorityFeePerGas: member(fields, 'maxPriorityFeePerGas', at, word),
  };
  const dynamic = fees.maxFeePerGas !== undefined || fees.maxPriorityFeePerGas !== undefined;
  if (fees.gasPrice !== undefined && dynamic) {
    const why = 'both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified';
    throw invalidParameter(at, why);
  }
  return present({
    from: member(fields, 'from', at, address),
    to: member(fields, 'to', at, address),
    // A caller may offer more than a block holds; the chain bounds it.
    gas: gas === undefined ? undefined : Number(gas < maxSafe ? gas : maxSafe),
    ...fees,
    value: member(fields, 'value', at, word),
    data: callInput(fields, at),
    nonce: member(fields, 'nonce', at, quantity(64)),
    accessList: member(fields, 'accessList', at, accessList),
  });
};

const maxSafe = BigInt(Number.MAX_SAFE_INTEGER);

/** `input` is the newer name of `data`; both may be sent when they agree. */
function callInput(fields: Readonly<Record<string, unknown>>, at: string): Uint8Array | undefined {
  const input = member(fields, 'input', at, callData);
  const older = member(fields, 'data', at, callData);
  if (input && older && Buffer.compare(input, older) !== 0) {
    throw invalidParameter(at, 'both "data" and "input" are set and not equal');
  }
  return input ?? older;
}

function refuseBlobs(fields: Readonly<Record<string, unknown>>, at: string): void {
  for (const name of ['blobVersionedHashes', 'blobs', 'maxFeePerBlobGas']) {
    const present = member(fields, name, at, (value) => value);
    if (present !== undefined) throw invalidParameter(at, 'blob transactions are not supported');
  }
}

const accessListEntry: Reader<AccessListEntry> = (value, at) => {
  const fields = object(value, at);
  return {
    address: requiredMember(fields, 'address', at, address),
    storageKeys: requiredMember(fields, 'storageKeys', at, list(hash, maxAccessListEntries)),
  };
};

const accessList = list(accessListEntry, maxAccessListEntries);

/** Reads a state override set (Geth's third parameter of `eth_call`). */
export const stateOverrides: Reader<StateOverrides> = (value, at) => {
  const accounts = Object.entries(object(value, at));
  if (accounts.length > maxOverriddenAccounts) {
    throw invalidParameter(at, `overrides of more than ${maxOverriddenAccounts} accounts`);
  }
  const overrides: Record<string, StateOverride> = Object.create(null);
  for (const [name, account] of accounts) {
    const key = toData(address(name, `${at}, account address`));
    overrides[key] = stateOverride(account, `${at}, account ${key}`);
  }
  return overrides;
};

function stateOverride(value: unknown, at: string): StateOverride {
  const fields = object(value, at);
  const state = member(fields, 'state', at, slots);
  const stateDiff = member(fields, 'stateDiff', at, slots);
  if (state && stateDiff) throw invalidParameter(at, 'has both "state" and "stateDiff"');
  if (member(fields, 'movePrecompileToAddress', at, address)) {
    throw invalidParameter(at, 'movePrecompileToAddress is not supported');
  }
  return present({
    balance: member(fields, 'balance', at, word),
    nonce: member(fields, 'nonce', at, quantity(64)),
    code: member(fields, 'code', at, data(maxOverrideCodeBytes)),
    state,
    stateDiff,
  });
}

const slots: Reader<Readonly<Record<string, string>>> = (value, at) => {
  const entries = Object.entries(object(value, at));
  if (entries.length > maxOverriddenSlots) {
    throw invalidParameter(at, `overrides of more than ${maxOverriddenSlots} slots`);
  }
  const read: Record<string, string> = Object.create(null);
  for (const [slot, word] of entries) {
    read[toData(hash(slot, `${at}, slot`))] = toData(hash(word, `${at}, slot ${slot}`));
  }
  return read;
};

/** Reads a block override set (Geth's fourth parameter of `eth_call`). */
export const blockOverrides: Reader<BlockOverrides> = (value, at) => {
  const fields = object(value, at);
  for (const name of ['difficulty', 'withdrawals', 'beaconRoot']) {
    if (member(fields, name, at, (given) => given) !== undefined) {
      throw new RpcError('INVALID_PARAMETERS', `${at}: override of ${name} is not supported`);
    }
  }
  return present({
    number: member(fields, 'number', at, quantity(64)),
    timestamp: member(fields, 'time', at, quantity(64)),
    gasLimit: member(fields, 'gasLimit', at, quantity(64)),
    coinbase: member(fields, 'feeRecipient', at, address),
    prevRandao: member(fields, 'prevRandao', at, hash),
    baseFeePerGas: member(fields, 'baseFeePerGas', at, word),
    blobBaseFee: member(fields, 'blobBaseFee', at, word),
  });
};
