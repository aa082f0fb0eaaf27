import {
  type Constitution,
  governanceTables,
  type NodeEntry,
  readConstitution,
} from '@concordat/governance';
import {
  decodeWriteSet,
  Store,
  type TableDeclaration,
  type TransactionSet,
  type WriteSet,
} from '@concordat/kv';
import type { TransactionRecord } from '@concordat/ledger';
import {
  fromHex,
  fromUtf8,
  type Height,
  isHex64,
  type NodeId,
  toNodeId,
  utf8,
} from '@concordat/std';
import { sessionKeyTables } from './session-keys.ts';

const configurationTable = 'public:concordat.configuration';
const networkKeyTable = 'concordat.network-key';
const openingTable = 'public:concordat.openings';

const managerTables: readonly TableDeclaration[] = [
  ...sessionKeyTables,
  { name: configurationTable, kind: 'hash' },
  { name: networkKeyTable, kind: 'hash' },
  { name: openingTable, kind: 'hash' },
];

/** One administrative transaction as executed: its write set, and the voters it puts in force. */
export interface Executed<Result> {
  readonly result: Result;
  readonly transactions: readonly TransactionRecord[];
  readonly configuration?: readonly NodeId[];
}

/** Voters of consensus under a constitution: its trusted nodes, in a fixed order. */
export const votersOf = (constitution: Constitution): NodeId[] =>
  constitution.nodes
    .filter((node) => node.status === 'trusted')
    .map((node) => node.nodeId)
    .sort();

/**
 * The administrative ledger's state (paper, "state management"): constitution, proposals, epochs,
 * voters. Each block of it is one layer, so that it follows consensus forwards and backwards.
 */
export class Administration {
  readonly #store = new Store([...governanceTables, ...managerTables]);
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
    return this.#store.head().table(configurationTable).has('voters');
  }

  /** Whether the genesis block is committed. */
  get isCommitted(): boolean {
    return this.#store.committed().table(configurationTable).has('voters');
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
    const before = this.exists ? votersOf(this.constitution) : [];
    const set = this.#store.begin(height);
    try {
      const result = body(set);
      const voters = votersOf(readConstitution(set));
      const changed = voters.join() !== before.join();
      if (changed) set.table(configurationTable).set('voters', utf8(JSON.stringify(voters)));
      // A block whose transaction changed nothing else still records that its view was opened.
      set.table(openingTable).set('height', utf8(String(height)));
      const transactions = [set.takeWriteSet()];
      set.finish();
      this.#headMoved();
      return changed ? { result, transactions, configuration: voters } : { result, transactions };
    } catch (error) {
      set.abort();
      throw error;
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

/**
 * The voters a reconfiguration block names, from its public write sets; undefined when it names
 * none that make sense.
 * @throws KvError MALFORMED
 */
export function configurationOf(publicWrites: readonly Uint8Array[]): NodeId[] | undefined {
  for (const writes of publicWrites) {
    if (writes.length === 0) continue;
    for (const { table, value } of decodeWriteSet(writes)) {
      if (table === configurationTable && value) return votersIn(value);
    }
  }
  return undefined;
}

function votersIn(value: Uint8Array): NodeId[] | undefined {
  try {
    const voters: unknown = JSON.parse(fromUtf8(value));
    return Array.isArray(voters) && voters.every(isHex64) ? voters.map(toNodeId) : undefined;
  } catch {
    return undefined;
  }
}

/** The network's private key, kept in the private part of the administrative ledger. */
export const networkKeyRecord = {
  table: networkKeyTable,
  key: 'pkcs8',
} as const;
