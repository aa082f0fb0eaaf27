import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditReport } from '@concordat/auditor';
import type { TransactionSet } from '@concordat/kv';
import { fromUtf8, utf8 } from '@concordat/std';
import { audit, firstDefects, tables } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

const begunWith = async (alter: (set: TransactionSet) => void): Promise<AuditReport> => {
  const ledger = new WrittenLedger({}, [], alter);
  ledger.execute('x');
  return audit(ledger);
};

test('a first block with more than its constitution begins is refused', async () => {
  const proposal = { proposalId: 'aa', state: 'open', votes: [], actions: [], sequence: 1 };
  const report = await begunWith((set) =>
    set.table(tables.proposals).set('aa', utf8(JSON.stringify(proposal))),
  );
  assert.deepEqual(firstDefects(report), ['governance WRONG_GENESIS 1']);
});

test('a first block that trusts a node nobody attested is refused', async () => {
  const other = new WrittenLedger();
  const row = other.administration.head.table(tables.nodes).get(other.first.nodeId) as Uint8Array;
  const guest = JSON.parse(fromUtf8(row)) as Record<string, unknown>;
  const report = await begunWith((set) => {
    const [actorId] = [...set.table(tables.actors).entries()].map(([key]) => key);
    const value = { ...guest, actorId, address: 'z:1' };
    set.table(tables.nodes).set(other.first.nodeId, utf8(JSON.stringify(value)));
  });
  assert.ok(!report.ok);
});

test('a first block whose first node shows no evidence is refused', async () => {
  const report = await begunWith((set) => {
    for (const [nodeId] of [...set.table('public:concordat.evidence').entries()]) {
      set.table('public:concordat.evidence').delete(nodeId);
    }
  });
  assert.deepEqual(firstDefects(report), ['evidence EVIDENCE_MISSING 1']);
});

test('a first block without a session key, or without the ceremony of its founder, is refused', async () => {
  const withoutKey = await begunWith((set) => {
    set.table(tables.epochKeys).delete('0000000000000001/0000000000000001');
  });
  assert.deepEqual(firstDefects(withoutKey), ['keys INVALID_EPOCH_KEY 1']);
  const withoutSharing = await begunWith((set) => {
    set.table(tables.sharings).delete('000000000001');
  });
  assert.deepEqual(firstDefects(withoutSharing), ['keys WRONG_CEREMONY 1']);
  const withoutHolder = await begunWith((set) => {
    for (const [actorId] of [...set.table(tables.holders).entries()]) {
      set.table(tables.holders).delete(actorId);
    }
  });
  assert.deepEqual(firstDefects(withoutHolder), ['keys CEREMONY_REFUSED 1']);
});

test('receipts of another history, of what is not there yet, and of no network are refused', async () => {
  const ledger = new WrittenLedger();
  ledger.execute('a');
  ledger.execute('b');
  const honest = ledger.receipt(3);
  ledger.rollback(2);
  ledger.execute('c');
  const report = await audit(ledger, {
    receipts: [
      { name: 'fork', receipt: honest },
      { name: 'good', receipt: ledger.receipt(3) },
      { name: 'garbage', receipt: { cert: 1 } },
    ],
  });
  assert.deepEqual(
    report.receipts.map(({ name, located }) => [name, located]),
    [
      ['garbage', false],
      ['fork', false],
      ['good', true],
    ],
  );
  const { first, defects } = report.classes.find((of) => of.class === 'receipts') ?? {};
  assert.equal(first?.code, 'RECEIPT_REFUSED');
  assert.equal(defects, 2);
  ledger.execute('d');
  const beyond = ledger.receipt(4);
  ledger.rollback(3);
  const short = await audit(ledger, { receipts: [{ name: 'beyond', receipt: beyond }] });
  assert.deepEqual(firstDefects(short), ['receipts RECEIPT_BEYOND_END 3']);
});
