import { decodeWriteSet, type ReadView, type Write } from '@concordat/kv';
import { type SessionKeyLookup, type VerifiedBlock, verifyChain } from '@concordat/ledger';
import {
  CodedError,
  equalBytes,
  type NodeId,
  parseTransactionId,
  toLatin1,
  utf8,
} from '@concordat/std';
import type { Acknowledged } from '../network/clients.ts';
import { registerTable } from '../network/register-adapter.ts';
import { Violation } from './violation.ts';

/** One committed transaction, opened. */
interface Audited {
  readonly height: number;
  readonly view: number;
  /** What it wrote; an absent value is a deletion. */
  readonly writes: readonly Write[];
}

type State = ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;

/** What an auditor with all keys can say of a ledger. */
export class Audit {
  readonly #states = new Map<number, Map<string, Map<string, Uint8Array>>>();
  readonly #bySeqno = new Map<number, Audited>();
  /** Blocks by what they are: 0 = administrative, k = of worker k. */
  readonly blocks = new Map<number, number>();
  /** Epochs seen. */
  readonly epochs = new Set<number>();

  /** Reads a whole ledger from block 1. @throws Violation LEDGER_UNSOUND */
  constructor(
    blocks: Iterable<Uint8Array>,
    keys: {
      readonly nodeKey: (leader: NodeId) => Uint8Array | undefined;
      readonly sessionKey: SessionKeyLookup;
    },
  ) {
    try {
      for (const block of verifyChain(blocks, keys)) this.#take(block);
    } catch (error) {
      if (!(error instanceof CodedError) || error instanceof Violation) throw error;
      throw new Violation('LEDGER_UNSOUND', `${error.code}: ${error.message}`);
    }
  }

  /** Transactions in the ledger. */
  get transactions(): number {
    return this.#bySeqno.size;
  }

  #take({ header, transactions }: VerifiedBlock): void {
    const { height, view, source, epoch, firstSeqno } = header;
    if (!transactions) throw new Violation('LEDGER_UNSOUND', `no key for block ${height}`);
    this.blocks.set(source, (this.blocks.get(source) ?? 0) + 1);
    this.epochs.add(epoch);
    transactions.forEach(({ publicWrites, privateWrites }, at) => {
      const writes = [publicWrites, privateWrites].flatMap((bytes) =>
        bytes.length === 0 ? [] : [...decodeWriteSet(bytes)],
      );
      this.#bySeqno.set(firstSeqno + at, { height, view, writes });
      for (const write of writes) this.#write(source, write);
    });
  }

  #write(source: number, { table, key, value }: Write): void {
    let state = this.#states.get(source);
    if (!state) {
      state = new Map();
      this.#states.set(source, state);
    }
    let rows = state.get(table);
    if (!rows) {
      rows = new Map();
      state.set(table, rows);
    }
    if (value) rows.set(key, value);
    else rows.delete(key);
  }

  /** That a store holds exactly what the ledger says. @throws Violation STATE_DIFFERS */
  compare(source: number, view: ReadView, whose: string): void {
    const state: State = this.#states.get(source) ?? new Map();
    for (const [table, rows] of state) {
      const stored = view.table(table);
      if (stored.size !== rows.size) {
        throw differs(`${whose}: ${table} has ${stored.size} keys, the ledger ${rows.size}`);
      }
      for (const [key, value] of rows) {
        const found = stored.get(key);
        if (!found || !equalBytes(found, value)) {
          throw differs(`${whose}: ${table} has another value under ${JSON.stringify(key)}`);
        }
      }
    }
  }

  /** That what a client was told to be committed is in the ledger, where it was told. */
  requireAcknowledged({ transactionId, height, request }: Acknowledged): void {
    const id = parseTransactionId(transactionId);
    const audited = id && this.#bySeqno.get(id.seqno);
    const { action, key, value } = request;
    const expected = action === 'delete' ? undefined : utf8(value ?? '');
    const isThere =
      audited?.view === id?.view &&
      audited?.height === height &&
      (action === 'read' || action === 'delete' || writesValue(audited, key, expected));
    if (isThere) return;
    throw new Violation(
      'ACKNOWLEDGED_LOST',
      `${action} of ${key} was acknowledged as ${transactionId} in block ${height}, which the ledger does not have there`,
    );
  }
}

function writesValue(
  audited: Audited | undefined,
  key: string,
  expected: Uint8Array | undefined,
): boolean {
  const name = toLatin1(utf8(key));
  const write = audited?.writes.find((one) => one.table === registerTable && one.key === name);
  return write?.value !== undefined && expected !== undefined && equalBytes(write.value, expected);
}

const differs = (what: string): Violation => new Violation('STATE_DIFFERS', what);
