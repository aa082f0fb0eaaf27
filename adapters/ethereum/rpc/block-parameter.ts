import type { BlockReference } from '../chain-reader.ts';
import { invalidParameter } from './errors.ts';
import { readCount } from './hex.ts';
import { flag, hash, member, object, type Reader } from './parameters.ts';

/** A block by tag or number. Every committed block is final, so most tags mean `latest`. */
export type BlockNumber = Exclude<BlockReference, Uint8Array>;

const tags: ReadonlySet<string> = new Set(['earliest', 'latest', 'pending', 'safe', 'finalized']);

/** Reads a block tag or number. @throws RpcError INVALID_PARAMETERS */
export const blockNumber: Reader<BlockNumber> = (value, at) => {
  if (typeof value === 'string' && tags.has(value)) return value as BlockNumber;
  return readCount(value, at);
};

/** Reads a block tag, number, hash, or an EIP-1898 object. @throws RpcError INVALID_PARAMETERS */
export const blockReference: Reader<BlockReference> = (value, at) => {
  if (typeof value === 'object' && value !== null) return readObject(value, at);
  if (typeof value === 'string' && value.length === 66) return hash(value, at);
  return blockNumber(value, at);
};

function readObject(value: object, at: string): BlockReference {
  const fields = object(value, at);
  const byNumber = member(fields, 'blockNumber', at, blockNumber);
  const byHash = member(fields, 'blockHash', at, hash);
  // There is one chain and no side blocks, so every block found is canonical.
  member(fields, 'requireCanonical', at, flag);
  if (byNumber !== undefined && byHash !== undefined) {
    throw invalidParameter(at, 'cannot specify both blockHash and blockNumber, choose one');
  }
  const reference = byHash ?? byNumber;
  if (reference === undefined) throw invalidParameter(at, 'needs blockNumber or blockHash');
  return reference;
}
