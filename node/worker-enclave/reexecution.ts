import type { RecordedTransaction, ReexecutionAnswer, ReexecutionQuestion } from '@concordat/api';
import { decodeWriteSet, KvError, Store, type Write } from '@concordat/kv';
import { equalBytes } from '@concordat/std';
import { AdapterError, type LedgerAdapter } from './adapter.ts';
import { answersTable } from './kept-answers.ts';
import { OpenBatch, type TransactionWrites, tableNamesOf } from './scoped-state.ts';

/** A recorded transaction that was not looked at yet. */
interface Item {
  readonly height: number;
  /** Of its block, from 0. */
  readonly transaction: number;
  readonly recorded: RecordedTransaction;
  /** Without what the framework wrote beside the adapter. */
  readonly writes: readonly Write[];
  readonly owner: LedgerAdapter | undefined;
}

/** Blocks over which one batch may stretch: in a recovered network they are cut anew. */
const maxBlocksOfBatch = 64;

/**
 * Executes the committed transactions of applications anew, in order from the first, and compares
 * what comes of each with what was recorded. The state it executes on is made of what held.
 */
export class Reexecution {
  readonly #adapters: readonly LedgerAdapter[];
  readonly #store: Store;
  /** Adapter by table; the framework's tables are nobody's. */
  readonly #owners = new Map<string, LedgerAdapter>();
  readonly #frameworkTables = new Set<string>();
  #items: Item[] = [];
  #layer = 0;

  constructor(adapters: readonly LedgerAdapter[]) {
    this.#adapters = adapters;
    this.#store = new Store(adapters.flatMap(({ tables }) => [...tables]));
    for (const adapter of adapters) {
      for (const { name } of adapter.tables) this.#owners.set(name, adapter);
      const answers = answersTable(adapter.id);
      this.#store.declare(answers);
      this.#frameworkTables.add(answers.name);
    }
  }

  /** Ids of the adapters that execute anew. */
  get adapters(): readonly string[] {
    return this.#adapters.flatMap(({ id, reexecute }) => (reexecute ? id : []));
  }

  /** Takes up the next question; nothing is said of a configuration. */
  async take(question: ReexecutionQuestion): Promise<ReexecutionAnswer | undefined> {
    if (question.kind === 'block') return this.#block(question.height, question.transactions);
    for (const adapter of this.#adapters) {
      const config = question.adapters[adapter.id];
      if (config === undefined) continue;
      try {
        adapter.configure(config);
      } catch (error) {
        if (!(error instanceof AdapterError)) throw error;
        return { kind: 'failed', message: `adapter ${adapter.id}: ${error.message}` };
      }
    }
    return undefined;
  }

  /** Nothing comes after: says whether something was left unfinished. */
  finish(): ReexecutionAnswer | undefined {
    const [first] = this.#items;
    return first && divergedAt(first, 'the ledger ends within its batch');
  }

