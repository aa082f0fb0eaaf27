import { messagesTable } from '@concordat/governance';
import { decodeWriteSet, type ReadView, type TableDeclaration } from '@concordat/kv';
import { fromUtf8 } from '@concordat/std';

/** Prefix of every public table that is not an application's. */
export const frameworkPrefix = 'public:concordat.';

/** Public tables an auditor looks into (docs/format/governance.md). */
export const tableNames = {
  messages: messagesTable,
  nodes: 'public:concordat.nodes',
  proposals: 'public:concordat.gov.proposals',
  configuration: 'public:concordat.configuration',
  openings: 'public:concordat.openings',
  epoch: 'public:concordat.epoch',
  sessionKeys: 'public:concordat.session-keys',
  evidence: 'public:concordat.evidence',
  recoveredFrom: 'public:concordat.recovered-from',
  recovery: 'public:concordat.recovery',
  recoveryConsents: 'public:concordat.recovery-consents',
} as const;

/** Declarations of the tables that the framework keeps beside those of governance. */
export const frameworkTables: readonly TableDeclaration[] = [
  tableNames.configuration,
  tableNames.openings,
  tableNames.epoch,
  tableNames.sessionKeys,
  tableNames.evidence,
].map((name) => ({ name, kind: 'hash' }));

/** Private tables of the administrative ledger, which only a key holder sees. */
export const privateTableNames = {
  snapshots: 'concordat.snapshots',
  networkKey: 'concordat.network-key',
} as const;

/** Key of a wrapped session key: epoch of 16 digits, `/`, recipient. */
export const wrapKey = (epoch: number, recipient: string): string =>
  `${String(epoch).padStart(16, '0')}/${recipient}`;

/** Reads the key of a wrapped session key; undefined when it is none. */
export function parseWrapKey(key: string): { epoch: number; recipient: string } | undefined {
  const match = /^(\d{16})\/(.*)$/s.exec(key);
  const epoch = Number(match?.[1]);
  return match && Number.isSafeInteger(epoch)
    ? { epoch, recipient: match[2] as string }
    : undefined;
}

/** The epoch in force in a state; 0 before the genesis block. */
export function currentEpoch(state: ReadView): number {
  const value = state.table(tableNames.epoch).get('current');
  return value ? Number(fromUtf8(value)) : 0;
}

/** The public writes of one transaction, by table and key. */
export class RecordedWrites {
  /** As the ledger has them. */
  readonly bytes: Uint8Array;
  readonly #tables = new Map<string, Map<string, Uint8Array | undefined>>();

  /** @throws KvError MALFORMED */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    for (const { table, key, value } of decodeWriteSet(bytes)) {
      const rows = this.#tables.get(table);
      if (rows) rows.set(key, value);
      else this.#tables.set(table, new Map([[key, value]]));
    }
  }

  /** Names of the tables written to. */
  get tables(): Iterable<string> {
    return this.#tables.keys();
  }

  /** The writes to one table; a value is undefined where the key was deleted. */
  rows(table: string): ReadonlyMap<string, Uint8Array | undefined> {
    return this.#tables.get(table) ?? none;
  }

  /** The value a key was given; undefined when it was deleted or not written. */
  get(table: string, key: string): Uint8Array | undefined {
    return this.#tables.get(table)?.get(key);
  }
}

const none: ReadonlyMap<string, Uint8Array | undefined> = new Map();
