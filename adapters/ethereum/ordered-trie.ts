import { toMinimalBytes } from '@concordat/evm';
import { keccak256 } from './crypto.ts';
import { encodeRlp, wrapRlpList } from './rlp.ts';

/** Root of the trie without entries. */
export const emptyTrieRoot: Uint8Array = keccak256(Uint8Array.of(0x80));

/** A value with its key, spelled in nibbles. */
interface Entry {
  /** Nibbles of the key, one a byte. */
  readonly path: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * Root of the Merkle Patricia trie that maps RLP(index) to each value in order: a block's
 * transactions or receipts root (Yellow Paper, 4.3 and appendix D). Built bottom up in one pass;
 * nothing is stored.
 */
export function orderedTrieRoot(values: readonly Uint8Array[]): Uint8Array {
  return trieRoot(
    values.map((value, index) => [encodeRlp(toMinimalBytes(BigInt(index))), value] as const),
  );
}

/**
 * Root of the Merkle Patricia trie over keys and values in any order. No key may begin with another:
 * keys of one length, or canonical encodings.
 */
export function trieRoot(pairs: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array {
  if (pairs.length === 0) return emptyTrieRoot;
  const entries = pairs.map(([key, value]) => ({ path: nibbles(key), value }));
  entries.sort((a, b) => Buffer.compare(a.path, b.path));
  return keccak256(nodeOf(entries, 0, entries.length, 0));
}

function nibbles(key: Uint8Array): Uint8Array {
  const path = new Uint8Array(key.length * 2);
  for (let i = 0; i < key.length; i++) {
    const byte = key[i] as number;
    path[i * 2] = byte >> 4;
    path[i * 2 + 1] = byte & 15;
  }
  return path;
}

/** RLP of the node over the sorted entries from `start` to `end`, whose first `depth` agree. */
function nodeOf(entries: readonly Entry[], start: number, end: number, depth: number): Uint8Array {
  const first = entries[start] as Entry;
  if (end - start === 1) {
    return encodeRlp([hexPrefix(first.path, depth, first.path.length, true), first.value]);
  }
  const last = entries[end - 1] as Entry;
  let shared = depth;
  while (shared < first.path.length && first.path[shared] === last.path[shared]) shared++;
  if (shared > depth) {
    const below = nodeOf(entries, start, end, shared);
    return wrapRlpList([encodeRlp(hexPrefix(first.path, depth, shared, false)), reference(below)]);
  }
  return branchOf(entries, start, end, depth);
}

function branchOf(entries: readonly Entry[], start: number, end: number, depth: number) {
  const parts: Uint8Array[] = [];
  let at = start;
  for (let nibble = 0; nibble < 16; nibble++) {
    let next = at;
    while (next < end && (entries[next] as Entry).path[depth] === nibble) next++;
    parts.push(next === at ? emptyItem : reference(nodeOf(entries, at, next, depth + 1)));
    at = next;
  }
  // No key is a prefix of another, so a branch never holds a value.
  parts.push(emptyItem);
  return wrapRlpList(parts);
}

const emptyItem = Uint8Array.of(0x80);

/** How a parent names a node: by hash, or whole when it is shorter than one. */
function reference(node: Uint8Array): Uint8Array {
  return node.length < 32 ? node : encodeRlp(keccak256(node));
}

/** Compact form of a nibble run (Yellow Paper, appendix C). */
function hexPrefix(path: Uint8Array, start: number, end: number, isLeaf: boolean): Uint8Array {
  const odd = (end - start) % 2 === 1;
  const flag = (isLeaf ? 2 : 0) + (odd ? 1 : 0);
  const packed = new Uint8Array(1 + ((end - start) >> 1));
  packed[0] = (flag << 4) | (odd ? (path[start] as number) : 0);
  let at = start + (odd ? 1 : 0);
  for (let i = 1; i < packed.length; i++) {
    packed[i] = ((path[at] as number) << 4) | (path[at + 1] as number);
    at += 2;
  }
  return packed;
}
