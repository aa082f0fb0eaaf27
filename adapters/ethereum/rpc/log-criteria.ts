import { toLatin1 } from '@concordat/std';
import type { LogView } from '../chain-reader.ts';
import { type BlockNumber, blockNumber } from './block-parameter.ts';
import { invalidParameter } from './errors.ts';
import { address, hash, list, member, object, type Reader } from './parameters.ts';

/** Which logs a caller wants (`eth_getLogs`, `eth_newFilter`, `eth_subscribe`). */
export interface LogCriteria {
  readonly fromBlock: BlockNumber | undefined;
  readonly toBlock: BlockNumber | undefined;
  /** One block by its hash (EIP-234); excludes the bounds. */
  readonly blockHash: Uint8Array | undefined;
  /** Any of these contracts; empty means any at all. */
  readonly addresses: readonly Uint8Array[];
  /** By position any of these topics; an empty position means any at all. */
  readonly topics: readonly (readonly Uint8Array[])[];
}

/** Addresses of one criteria, as Geth bounds it. */
export const maxCriteriaAddresses = 1_000;
/** Topic positions of a log. */
export const maxTopicPositions = 4;
/** Alternatives of one topic position. */
export const maxTopicAlternatives = 1_000;

/** Reads a filter object. @throws RpcError INVALID_PARAMETERS */
export const logCriteria: Reader<LogCriteria> = (value, at) => {
  const fields = object(value, at);
  const fromBlock = member(fields, 'fromBlock', at, blockNumber);
  const toBlock = member(fields, 'toBlock', at, blockNumber);
  const blockHash = member(fields, 'blockHash', at, hash);
  if (blockHash !== undefined && (fromBlock !== undefined || toBlock !== undefined)) {
    const why = 'cannot specify both blockHash and fromBlock/toBlock, choose one or the other';
    throw invalidParameter(at, why);
  }
  return {
    fromBlock,
    toBlock,
    blockHash,
    addresses: member(fields, 'address', at, oneOrMore(address, maxCriteriaAddresses)) ?? [],
    topics: member(fields, 'topics', at, list(topicPosition, maxTopicPositions)) ?? [],
  };
};

/** One position: null for any topic, a topic, or alternatives; a null alternative makes it any. */
function topicPosition(value: unknown, at: string): readonly Uint8Array[] {
  if (value === null) return [];
  const alternatives = oneOrMore(nullableHash, maxTopicAlternatives)(value, at);
  if (alternatives.includes(undefined)) return [];
  return alternatives as readonly Uint8Array[];
}

function nullableHash(value: unknown, at: string): Uint8Array | undefined {
  return value === null ? undefined : hash(value, at);
}

function oneOrMore<Value>(read: Reader<Value>, maxEntries: number): Reader<readonly Value[]> {
  const many = list(read, maxEntries);
  return (value, at) => (Array.isArray(value) ? many(value, at) : [read(value, at)]);
}

/** A test of logs against criteria, made once for the many logs of a subscription. */
export function logMatcher(criteria: LogCriteria): (log: LogView) => boolean {
  const addresses = new Set(criteria.addresses.map(toLatin1));
  const topics = criteria.topics.map((alternatives) => new Set(alternatives.map(toLatin1)));
  return (log) => {
    if (addresses.size > 0 && !addresses.has(toLatin1(log.address))) return false;
    if (topics.length > log.topics.length) return false;
    return topics.every(
      (wanted, index) => wanted.size === 0 || wanted.has(toLatin1(log.topics[index]!)),
    );
  };
}