  async #block(
    height: number,
    transactions: readonly RecordedTransaction[],
  ): Promise<ReexecutionAnswer> {
    const counts = { executed: 0, given: 0 };
    try {
      for (const [transaction, recorded] of transactions.entries()) {
        this.#items.push(this.#itemOf(recorded, height, transaction));
      }
      await this.#work(counts);
    } catch (error) {
      if (error instanceof Divergence) return error.answer;
      throw error;
    }
    const from = this.#items[0]?.height ?? height;
    return { kind: 'done', height, pendingFrom: from < height ? from : height, ...counts };
  }

  #itemOf(recorded: RecordedTransaction, height: number, transaction: number): Item {
    const place = { height, transaction, recorded };
    try {
      const writes = [recorded.publicWrites, recorded.privateWrites]
        .flatMap((set) => (set.length === 0 ? [] : [...decodeWriteSet(set)]))
        .filter(({ table }) => !this.#frameworkTables.has(table));
      const owners = new Set(writes.map(({ table }) => this.#owners.get(table)));
      if (owners.size > 1) throw new Divergence(place, 'it writes to tables of several adapters');
      return { ...place, writes, owner: [...owners][0] };
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      throw new Divergence(place, 'its writes have not their form');
    }
  }

  async #work(counts: { executed: number; given: number }): Promise<void> {
    while (this.#items.length > 0) {
      const [{ owner }] = this.#items as [Item];
      const others = this.#items.findIndex((item) => isExecutable(item));
      if (others !== 0) {
        const given = this.#items.splice(0, others < 0 ? this.#items.length : others);
        counts.given += given.length;
        continue;
      }
      const taken = await this.#batch(owner as LedgerAdapter);
      if (taken === undefined) return;
      if (taken > 0) counts.executed += taken;
      else counts.given += 1;
      this.#items.splice(0, Math.max(1, taken));
    }
  }

  /** Transactions of the batch in front; none when the first is to be taken as it stands. */
  async #batch(adapter: LedgerAdapter): Promise<number | undefined> {
    const end = this.#items.findIndex(
      ({ owner, writes }) => writes.length > 0 && owner !== adapter,
    );
    const run = end < 0 ? this.#items : this.#items.slice(0, end);
    const [first] = run as [Item];
    this.#layer += 1;
    const set = new OpenBatch(this.#store.begin(this.#layer), tableNamesOf(adapter));
    try {
      const recorded = run.map((item) => item.recorded);
      const taken = await adapter.reexecute?.(set, recorded);
      if (taken === undefined) {
        const blocks = (run.at(-1)?.height ?? 0) - first.height;
        if (end < 0 && blocks < maxBlocksOfBatch) return undefined;
        throw new Divergence(first, 'its batch has no end');
      }
      if (taken > 0) {
        set.endIfWritten();
        compare(set.writes, run.slice(0, taken));
        set.finish();
        this.#store.commit(this.#layer);
      } else {
        set.abort();
        this.#store.applyCommitted([first.recorded]);
      }
      return taken;
    } catch (error) {
      if (!(error instanceof AdapterError) || error.code !== 'NOT_EXECUTABLE') throw error;
      const { transaction } = error.details;
      const at = run[typeof transaction === 'number' ? transaction : 0] ?? first;
      throw new Divergence(at, error.message);
    } finally {
      set.abort();
    }
  }
}

/** What the framework alone wrote, and what other adapters did, is taken as it stands. */
const isExecutable = ({ owner, writes }: Item): boolean =>
  owner?.reexecute !== undefined && writes.length > 0;

const divergedAt = (
  { height, transaction }: Pick<Item, 'height' | 'transaction'>,
  message: string,
): ReexecutionAnswer => ({ kind: 'diverged', height, transaction, message });

/** Where recorded and executed part. */
class Divergence extends Error {
  readonly answer: ReexecutionAnswer;

  constructor(at: Pick<Item, 'height' | 'transaction'>, why: string) {
    super(why);
    this.answer = divergedAt(at, why);
  }
}

function compare(made: readonly TransactionWrites[], batch: readonly Item[]): void {
  for (const [at, item] of batch.entries()) {
    const executed = made[at];
    if (executed === undefined) {
      throw new Divergence(item, 'executing its batch does not come to it');
    }
    const difference = differenceOf(executed, item.writes) ?? claimsOf(executed, item.recorded);
    if (difference !== undefined) throw new Divergence(item, difference);
  }
  if (made.length <= batch.length) return;
  const why = 'executing its batch comes to more transactions than were recorded';
  throw new Divergence(batch.at(-1) as Item, why);
}

function claimsOf(executed: TransactionWrites, recorded: RecordedTransaction): string | undefined {
  const zeros = new Uint8Array(32);
  const same = equalBytes(executed.claimsDigest ?? zeros, recorded.claimsDigest ?? zeros);
  return same ? undefined : 'executing it attests to another claims digest than was recorded';
}

/** The first key in which executed and recorded differ. Keys are not told: they may be secret. */
function differenceOf(executed: TransactionWrites, writes: readonly Write[]): string | undefined {
  const made = [executed.publicWrites, executed.privateWrites].flatMap((set) =>
    set.length === 0 ? [] : [...decodeWriteSet(set)],
  );
  for (const [at, write] of writes.entries()) {
    const own = made[at];
    const isSame =
      own !== undefined &&
      own.table === write.table &&
      own.key === write.key &&
      sameValue(own.value, write.value);
    if (!isSame) return `executing it does not write what was recorded in ${write.table}`;
  }
  const surplus = made[writes.length];
  return surplus && `executing it writes to ${surplus.table} too, which was not recorded`;
}

const sameValue = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equalBytes(a, b);
