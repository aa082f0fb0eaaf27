import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { fromHex } from '@concordat/std';
import { EthereumError } from './errors.ts';

/** One real mainnet block as stored in `data/mainnet` (its README has the provenance). */
export interface MainnetBlock {
  readonly number: number;
  /** Canonical hash, 0x and 64 hex digits. */
  readonly hash: string;
  /** The library's name of the fork in force. */
  readonly hardfork: string;
  /** Header fields in hex under the library's names (`uncleHash`, `receiptTrie`, ...). */
  readonly header: Readonly<Record<string, string>>;
  /** Hashes that BLOCKHASH looks up in this block, by number. */
  readonly blockHashes: Readonly<Record<string, string>>;
  readonly transactions: readonly {
    readonly raw: string;
    readonly hash: string;
    readonly from: string;
  }[];
  /** What the block reads, before it. */
  readonly preState: Readonly<Record<string, MainnetAccount>>;
}

/** One account of a block's pre-state; all numbers hex. */
export interface MainnetAccount {
  readonly nonce: string;
  readonly balance: string;
  readonly codeHash?: string;
  readonly storage?: Readonly<Record<string, string>>;
}

/** One line of `data/mainnet/index.json`. */
export interface MainnetIndexEntry {
  readonly number: number;
  readonly hardfork: string;
  readonly txs: number;
  readonly gasUsed: number;
}

const folder = new URL('./data/mainnet/', import.meta.url);

function readJson(name: string): unknown {
  const bytes = readFileSync(fileURLToPath(new URL(name, folder)));
  return JSON.parse((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
}

/** The blocks there are, lowest first. Reads files: for demonstration, tests and benchmarks. */
export function mainnetIndex(): readonly MainnetIndexEntry[] {
  return (readJson('index.json') as MainnetIndexEntry[]).toSorted((a, b) => a.number - b.number);
}

/** Reads one block. */
export function mainnetBlock(number: number): MainnetBlock {
  return readJson(`blocks/${number}.json.gz`) as MainnetBlock;
}

let codes: Readonly<Record<string, string>> | undefined;

/** Contract code by its hash (0x and 64 digits). @throws EthereumError MALFORMED when it is absent */
export function mainnetCode(codeHash: string): Uint8Array {
  codes ??= readJson('codes.json.gz') as Record<string, string>;
  const hex = codes[codeHash];
  const code = hex === undefined ? undefined : fromHex(hex.slice(2));
  if (code === undefined) throw new EthereumError('MALFORMED', `no code of hash ${codeHash}`);
  return code;
}
