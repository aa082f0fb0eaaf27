import { epochTables, messagesTable, networkKeyTable } from '@concordat/governance';
import { decodeWriteSet, type TableDeclaration } from '@concordat/kv';

/** Prefix of every public table that is not an application's. */
export const frameworkPrefix = 'public:concordat.';

/** Public tables an auditor looks into (docs/format/governance.md). */
export const tableNames = {
  messages: messagesTable,
  programs: 'public:concordat.programs',
  nodes: 'public:concordat.nodes',
  proposals: 'public:concordat.gov.proposals',
  configuration: 'public:concordat.configuration',
  openings: 'public:concordat.openings',
  epoch: 'public:concordat.epoch',
  epochKeys: 'public:concordat.epoch-keys',
  networkKey: networkKeyTable.name,
  keyGrants: 'public:concordat.key-grants',
  keyExports: 'public:concordat.key-exports',
  rotations: 'public:concordat.keys.rotations',
  acknowledgements: 'public:concordat.acknowledgements',
  auditGrants: 'public:concordat.keys.grants',
  holders: 'public:concordat.keys.holders',
  ceremonies: 'public:concordat.keys.ceremonies',
  ceremonyEvents: 'public:concordat.keys.events',
  sharings: 'public:concordat.keys.sharings',
  keys: 'public:concordat.keys.keys',
  evidence: 'public:concordat.evidence',
  recoveredFrom: 'public:concordat.recovered-from',
  recovery: 'public:concordat.recovery',
  recoveryConsents: 'public:concordat.recovery-consents',
} as const;

/** Declarations of the tables that the framework keeps beside those of governance. */
export const frameworkTables: readonly TableDeclaration[] = [
  ...[tableNames.configuration, tableNames.openings, tableNames.evidence].map(
    (name) => ({ name, kind: 'hash' }) as const,
  ),
  ...epochTables,
  networkKeyTable,
];

/** The one private table of the administrative ledger, which only whoever has the epoch's key sees. */
export const snapshotsTable = 'concordat.snapshots';

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
