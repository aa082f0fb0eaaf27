import type { TransactionFields } from '../../../ethereum/chain-reader.ts';
import type { Execution } from '../proof/executor.ts';
import { blockHashOf } from './fuzz-case.ts';

/** An execution as JSON: numbers of any size as `"12n"`, bytes as `"0x..."`, maps as lists. */
export function writeCase(execution: Execution): string {
  const world = [...execution.world].map(([key, { storage, ...account }]) => ({
    address: Buffer.from(key, 'latin1'),
    ...account,
    storage: [...storage].map(([slot, value]) => [Buffer.from(slot, 'latin1'), value]),
  }));
  return `${JSON.stringify(plain({ ...execution, world }), undefined, 1)}\n`;
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => typeof item !== 'function')
      .map(([name, item]) => [name, plain(item)]),
  );
}

function rich(value: unknown): unknown {
  if (typeof value === 'string') {
    if (/^\d+n$/.test(value)) return BigInt(value.slice(0, -1));
    if (value.startsWith('0x')) return new Uint8Array(Buffer.from(value.slice(2), 'hex'));
  }
  if (Array.isArray(value)) return value.map(rich);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, rich(item)]));
}

interface Written {
  readonly fork: string;
  readonly chainId: bigint;
  readonly from: Uint8Array;
  readonly fields: TransactionFields;
  readonly followers: NonNullable<Execution['followers']>;
  readonly block: Omit<Execution['block'], 'blockHash'>;
  readonly world: readonly {
    readonly address: Uint8Array;
    readonly nonce: bigint;
    readonly balance: bigint;
    readonly code: Uint8Array;
    readonly storage: readonly (readonly [Uint8Array, bigint])[];
  }[];
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Reads what {@link writeCase} wrote. */
export function parseCase(text: string): Execution {
  const written = rich(JSON.parse(text)) as Written;
  const world = written.world.map(({ address, storage, ...account }) => {
    const slots = new Map(storage.map(([slot, value]) => [latin1(slot), value]));
    return [latin1(address), { ...account, storage: slots }] as const;
  });
  const block = { ...written.block, blockHash: blockHashOf };
  return { ...written, block, world: new Map(world) };
}
