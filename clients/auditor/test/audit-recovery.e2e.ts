import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildRecoveryConsent,
  canonicalJson,
  type FormerNetwork,
  markRestored,
  writeRecoveredFrom,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { fromUtf8, utf8 } from '@concordat/std';
import { formerNetwork } from '../../../core/governance/test/network.ts';
import { assertFound, audit, type Expected, firstDefects } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

const recoveryTable = 'public:concordat.recovery';

/** A first block that names a former network, and begins its epoch for that reason. */
function named(set: TransactionSet, former: object = formerNetwork): void {
  writeRecoveredFrom(set, former as FormerNetwork);
  const epochs = set.table('public:concordat.epoch');
  const begun = JSON.parse(fromUtf8(epochs.get('begun') as Uint8Array));
  epochs.set('begun', utf8(canonicalJson({ ...begun, reason: 'recovery' })));
}

const recovered = (former?: object): WrittenLedger =>
  new WrittenLedger({}, ['Beta', 'Gamma'], (set) => named(set, former));

const restored = (ledger: WrittenLedger, transactions: number): void =>
  ledger.administer((set) => markRestored(set, { formerBlocks: 2, transactions }));

test('a recovered network is audited like any other, and what it goes on from is told', async () => {
  const ledger = recovered();
  const consent = buildRecoveryConsent({
    ...ledger.signer(ledger.alpha),
    requester: `recovery:${ledger.first.nodeId}`,
    former: formerNetwork.historyRoot,
    epochs: [1, 3],
    shares: 'ab'.repeat(32),
  });
  ledger.submit(consent);
  ledger.execute('one', 'two');
  ledger.execute('three');
  restored(ledger, 3);
  ledger.govern({ name: 'open_network', args: {} });
  ledger.execute('four');
  const report = await audit(ledger);
  assert.deepEqual(firstDefects(report), []);
  const told = report.observations.find(({ kind }) => kind === 'recovered-from');
  assert.match(told?.first[0]?.message ?? '', /^network (fe)+ up to block 20, transaction 2\.31/);
});

const found = (
  name: string,
  expected: Expected,
  forge: (ledger: WrittenLedger) => unknown,
  ledger: () => WrittenLedger = recovered,
): Promise<void> =>
  test(name, async () => {
    const forged = ledger();
    const told = forge(forged);
    const at = typeof told === 'number' ? told : forged.blocks.length;
    assertFound(await audit(forged), forged, expected, at);
  }) as Promise<void>;

const undecided = { class: 'governance', code: 'UNDECIDED_CHANGE' } as const;

found('a restoration that says another number of transactions', undecided, (ledger) => {
  ledger.execute('one', 'two');
  restored(ledger, 3);
});

found('an application that is served before the vote', undecided, (ledger) => {
  restored(ledger, 0);
  ledger.execute('early');
  const at = ledger.blocks.length;
  ledger.govern({ name: 'open_network', args: {} });
  return at;
});

found('a second restoration', { ...undecided, cause: 'NETWORK_NOT_RECOVERING' }, (ledger) => {
  restored(ledger, 0);
  ledger.administer((set) => {
    set.table(recoveryTable).delete('stage');
    const stage = { stage: 'restored', formerBlocks: 9, transactions: 0 };
    set.table(recoveryTable).set('stage', utf8(canonicalJson(stage)));
  });
});

found(
  'a network that opens itself',
  { ...undecided, cause: 'NETWORK_NOT_RECOVERING' },
  (ledger) => {
    restored(ledger, 0);
    ledger.administer((set) => {
      const stage = { stage: 'open', formerBlocks: 2, transactions: 0 };
      set.table(recoveryTable).set('stage', utf8(canonicalJson(stage)));
    });
  },
);

found(
  'a restoration in a network that goes on from none',
  { ...undecided, cause: 'NETWORK_NOT_RECOVERING' },
  (ledger) => {
    ledger.administer((set) => {
      const stage = { stage: 'restored', formerBlocks: 2, transactions: 0 };
      set.table(recoveryTable).set('stage', utf8(canonicalJson(stage)));
    });
  },
  () => new WrittenLedger({}, ['Beta', 'Gamma']),
);

for (const former of [
  { ...formerNetwork, historyRoot: 'none' },
  { ...formerNetwork, lastHeight: 0 },
  { ...formerNetwork, lastTransaction: 'last' },
  { ...formerNetwork, more: true },
]) {
  test(`a former network that is named in another form: ${JSON.stringify(former).length}`, async () => {
    const ledger = recovered(former);
    const report = await audit(ledger);
    assert.ok(firstDefects(report).includes('governance WRONG_GENESIS 1'));
  });
}
