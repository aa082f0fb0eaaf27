import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import type { TransactionFields } from '../../../ethereum/chain-reader.ts';
import { keccak256 } from '../../../ethereum/crypto.ts';
import { type BlockEnvironment, blobBaseFee, forkOf, revisions } from '../../index.ts';
import type { World, WorldAccount } from './world.ts';

/** One test as `ethereum/tests` writes it, without what no engine reads. */
export interface StateTest {
  readonly env: Readonly<Record<string, string>>;
  readonly pre: Readonly<
    Record<
      string,
      {
        readonly nonce: string;
        readonly balance: string;
        readonly code: string;
        readonly storage: Readonly<Record<string, string>>;
      }
    >
  >;
  readonly transaction: StateTestTransaction;
  readonly post: Readonly<Record<string, readonly StateTestCase[]>>;
}

/** The transactions of a test; a case picks one of each list. */
export interface StateTestTransaction {
  readonly data: readonly string[];
  readonly gasLimit: readonly string[];
  readonly value: readonly string[];
  readonly nonce: string;
  readonly sender: string;
  readonly to: string;
  readonly gasPrice?: string;
  readonly maxFeePerGas?: string;
  readonly maxPriorityFeePerGas?: string;
  readonly maxFeePerBlobGas?: string;
  readonly blobVersionedHashes?: readonly string[];
  readonly accessLists?: readonly (readonly {
    readonly address: string;
    readonly storageKeys: readonly string[];
  }[])[];
}

/** One case: which transaction, and what it must come to. */
export interface StateTestCase {
  readonly indexes: { readonly data: number; readonly gas: number; readonly value: number };
  /** State root after it. */
  readonly hash: string;
  /** keccak256 of the RLP of its logs. */
  readonly logs: string;
  readonly expectException?: string;
  /** The signed transaction, kept where the refusal lies in its encoding. */
  readonly txbytes?: string;
}

/** One test with its place: `folder/file` and its name in the file. */
export interface NamedStateTest {
  readonly file: string;
  readonly name: string;
  readonly test: StateTest;
}

/** Tests that take minutes, by name: `npm run prove:evm` runs them too. */
export const endlessTests: readonly string[] = ['CALLBlake2f_MaxRounds'];

const archive = new URL('../data/state-tests.jsonl.br', import.meta.url);

/** Every state test, in the order of their files. 19 MB of text, so it is read once a process. */
export function readStateTests(): readonly NamedStateTest[] {
  const text = brotliDecompressSync(readFileSync(archive)).toString('utf8');
  return text.split('\n').map((line) => {
    const [file, name, test] = JSON.parse(line) as [string, string, StateTest];
    return { file, name, test };
  });
}

/** Names of `ethereum/tests` for the forks; the library's are in lower case but for these. */
const forkNames: Readonly<Record<string, string>> = {
  Frontier: 'chainstart',
  ConstantinopleFix: 'petersburg',
};

/** The library's name of a test's fork. */
export const forkNameOf = (name: string): string => forkNames[name] ?? name.toLowerCase();

const bytesOf = (hex: string): Uint8Array => Buffer.from(hex.slice(2), 'hex');
const numberOf = (hex: string): bigint => (hex === '0x' ? 0n : BigInt(hex));

/** The state before a test. */
export function worldOf({ pre }: StateTest): World {
  const world = new Map<string, WorldAccount>();
  for (const [address, { nonce, balance, code, storage }] of Object.entries(pre)) {
    const slots = Object.entries(storage).map(
      ([slot, value]) => [nameOfSlot(numberOf(slot)), numberOf(value)] as const,
    );
    world.set(Buffer.from(address.slice(2), 'hex').toString('latin1'), {
      nonce: numberOf(nonce),
      balance: numberOf(balance),
      code: bytesOf(code),
      storage: new Map(slots.filter(([, value]) => value !== 0n)),
    });
  }
  return world;
}

const nameOfSlot = (slot: bigint): string =>
  Buffer.from(slot.toString(16).padStart(64, '0'), 'hex').toString('latin1');

/** The block of a test; its BLOCKHASH is the hash of the number's decimal digits. */
export function blockOf({ env }: StateTest, fork: string): BlockEnvironment {
  const number = (name: string): bigint => numberOf(env[name] ?? '0x0');
  const rules = forkOf(fork);
  return {
    number: Number(number('currentNumber')),
    timestamp: Number(number('currentTimestamp')),
    coinbase: bytesOf(env.currentCoinbase as string),
    // Exact: the tests go beyond 2^53, which no header does. The engine takes a bigint as well.
    gasLimit: number('currentGasLimit') as unknown as number,
    difficulty: number('currentDifficulty'),
    prevRandao: number('currentRandom'),
    baseFee: rules.revision >= revisions.london ? number('currentBaseFee') : 0n,
    blobBaseFee: blobBaseFee(forkOf(fork), number('currentExcessBlobGas')),
    blockHash: (wanted) =>
      BigInt(`0x${Buffer.from(keccak256(Buffer.from(`${wanted}`))).toString('hex')}`),
  };
}

/** The fields of the transaction that a case picks. */
export function fieldsOf(test: StateTest, { indexes }: StateTestCase): TransactionFields {
  const { transaction: t } = test;
  const accessList = t.accessLists?.[indexes.data];
  const price = numberOf(t.maxFeePerGas ?? t.gasPrice ?? '0x0');
  const blobs = t.maxFeePerBlobGas !== undefined;
  const type = blobs ? 3 : t.maxFeePerGas !== undefined ? 2 : accessList === undefined ? 0 : 1;
  return {
    type,
    chainId: 1n,
    nonce: numberOf(t.nonce),
    maxFeePerGas: price,
    maxPriorityFeePerGas: numberOf(t.maxPriorityFeePerGas ?? t.gasPrice ?? '0x0'),
    gasLimit: numberOf(t.gasLimit[indexes.gas] as string),
    ...(t.to === '' ? {} : { to: bytesOf(t.to) }),
    value: numberOf(t.value[indexes.value] as string),
    data: bytesOf(t.data[indexes.data] as string),
    accessList: (accessList ?? []).map((entry) => ({
      address: bytesOf(entry.address),
      storageKeys: entry.storageKeys.map(bytesOf),
    })),
    authorizationList: [],
    blobVersionedHashes: (t.blobVersionedHashes ?? []).map(bytesOf),
    maxFeePerBlobGas: numberOf(t.maxFeePerBlobGas ?? '0x0'),
    v: 0n,
    yParity: 0,
    r: 1n,
    s: 1n,
  };
}
