import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import {
  buildGiving,
  buildProposal,
  buildVote,
  nodeTrusted,
  recordDealing,
} from '@concordat/governance';
import { decodeWriteSet, Store, type Write } from '@concordat/kv';
import type { Identity } from '@concordat/sdk';
import { type Height, toHex, utf8 } from '@concordat/std';
import { audit, policy, submitted } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

/** What a leader may write in the place of a row, as if it were one. */
const rows: readonly (string | undefined)[] = [
  undefined,
  '',
  'null',
  '0',
  '[]',
  '{}',
  '"x"',
  '{"status":"trusted"}',
  '{"votes":null,"state":"open","actions":{}}',
  '{"certificate":"-----BEGIN CERTIFICATE-----\\nAA==\\n-----END CERTIFICATE-----"}',
  '\u0000\u00ff',
  '{"voters":"none"}',
];

/** The same writes with one row changed. */
function changed(honest: Uint8Array, at: number, value: string | undefined): Uint8Array {
  const writes = [...decodeWriteSet(honest)];
  const names = [...new Set(writes.map(({ table }) => table))];
  const store = new Store(names.map((name) => ({ name, kind: 'hash' })));
  // What is to be deleted must be there, or its deletion is no write.
  const before = store.begin(1);
  for (const { table, key } of writes) before.table(table).set(key, utf8('before'));
  before.takeWriteSet();
  before.finish();
  const set = store.begin(2);
  for (const [index, write] of writes.entries()) {
    const given: Pick<Write, 'value'> =
      index !== at ? write : value === undefined ? {} : { value: utf8(value) };
    if (given.value) set.table(write.table).set(write.key, given.value);
    else set.table(write.table).delete(write.key);
  }
  return set.takeWriteSet().publicWrites;
}

/** One accepting vote decides. */
const majorityOfTwo = { votingPolicies: { default: { kind: 'm-of-n', m: 1 } } };

const deeds: Readonly<Record<string, (ledger: WrittenLedger) => () => void>> = {
  'a proposal': (ledger) => {
    const message = buildProposal({ ...ledger.signer(ledger.alpha), actions: [policy(9)] });
    return () => ledger.administer((set) => submitted(set, message));
  },
  'a deciding vote': (ledger) => {
    const { proposalId } = ledger.propose(ledger.alpha, policy(9));
    const vote = buildVote({ ...ledger.signer(ledger.alpha), proposalId, accept: true });
    return () => ledger.administer((set) => submitted(set, vote));
  },
  'a join': (ledger) => {
    const { identity } = ledger.admit();
    return () => ledger.learn(identity);
  },
  'a promotion': (ledger) => {
    const { identity } = ledger.admit();
    ledger.learn(identity);
    return () => ledger.administer((set) => void nodeTrusted(set, identity.nodeId));
  },
  'a holder key': (ledger) => {
    const [beta] = ledger.others as [Identity];
    const node = ledger.join({}, beta);
    return () => ledger.ceremonies.register(beta, node);
  },
  'a ceremony that is opened': (ledger) => {
    ledger.ceremonies.bringUp(ledger.others[0] as Identity);
    return () => ledger.ceremonies.open();
  },
  'a dealing': (ledger) => {
    const { ceremonies } = ledger;
    ceremonies.bringUp(ledger.others[0] as Identity);
    ceremonies.open();
    const { seqno } = ceremonies;
    const bytes = ceremonies.dealingOf(1);
    return () => ledger.administer((set) => recordDealing(set, bytes, { seqno }));
  },
  'a ceremony that is closed, with a new epoch': (ledger) => {
    const { ceremonies } = ledger;
    ceremonies.bringUp(ledger.others[0] as Identity);
    ceremonies.open();
    ceremonies.deal();
    ceremonies.confirm();
    return () => ceremonies.close();
  },
  'a giving': (ledger) => {
    const encryptionKey = toHex(createEncryptionKey(new Uint8Array(32).fill(7)).publicKey);
    const giving = { auditor: 'Audit Ltd', encryptionKey, epochs: [1] };
    ledger.govern({ name: 'grant_audit', args: giving });
    const message = buildGiving({ ...ledger.signer(ledger.alpha), giving });
    return () => ledger.administer((set) => submitted(set, message));
  },
  'an opening': (ledger) => () => ledger.administer(() => undefined),
};

for (const [name, prepare] of Object.entries(deeds)) {
  test(`whatever stands in a row of ${name}, it is a finding and never a throw`, async () => {
    const ledger = new WrittenLedger(majorityOfTwo, ['Beta']);
    const deed = prepare(ledger);
    const height = ledger.blocks.length as Height;
    deed();
    const honest = ledger.blocks.at(-1);
    assert.ok(honest && (await audit(ledger)).ok);
    const administered = ledger.administration.execute.bind(ledger.administration);
    const count = await forged(ledger, height, deed, administered);
    assert.ok(count >= rows.length);
  });
}

/** Does the deed again and again, each time with another row changed in another way. */
async function forged(
  ledger: WrittenLedger,
  height: Height,
  deed: () => void,
  execute: WrittenLedger['administration']['execute'],
): Promise<number> {
  let count = 0;
  for (let at = 0; ; at++) {
    for (const value of rows) {
      ledger.rollback(height);
      let isLast = false;
      let isSame = false;
      ledger.administration.execute = ((place: Height, body: never) => {
        const executed = execute(place, body);
        const [transaction] = executed.transactions;
        const publicWrites = transaction?.publicWrites as Uint8Array;
        isLast = at >= [...decodeWriteSet(publicWrites)].length;
        if (isLast) return executed;
        const other = changed(publicWrites, at, value);
        isSame = Buffer.compare(other, publicWrites) === 0;
        return { ...executed, transactions: [{ ...transaction, publicWrites: other }] };
      }) as typeof execute;
      deed();
      ledger.administration.execute = execute;
      if (isLast) return count;
      ledger.execute('after');
      const report = await audit(ledger);
      assert.equal(report.ok, isSame, `row ${at} as ${value}`);
      count += 1;
    }
  }
}
