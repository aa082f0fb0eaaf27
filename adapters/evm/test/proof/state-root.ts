import { keccak256 } from '../../../ethereum/crypto.ts';
import { trieRoot } from '../../../ethereum/ordered-trie.ts';
import { encodeRlp } from '../../../ethereum/rlp.ts';
import { toMinimalBytes } from '../../index.ts';
import type { EndAccount, WorldAccount } from './world.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1');

// Most slots and addresses of a run recur in it. Insertion order = age.
const hashes = new Map<string, Uint8Array>();
const rememberedHashes = 65_536;

function hashOfKey(key: string): Uint8Array {
  const known = hashes.get(key);
  if (known !== undefined) return known;
  const hash = keccak256(bytesOf(key)).slice();
  if (hashes.size >= rememberedHashes) hashes.delete(hashes.keys().next().value as string);
  hashes.set(key, hash);
  return hash;
}

/** Hash over a storage (Yellow Paper, 4.1): the secure trie of its slots that are not 0. */
function storageRoot(storage: ReadonlyMap<string, bigint>): Uint8Array {
  const pairs: [Uint8Array, Uint8Array][] = [];
  for (const [slot, value] of storage) {
    if (value !== 0n) pairs.push([hashOfKey(slot), encodeRlp(toMinimalBytes(value))]);
  }
  return trieRoot(pairs);
}

const untouched = new WeakMap<WorldAccount, Uint8Array>();

function storageRootOf({ before, slots, wiped }: EndAccount): Uint8Array {
  if (before === undefined || wiped) return storageRoot(slots);
  if (slots.size > 0) return storageRoot(new Map([...before.storage, ...slots]));
  const known = untouched.get(before) ?? storageRoot(before.storage);
  untouched.set(before, known);
  return known;
}

/** State root of the accounts a state consists of (Yellow Paper, 4.1). */
export function stateRoot(accounts: ReadonlyMap<string, EndAccount>): Uint8Array {
  return trieRoot(
    [...accounts].map(([key, account]) => [
      hashOfKey(key),
      encodeRlp([
        toMinimalBytes(account.nonce),
        toMinimalBytes(account.balance),
        storageRootOf(account),
        bytesOf(account.codeKey),
      ]),
    ]),
  );
}
