import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { decryptLedger } from '@concordat/auditor';
import { exportSigningScalar } from '@concordat/crypto';
import {
  closeCeremony,
  currentSharedKey,
  networkKeyRow,
  networkKeyTable,
  recordNetworkKey,
} from '@concordat/governance';
import {
  encodeCiphertext,
  encryptToThreshold,
  publicKeyOf,
  sessionKeyLabel,
} from '@concordat/keys';
import type { TransactionSet } from '@concordat/kv';
import { type Epoch, utf8 } from '@concordat/std';
import { audit, firstDefects, forgery } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

const table = networkKeyTable.name;
const rowKey = (number: number): string => String(number).padStart(16, '0');
const expected = { class: 'keys', code: 'INVALID_NETWORK_KEY' } as const;
const entropy = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));

/** Two members share a key, made with the private key written anew, or otherwise. */
function shared(ledger: WrittenLedger, and: (set: TransactionSet) => void = () => undefined) {
  const { ceremonies } = ledger;
  ceremonies.bringUp(ledger.others[0] as never);
  ceremonies.open();
  ceremonies.deal();
  ceremonies.confirm();
  ceremonies.close(and);
  return ledger.blocks.length;
}

test('an auditor with the keys of all epochs finds the private key of the network nowhere', async () => {
  const ledger = new WrittenLedger({}, ['Beta']);
  shared(ledger);
  const report = await audit(ledger);
  assert.deepEqual(firstDefects(report), []);
  const { examined = {} } = report.classes.find((of) => of.class === 'keys') ?? {};
  assert.equal(examined.networkKeys, 2);
  const directory = await mkdtemp(join(tmpdir(), 'audit-network-key-'));
  await ledger.write(directory, 100);
  const scalar = Buffer.from(exportSigningScalar(ledger.networkKey.signing()));
  let text = '';
  const { networkCertificate } = ledger;
  const epochKeys = ledger.epochKeys();
  const write = (part: string): undefined => {
    text += part;
  };
  const done = await decryptLedger({ directory, networkCertificate, epochKeys, write });
  assert.equal(done.closedBlocks, 0);
  for (const encoding of ['hex', 'base64', 'latin1'] as const) {
    assert.equal(text.includes(scalar.toString(encoding)), false);
  }
  assert.equal(text.includes('PRIVATE'), false);
  assert.ok(text.includes(table), 'the ciphertext is there');
  await rm(directory, { recursive: true });
});

test('a leader that writes it under a fresh key later, in a block of its own, is lawful', async () => {
  const ledger = new WrittenLedger({}, ['Beta']);
  const { ceremonies } = ledger;
  ceremonies.bringUp(ledger.others[0] as never);
  ceremonies.open();
  ceremonies.deal();
  ceremonies.confirm();
  const { seqno } = ceremonies;
  ledger.administer((set) => {
    closeCeremony(set, { seqno });
    ledger.beginEpoch(set, 'key');
  });
  assert.equal(networkKeyRow(ledger.administration.head)?.keyNumber, 1);
  ledger.execute('meanwhile');
  ledger.administer((set) => ledger.networkKey.write(set, entropy));
  assert.deepEqual(firstDefects(await audit(ledger)), []);
});

test('a first block without the private key is found', async () => {
  const ledger = new WrittenLedger({}, [], (set) => set.table(table).delete(rowKey(1)));
  ledger.execute('x');
  const [defect] = firstDefects(await audit(ledger));
  assert.equal(defect, 'keys INVALID_NETWORK_KEY 1');
});

forgery('the private key written though no fresh key asks for it', expected, (ledger) =>
  ledger.administer((set) => ledger.networkKey.write(set, entropy)),
);

forgery('the private key under a key that is none', expected, (ledger) =>
  ledger.administer((set) =>
    recordNetworkKey(set, {
      keyNumber: 7,
      ciphertext: networkKeyRow(set)?.ciphertext as Uint8Array,
    }),
  ),
);

forgery('the private key taken away', expected, (ledger) =>
  ledger.administer((set) => set.table(table).delete(rowKey(1))),
);

forgery('the private key beside that under the key before', expected, (ledger) => {
  const first = ledger.administration.head.table(table).get(rowKey(1)) as Uint8Array;
  return shared(ledger, (set) => set.table(table).set(rowKey(1), first));
});

forgery(
  'something that is no ciphertext in place of the private key',
  { ...expected, cause: 'MALFORMED' },
  (ledger) => shared(ledger, (set) => set.table(table).set(rowKey(2), utf8('secret'))),
);

forgery(
  'the private key encrypted with the label of a session key',
  { ...expected, cause: 'INVALID_CIPHERTEXT' },
  (ledger) =>
    shared(ledger, (set) => {
      const { key } = currentSharedKey(set) ?? assert.fail();
      const label = sessionKeyLabel({
        networkId: ledger.networkId,
        epoch: 2 as Epoch,
        keyId: key.id,
      });
      const ciphertext = encryptToThreshold({
        publicKey: publicKeyOf(key),
        label,
        message32: exportSigningScalar(ledger.networkKey.signing()),
        entropy128: entropy(128),
      });
      set.table(table).set(rowKey(2), encodeCiphertext(ciphertext));
    }),
);
