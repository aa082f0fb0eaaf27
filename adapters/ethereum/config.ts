import { isForkName } from '@concordat/evm';
import { fromHex, isHex64, toLatin1, utf8 } from '@concordat/std';
import { initialBaseFee } from './block.ts';
import { keccak256 } from './crypto.ts';
import { type EngineName, isEngineName } from './engines.ts';
import { EthereumError } from './errors.ts';
import { defaultMaxTransactionBytes } from './transaction.ts';

/** Who may read code and raw storage slots; every other read goes through a contract's own rules. */
export interface ReadPolicy {
  /** `open`: any authenticated actor. `closed`: only actors with one of `roles`. */
  readonly code: 'open' | 'closed';
  readonly storage: 'open' | 'closed';
  readonly roles: readonly string[];
}

/** An account that a chain starts with. */
export interface AllocatedAccount {
  readonly address: Uint8Array;
  readonly balance: bigint;
  readonly nonce: bigint;
  readonly code: Uint8Array;
  readonly storage: readonly (readonly [slot: bigint, value: bigint])[];
}

/** The real block that a replay chain re-executes; hex as the header's JSON has it. */
export interface ReplayConfig {
  /** Canonical hash, 32 bytes. */
  readonly hash: Uint8Array;
  /** Header fields under the names of `data/mainnet`, 0x-hex. */
  readonly header: Readonly<Record<string, string>>;
  /** What BLOCKHASH answers, by number. */
  readonly blockHashes: ReadonlyMap<number, bigint>;
}

/** One chain of the network. */
export interface ChainConfig {
  /** 1-32 of a-z, 0-9, `-`; unique; part of the URL. */
  readonly name: string;
  readonly chainId: bigint;
  readonly hardfork: string;
  readonly gasLimit: number;
  readonly zeroFee: boolean;
  /** What executes its transactions; default `own`. */
  readonly engine: EngineName;
  /** 20 bytes; receives the priority fees. Default: the zero address. */
  readonly coinbase: Uint8Array;
  readonly maxTransactionBytes: number;
  readonly baseFee: bigint;
  readonly reads: ReadPolicy;
  readonly alloc: readonly AllocatedAccount[];
  readonly replay?: ReplayConfig;
  /** Key prefix of all its state, 4 characters: the head of keccak256(name). */
  readonly space: string;
}

/** `constitution.adapters.ethereum`, read. */
export interface EthereumConfig {
  /** At least one; the first is the default. */
  readonly chains: readonly ChainConfig[];
  /** 64 hex digits; then genesis wants exactly this genesis data. */
  readonly genesisDataSha256?: string;
}

/** Gas limit of a chain that names none. */
export const defaultGasLimit = 30_000_000;
/** Fork of a chain that names none. */
export const defaultHardfork = 'prague';
const mostChains = 1_024;

function invalid(path: string, why: string): never {
  throw new EthereumError('INVALID_CONFIGURATION', `${path}: ${why}`, { path });
}

type Json = Readonly<Record<string, unknown>>;

function object(value: unknown, path: string, keys: readonly string[]): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    invalid(path, 'must be an object');
  }
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) invalid(`${path}.${key}`, 'is not known');
  }
  return value as Json;
}

function text(value: unknown, path: string): string {
  return typeof value === 'string' ? value : invalid(path, 'must be a string');
}

function flag(value: unknown, path: string, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  return typeof value === 'boolean' ? value : invalid(path, 'must be true or false');
}

function integer(value: unknown, path: string, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
    invalid(path, `must be an integer from ${least} to ${most}`);
  }
  return value;
}

function quantity(value: unknown, path: string): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'string' && /^(0x[0-9a-fA-F]{1,64}|[0-9]{1,78})$/.test(value)) {
    const number = BigInt(value);
    if (number < 1n << 256n) return number;
  }
  return invalid(path, 'must be a quantity below 2^256: a number, decimal or 0x-hex');
}

function bytes(value: unknown, path: string, length?: number): Uint8Array {
  const hex = typeof value === 'string' && value.startsWith('0x') ? value.slice(2) : 'x';
  const read = fromHex(hex);
  if (read === undefined || (length !== undefined && read.length !== length)) {
    invalid(path, length === undefined ? 'must be 0x-hex' : `must be ${length} bytes of 0x-hex`);
  }
  return read;
}

/**
 * Reads the adapter's part of a constitution. Unknown keys are refused.
 * @throws EthereumError INVALID_CONFIGURATION with details {path}
 */
export function parseConfig(value: unknown): EthereumConfig {
  const json = object(value, 'ethereum', ['chains', 'genesisDataSha256']);
  if (!Array.isArray(json.chains) || json.chains.length === 0) {
    invalid('ethereum.chains', 'must be a list of at least one chain');
  }
  if (json.chains.length > mostChains) invalid('ethereum.chains', `more than ${mostChains}`);
  const chains = json.chains.map((chain, i) => parseChain(chain, `ethereum.chains[${i}]`));
  for (const key of ['name', 'space'] as const) {
    if (new Set(chains.map((chain) => chain[key])).size !== chains.length) {
      invalid('ethereum.chains', 'two chains have the same name');
    }
  }
  const digest = json.genesisDataSha256;
  if (digest !== undefined && !isHex64(digest)) {
    invalid('ethereum.genesisDataSha256', 'must be 64 lowercase hex digits');
  }
  return { chains, ...(digest === undefined ? {} : { genesisDataSha256: digest }) };
}

const chainKeys = [
  'name',
  'chainId',
  'hardfork',
  'gasLimit',
  'zeroFee',
  'engine',
  'coinbase',
  'maxTransactionBytes',
  'reads',
  'alloc',
  'replay',
];

