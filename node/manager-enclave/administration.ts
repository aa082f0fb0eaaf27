import { type Configuration, sameConfiguration } from '@concordat/consensus';
import {
  type Constitution,
  epochTables,
  governanceTables,
  hasGenesis,
  type NodeEntry,
  networkKeyTable,
  readConstitution,
} from '@concordat/governance';
import {
  decodeWriteSet,
  type FrozenState,
  type ReadView,
  Store,
  type TableChoice,
  type TableDeclaration,
  type TransactionSet,
  type WriteSet,
} from '@concordat/kv';
import type { TransactionRecord } from '@concordat/ledger';
import { fromHex, fromUtf8, type Height, type NodeId, utf8 } from '@concordat/std';
import {
  configurationRow,
  configurationUnder,
  writeConfiguration,
} from './configuration-record.ts';
import { evidenceTables } from './evidence-table.ts';
import { snapshotTables } from './snapshot-record.ts';

const openingTable = 'public:concordat.openings';

/** Each administrative block names the one before it, so that all are found without reading others. */
function recordOpening(set: TransactionSet, height: Height): void {
  const openings = set.table(openingTable);
  const previous = openings.get('height');
  if (previous) openings.set('previous', previous);
  openings.set('height', utf8(String(height)));
}

/** Height of the newest administrative block of a state; 0 before the first. */
export const newestOpening = (view: ReadView): number =>
  openingIn(view.table(openingTable).get('height'));

/** Height of the administrative block before the one with these public writes; 0 = it is the first. */
export function openingBefore(publicWrites: Uint8Array): number {
  for (const { table, key, value } of decodeWriteSet(publicWrites)) {
    if (table === openingTable && key === 'previous') return openingIn(value);
  }
  return 0;
}

const openingIn = (row: Uint8Array | undefined): number => (row ? Number(fromUtf8(row)) : 0);

const managerTables: readonly TableDeclaration[] = [
  ...epochTables,
  ...snapshotTables,
  ...evidenceTables,
  { name: configurationRow.table, kind: 'hash' },
  networkKeyTable,
  { name: openingTable, kind: 'hash' },
];

/** The committed state of one moment: its public tables, which the ledger has in the clear, and others. */
export interface FrozenAdministration {
  readonly open: FrozenState;
  readonly closed: FrozenState;
}

/** Reads a chunk of a section, from 0. */
type ReadChunk = (index: number) => Promise<Uint8Array>;

const isPublic: TableChoice = (table) => table.startsWith('public:');
const isPrivate: TableChoice = (table) => !isPublic(table);

/** All tables of the administrative ledger. */
export const administrativeTables: readonly TableDeclaration[] = [
  ...governanceTables,
  ...managerTables,
];

/** One administrative transaction as executed: its write set, and what it puts in force. */
export interface Executed<Result> {
  readonly result: Result;
  readonly transactions: readonly TransactionRecord[];
  readonly configuration?: Configuration;
}

/**
 * The administrative ledger's state (paper, "state management"): constitution, proposals, epochs,
 * voters. Each block of it is one layer, so that it follows consensus forwards and backwards.
 */
export class Administration {
  readonly #store = new Store(administrativeTables);
  #head: Constitution | undefined;
  #committed: Constitution | undefined;
  #nodeKeys = new Map<NodeId, Uint8Array>();

  /** Live view of the newest state, committed or not. */
  get head() {
    return this.#store.head();
  }

  /** Live view of the committed state. */
  get committedState() {
    return this.#store.committed();
  }

