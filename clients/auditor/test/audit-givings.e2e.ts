import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import { buildGiving, buildKeyExport, canonicalJson } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import type { Identity } from '@concordat/sdk';
import { emptyBytes, fromUtf8, toHex, utf8 } from '@concordat/std';
import { audit, firstDefects, forgery, pretending, submitted, tables } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

const encryptionKey = toHex(createEncryptionKey(randomBytes(32)).publicKey);
const otherKey = toHex(createEncryptionKey(randomBytes(32)).publicKey);
const auditor = 'Audit Ltd';

const granted = (ledger: WrittenLedger, epochs: readonly number[]): void =>
  void ledger.govern({ name: 'grant_audit', args: { auditor, encryptionKey, epochs } });

const order = (ledger: WrittenLedger, member: Identity, change: object = {}): Uint8Array => {
  const giving = { auditor, encryptionKey, epochs: [1], ...change };
  return buildGiving({ ...ledger.signer(member), giving });
};

/** Says that the members granted this, while something is done. */
const asIfGranted = (set: TransactionSet, epochs: readonly number[], body: () => void): void =>
  pretending(
    set,
    { table: tables.auditGrants, key: auditor, value: { auditor, encryptionKey, epochs } },
    body,
  );

/** Changes the newest grant of keys. */
function changeNewest(set: TransactionSet, change: object): void {
  const table = set.table(tables.grants);
  const [[sequence, row] = ['', emptyBytes]] = table.range({ reverse: true, limit: 1 });
  const grant = JSON.parse(fromUtf8(row)) as object;
  table.set(sequence, utf8(canonicalJson({ ...grant, ...change })));
}

forgery(
  'shares given to an auditor whom nobody granted anything',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'AUDIT_NOT_GRANTED' },
  (ledger) => {
    const message = order(ledger, ledger.alpha);
    ledger.administer((set) => asIfGranted(set, [1], () => submitted(set, message)));
  },
);

forgery(
  'shares given of an epoch that is not granted',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'AUDIT_NOT_GRANTED' },
  (ledger) => {
    granted(ledger, [2]);
    const message = order(ledger, ledger.alpha);
    ledger.administer((set) => asIfGranted(set, [1, 2], () => submitted(set, message)));
  },
);

forgery(
  'shares given under a grant that was revoked',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'AUDIT_NOT_GRANTED' },
  (ledger) => {
    granted(ledger, [1]);
    ledger.govern({ name: 'revoke_audit', args: { auditor } });
    const message = order(ledger, ledger.alpha);
    ledger.administer((set) => asIfGranted(set, [1], () => submitted(set, message)));
  },
);

forgery(
  'shares given by a member that holds none',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'NOT_A_HOLDER' },
  (ledger, [beta]) => {
    granted(ledger, [1]);
    const message = order(ledger, beta as Identity);
    const key = '000000000001';
    const row = JSON.parse(
      fromUtf8(ledger.administration.head.table(tables.sharings).get(key) as Uint8Array),
    ) as { holders: { actorId: string }[] };
    const holders = row.holders.map((one) => ({ ...one, actorId: (beta as Identity).actorId }));
    ledger.administer((set) =>
      pretending(set, { table: tables.sharings, key, value: { ...row, holders } }, () =>
        submitted(set, message),
      ),
    );
  },
);

forgery(
  'a giving recorded for more epochs than the member ordered',
  { class: 'keys', code: 'WRONG_GRANT' },
  (ledger) => {
    granted(ledger, [1, 2]);
    const message = order(ledger, ledger.alpha);
    ledger.administer((set) => {
      submitted(set, message);
      changeNewest(set, { epochs: [1, 2] });
    });
  },
);

forgery(
  'a giving recorded to another key than the member ordered',
  { class: 'keys', code: 'WRONG_GRANT' },
  (ledger) => {
    granted(ledger, [1]);
    const message = order(ledger, ledger.alpha);
    ledger.administer((set) => {
      submitted(set, message);
      changeNewest(set, { to: [`auditor:${auditor}:${otherKey}`] });
    });
  },
);

forgery(
  'a giving recorded at another time than its block',
  { class: 'governance', code: 'WRONG_TIME' },
  (ledger) => {
    granted(ledger, [1]);
    const message = order(ledger, ledger.alpha);
    ledger.submit(message, { nowSeconds: Math.floor(Date.now() / 1000) - 60 });
  },
);

forgery(
  'an order to give that is heard a second time',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'REPLAY' },
  (ledger) => {
    granted(ledger, [1]);
    const message = order(ledger, ledger.alpha);
    ledger.submit(message);
    ledger.administer((set) => {
      for (const [recent] of [...set.table(tables.recent).entries()]) {
        set.table(tables.recent).delete(recent);
      }
      submitted(set, message);
    });
  },
);

forgery(
  'an order to give whose signature was changed',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'BAD_SIGNATURE' },
  (ledger) => {
    granted(ledger, [1]);
    const message = order(ledger, ledger.alpha);
    ledger.administer((set) => {
      submitted(set, message);
      const table = set.table(tables.messages);
      const [[sequence, bytes] = ['', emptyBytes]] = [...table.entries()].slice(-1);
      const changed = Buffer.from(bytes);
      changed[changed.length - 1] = (changed[changed.length - 1] as number) ^ 1;
      table.set(sequence, changed);
    });
  },
);

const exportOrder = (ledger: WrittenLedger, again = false): Uint8Array =>
  buildKeyExport({ ...ledger.signer(ledger.alpha), request: { publicKey: otherKey, again } });

test('a recovery copy that its member asked for is lawful, and told', async () => {
  const ledger = new WrittenLedger();
  ledger.submit(exportOrder(ledger));
  ledger.submit(exportOrder(ledger, true));
  const report = await audit(ledger);
  assert.deepEqual(firstDefects(report), []);
  assert.deepEqual(report.keys.exports, [
    { actor: 'Alpha', key: 1, sharing: 1, times: 2, height: ledger.blocks.length },
  ]);
});

const exportsTable = 'public:concordat.key-exports';
const exportKey = (ledger: WrittenLedger): string => `000000000001:${ledger.alpha.actorId}`;

forgery(
  'a recovery copy that nobody asked for',
  { class: 'governance', code: 'UNDECIDED_CHANGE' },
  (ledger) =>
    ledger.administer((set) => set.table(exportsTable).set(exportKey(ledger), utf8('{}'))),
);

forgery(
  'a recovery copy recorded as sealed to another key than its member named',
  { class: 'governance', code: 'WRONG_OUTCOME' },
  (ledger) => {
    const message = exportOrder(ledger);
    ledger.administer((set) => {
      submitted(set, message);
      const table = set.table(exportsTable);
      const row = JSON.parse(fromUtf8(table.get(exportKey(ledger)) as Uint8Array)) as object;
      const changed = { ...row, publicKey: encryptionKey };
      table.set(exportKey(ledger), utf8(canonicalJson(changed)));
    });
  },
);

forgery(
  'a recovery copy whose record was taken back',
  { class: 'governance', code: 'UNDECIDED_CHANGE' },
  (ledger) => {
    ledger.submit(exportOrder(ledger));
    ledger.administer((set) => set.table(exportsTable).delete(exportKey(ledger)));
  },
);
