import { fromLatin1, fromUtf8, toLatin1, utf8 } from '@concordat/std';
import type {
  Admitted,
  BatchSet,
  LedgerAdapter,
  Outcome,
  Refused,
} from '@concordat/worker-enclave';

/** What a client asks of the registers, as one JSON object. */
export interface RegisterRequest {
  readonly action: 'read' | 'write' | 'compare-and-set' | 'delete';
  readonly key: string;
  /** What to write. */
  readonly value?: string;
  /** What must be there for a compare-and-set; absent: nothing. */
  readonly expected?: string;
}

/** What it is told. */
export interface RegisterResult {
  /** The value before; absent when there was none. */
  readonly before?: string;
  /** Whether a compare-and-set found what it expected. */
  readonly applied?: boolean;
}

/** Table of the values: private. */
export const registerTable = 'registers/values';
/** Counts the reads of a key, so that a read is a transaction with a leaf. Private. */
export const readsTable = 'registers/reads';

const actions: readonly string[] = ['read', 'write', 'compare-and-set', 'delete'];
const differs: Refused = { ok: false, code: 'CONFLICT', message: 'another value is there' };

/**
 * The smallest application that linearizability can be judged by: registers under text keys, with
 * reads that are transactions, writes, compare-and-set and delete.
 */
export function createRegisterAdapter(): LedgerAdapter<RegisterRequest, RegisterResult> {
  return {
    id: 'registers',
    tables: [
      { name: registerTable, kind: 'ordered' },
      { name: readsTable, kind: 'hash' },
    ],
    endpoints: [],
    configure: () => undefined,
    admit,
    execute,
  };
}

function admit(raw: Uint8Array): Admitted<RegisterRequest> | Refused {
  try {
    const transaction = JSON.parse(fromUtf8(raw)) as RegisterRequest;
    if (actions.includes(transaction.action)) return { ok: true, transaction };
  } catch {
    // Not JSON: refused below like any other misfit.
  }
  return { ok: false, code: 'INVALID_TRANSACTION', message: 'not a request of the registers' };
}

function execute(
  set: BatchSet,
  batch: readonly Admitted<RegisterRequest>[],
): readonly Outcome<RegisterResult>[] {
  const values = set.table(registerTable);
  const reads = set.table(readsTable);
  return batch.map(({ transaction }): Outcome<RegisterResult> => {
    const key = toLatin1(utf8(transaction.key));
    const bytes = values.get(key);
    const before = bytes && { before: fromUtf8(bytes) };
    const { action, value = '', expected } = transaction;
    if (action === 'compare-and-set' && before?.before !== expected) return differs;
    if (action === 'read') {
      const count = Number(fromUtf8(reads.get(key) ?? utf8('0')));
      reads.set(key, utf8(String(count + 1)));
    } else if (action === 'delete') {
      if (bytes) values.delete(key);
    } else {
      values.set(key, utf8(value));
    }
    set.endTransaction();
    return {
      ok: true,
      result: { ...before, ...(action === 'compare-and-set' && { applied: true }) },
    };
  });
}

/** The value under a key in a state. */
export function registerIn(
  state: { table(name: string): { get(key: string): Uint8Array | undefined } },
  key: string,
): string | undefined {
  const bytes = state.table(registerTable).get(toLatin1(utf8(key)));
  return bytes && fromUtf8(bytes);
}

/** A key of the table as text. */
export const keyText = (key: string): string => fromUtf8(fromLatin1(key));