  /** Whether the genesis block has been taken up. */
  get exists(): boolean {
    return isBegun(this.#store.head());
  }

  /** Whether the genesis block is committed. */
  get isCommitted(): boolean {
    return isBegun(this.#store.committed());
  }

  /** The constitution at the head. */
  get constitution(): Constitution {
    this.#head ??= readConstitution(this.#store.head());
    return this.#head;
  }

  /** The constitution in force, committed. */
  get committedConstitution(): Constitution {
    this.#committed ??= readConstitution(this.#store.committed());
    return this.#committed;
  }

  /** The constitution as an open write set has it. */
  constitutionOf(set: TransactionSet): Constitution {
    return readConstitution(set);
  }

  /** A node of the list at the head, in any status; undefined before the genesis. */
  node(nodeId: NodeId): NodeEntry | undefined {
    if (!this.exists) return undefined;
    return this.constitution.nodes.find((node) => node.nodeId === nodeId);
  }

  /** DER SPKI of a node's key, of any node the list has ever held. */
  nodeKey(nodeId: NodeId): Uint8Array | undefined {
    const known = this.#nodeKeys.get(nodeId);
    if (known) return known;
    const entry = this.node(nodeId);
    const key = entry && fromHex(entry.publicKey);
    if (key) this.#nodeKeys.set(nodeId, key);
    return key;
  }

  /**
   * Executes an administrative transaction on the head as the block at this height. A throw of
   * the body leaves no trace.
   */
  execute<Result>(height: Height, body: (set: TransactionSet) => Result): Executed<Result> {
    const before = this.exists ? configurationUnder(this.constitution) : undefined;
    const set = this.#store.begin(height);
    try {
      const result = body(set);
      const configuration = configurationUnder(readConstitution(set));
      const changed = !sameConfiguration(configuration, before);
      if (changed) writeConfiguration(set, { height, configuration });
      // A block whose transaction changed nothing else still records that its view was opened.
      recordOpening(set, height);
      const transactions = [set.takeWriteSet()];
      set.finish();
      this.#headMoved();
      return changed ? { result, transactions, configuration } : { result, transactions };
    } catch (error) {
      set.abort();
      throw error;
    }
  }

  /** What a transaction at this height would come to; it leaves no trace. */
  rehearse<Result>(height: Height, body: (set: TransactionSet) => Result): Result {
    const set = this.#store.begin(height);
    try {
      return body(set);
    } finally {
      set.abort();
    }
  }

  /** Takes up an administrative block made elsewhere, uncommitted. */
  apply(height: Height, transactions: readonly WriteSet[]): void {
    this.#store.applyLayer(height, transactions);
    this.#headMoved();
  }

  /** Folds blocks up to a height into the committed state; true when anything changed. */
  commit(height: Height): boolean {
    const oldest = this.#store.newestLayer;
    if (oldest === undefined) return false;
    this.#store.commit(height);
    this.#committed = undefined;
    return true;
  }

  /** Keeps the committed state of now, while later blocks change it. */
  freeze(): FrozenAdministration {
    return { open: this.#store.freeze(isPublic), closed: this.#store.freeze(isPrivate) };
  }

  /**
   * Replaces the public tables by those of a snapshot, all of it committed; all others are empty.
   * @throws KvError MALFORMED, UNKNOWN_TABLE: then it is empty; and what reading a chunk throws
   */
  async restorePublic(chunks: number, read: ReadChunk): Promise<void> {
    this.#store.clear();
    await this.#fill(chunks, read, isPublic);
  }

  /**
   * Brings the private tables that belong to the public ones restored last.
   * @throws KvError MALFORMED, UNKNOWN_TABLE: then it is empty; and what reading a chunk throws
   */
  restorePrivate(chunks: number, read: ReadChunk): Promise<void> {
    return this.#fill(chunks, read, isPrivate);
  }

  async #fill(chunks: number, read: ReadChunk, part: TableChoice): Promise<void> {
    const writer = this.#store.restore(chunks, part);
    for (let index = 0; index < chunks; index++) writer.chunk(await read(index));
    writer.finish();
    this.#committed = undefined;
    this.#headMoved();
  }

  /** Takes back blocks above a height. */
  rollback(height: Height): void {
    this.#store.rollback(height);
    this.#headMoved();
  }

  #headMoved(): void {
    this.#head = undefined;
    this.#nodeKeys = new Map();
  }
}

/** Both are asked: a first block that was tampered with may have only one of them. */
const isBegun = (state: ReadView): boolean =>
  hasGenesis(state) && state.table(configurationRow.table).has(configurationRow.key);