function parseChain(value: unknown, path: string): ChainConfig {
  const json = object(value, path, chainKeys);
  const name = text(json.name, `${path}.name`);
  if (!/^[a-z0-9-]{1,32}$/.test(name)) invalid(`${path}.name`, 'must be 1-32 of a-z, 0-9 and -');
  const replay = json.replay === undefined ? undefined : parseReplay(json, path);
  const hardfork = json.hardfork === undefined ? defaultHardfork : json.hardfork;
  // Receipts before Byzantium hold state roots, which only a trie could give.
  const least = replay === undefined ? 'byzantium' : 'chainstart';
  if (!isForkName(text(hardfork, `${path}.hardfork`), least)) {
    invalid(`${path}.hardfork`, 'is not a fork this version runs');
  }
  const zeroFee = flag(json.zeroFee, `${path}.zeroFee`, replay === undefined);
  const head = replay?.header ?? {};
  const gasLimit = replay === undefined ? (json.gasLimit ?? defaultGasLimit) : gasOf(head);
  return {
    name,
    chainId: BigInt(integer(json.chainId, `${path}.chainId`, 1, Number.MAX_SAFE_INTEGER)),
    hardfork: hardfork as string,
    gasLimit: integer(gasLimit, `${path}.gasLimit`, 21_000, 2 ** 40),
    zeroFee,
    engine: parseEngine(json.engine ?? 'own', `${path}.engine`),
    coinbase: bytes(json.coinbase ?? head.coinbase ?? zeroAddress, `${path}.coinbase`, 20),
    maxTransactionBytes: integer(
      json.maxTransactionBytes ?? defaultMaxTransactionBytes,
      `${path}.maxTransactionBytes`,
      1_024,
      16 * 1024 * 1024,
    ),
    baseFee: zeroFee ? 0n : initialBaseFee,
    reads: parseReads(json.reads ?? {}, `${path}.reads`),
    alloc: parseAlloc(json.alloc ?? {}, `${path}.alloc`),
    ...(replay === undefined ? {} : { replay }),
    space: toLatin1(keccak256(utf8(name)).subarray(0, 4)),
  };
}

const parseEngine = (value: unknown, path: string): EngineName =>
  isEngineName(value) ? value : invalid(path, 'must be "own" or "reference"');

const zeroAddress = `0x${'00'.repeat(20)}`;
const gasOf = (header: Readonly<Record<string, string>>): number => Number(header.gasLimit);

function parseReads(value: unknown, path: string): ReadPolicy {
  const json = object(value, path, ['code', 'storage', 'roles']);
  const rule = (key: 'code' | 'storage', otherwise: 'open' | 'closed'): 'open' | 'closed' => {
    const given = json[key] ?? otherwise;
    return given === 'open' || given === 'closed'
      ? given
      : invalid(`${path}.${key}`, 'must be "open" or "closed"');
  };
  const roles = json.roles ?? [];
  if (!Array.isArray(roles)) invalid(`${path}.roles`, 'must be a list of role names');
  return {
    code: rule('code', 'open'),
    storage: rule('storage', 'closed'),
    roles: roles.map((role, i) => text(role, `${path}.roles[${i}]`)),
  };
}

function parseAlloc(value: unknown, path: string): readonly AllocatedAccount[] {
  if (typeof value !== 'object' || value === null) invalid(path, 'must be an object');
  return Object.entries(value).map(([address, entry]) => {
    const at = `${path}.${address}`;
    const json = object(entry, at, ['balance', 'nonce', 'code', 'storage']);
    const storage = Object.entries((json.storage ?? {}) as Json);
    return {
      address: bytes(address.startsWith('0x') ? address : `0x${address}`, at, 20),
      balance: quantity(json.balance, `${at}.balance`),
      nonce: quantity(json.nonce ?? 0, `${at}.nonce`),
      code: bytes(json.code ?? '0x', `${at}.code`),
      storage: storage.map(([slot, word]) => [
        quantity(slot, `${at}.storage`),
        quantity(word, `${at}.storage.${slot}`),
      ]),
    };
  });
}

const neededHeaderFields = [
  'parentHash',
  'coinbase',
  'difficulty',
  'number',
  'gasLimit',
  'timestamp',
  'mixHash',
];

function parseReplay(chain: Json, chainPath: string): ReplayConfig {
  const path = `${chainPath}.replay`;
  const json = object(chain.replay, path, ['hash', 'header', 'blockHashes']);
  if (chain.gasLimit !== undefined || chain.coinbase !== undefined) {
    invalid(path, 'gas limit and coinbase of a replay come from its header');
  }
  const header = json.header;
  if (typeof header !== 'object' || header === null) invalid(`${path}.header`, 'must be an object');
  for (const field of neededHeaderFields) {
    if (!(field in header)) invalid(`${path}.header.${field}`, 'is missing');
  }
  for (const [field, hex] of Object.entries(header)) {
    if (typeof hex !== 'string' || !/^0x[0-9a-f]*$/.test(hex)) {
      invalid(`${path}.header.${field}`, 'must be lowercase 0x-hex');
    }
  }
  const hashes = Object.entries((json.blockHashes ?? {}) as Json).map(
    ([number, hash]) =>
      [
        integer(Number(number), `${path}.blockHashes`, 0, Number.MAX_SAFE_INTEGER),
        quantity(hash, `${path}.blockHashes.${number}`),
      ] as const,
  );
  return {
    hash: bytes(json.hash, `${path}.hash`, 32),
    header: header as Record<string, string>,
    blockHashes: new Map(hashes),
  };
}
