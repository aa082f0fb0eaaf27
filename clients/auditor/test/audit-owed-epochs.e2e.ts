import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildVote,
  closeCeremony,
  epochOwed,
  newestEpoch,
  recordEpochOwed,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import type { Identity } from '@concordat/sdk';
import { audit, firstDefects, forgery, submitted } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

/** Three members of whom any two read; two of them are to be voted out. */
function shared(ledger: WrittenLedger): void {
  for (const member of ledger.others) ledger.ceremonies.bringUp(member);
  ledger.ceremonies.hold();
  ledger.ceremonies.hold();
}

const removal = ({ actorId }: Identity) => ({ name: 'remove_actor', args: { actorId } }) as const;

/** The removal of the two, with another end of its block. */
function removed(ledger: WrittenLedger, end: (set: TransactionSet) => void): number {
  const [beta] = ledger.others as [Identity];
  const { proposalId } = ledger.propose(ledger.alpha, ...ledger.others.map(removal));
  ledger.vote(ledger.alpha, proposalId);
  const vote = buildVote({ ...ledger.signer(beta), proposalId, accept: true });
  ledger.administer((set) => {
    submitted(set, vote);
    end(set);
  });
  return ledger.blocks.length;
}

test('a removal that strands the shared key lets its epoch wait for the fresh one, which begins it', async () => {
  const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
  shared(ledger);
  const before = newestEpoch(ledger.administration.head)?.epoch as number;
  ledger.govern(...ledger.others.map(removal));
  assert.equal(epochOwed(ledger.administration.head)?.height, ledger.blocks.length);
  ledger.execute('while it waits');
  ledger.ceremonies.hold();
  ledger.execute('alone');
  const begun = newestEpoch(ledger.administration.head);
  assert.deepEqual([begun?.epoch, begun?.reason], [before + 1, 'key']);
  assert.equal(epochOwed(ledger.administration.head), undefined);
  const report = await audit(ledger);
  assert.deepEqual(firstDefects(report), []);
  assert.ok(report.observations.some(({ kind }) => kind === 'epoch-waits'));
});

test('an epoch that waited in vain begins under the stranded key', async () => {
  const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
  shared(ledger);
  ledger.govern(...ledger.others.map(removal));
  ledger.nowMs = Date.now() + 31_000;
  ledger.administer((set) => ledger.beginEpoch(set, 'actors'));
  ledger.execute('cut off from those who left');
  ledger.ceremonies.hold();
  assert.deepEqual(firstDefects(await audit(ledger)), []);
});

forgery(
  'a removal that strands the shared key, and neither an epoch nor that one is owed',
  { class: 'keys', code: 'EPOCH_MISSING' },
  (ledger) => {
    shared(ledger);
    return removed(ledger, () => undefined);
  },
);

forgery(
  'an epoch that begins for the actors before it has waited as long as it has to',
  { class: 'keys', code: 'EPOCH_WITHOUT_REASON' },
  (ledger) => {
    shared(ledger);
    ledger.govern(...ledger.others.map(removal));
    ledger.administer((set) => ledger.beginEpoch(set, 'actors'));
    return ledger.blocks.length;
  },
);

forgery(
  'an epoch said to wait though enough members are left to read',
  { class: 'keys', code: 'WRONG_EPOCH' },
  (ledger, [beta, gamma]) => {
    shared(ledger);
    const { proposalId } = ledger.propose(ledger.alpha, removal(gamma as Identity));
    ledger.vote(ledger.alpha, proposalId);
    const vote = buildVote({ ...ledger.signer(beta as Identity), proposalId, accept: true });
    ledger.administer((set) => {
      submitted(set, vote);
      ledger.oweEpoch(set);
    });
    return ledger.blocks.length;
  },
);

forgery(
  'an epoch said to be owed since another time than its block',
  { class: 'keys', code: 'WRONG_EPOCH' },
  (ledger) => {
    shared(ledger);
    const timeMs = Date.now() + 3_600_000;
    return removed(ledger, (set) => {
      recordEpochOwed(set, { height: ledger.blocks.length + 1, timeMs });
    });
  },
);

forgery(
  'a fresh key that is closed while the epoch goes on waiting',
  { class: 'keys', code: 'EPOCH_MISSING' },
  (ledger) => {
    shared(ledger);
    ledger.govern(...ledger.others.map(removal));
    const { ceremonies } = ledger;
    ceremonies.open();
    ceremonies.deal();
    ceremonies.confirm();
    const { seqno } = ceremonies;
    ledger.administer((set) => closeCeremony(set, { seqno }));
    return ledger.blocks.length;
  },
);

forgery('an epoch that waits for ever', { class: 'keys', code: 'EPOCH_OVERDUE' }, (ledger) => {
  shared(ledger);
  ledger.govern(...ledger.others.map(removal));
  ledger.nowMs = Date.now() + 31_000;
  ledger.execute('it should have begun');
  ledger.nowMs += 121_000;
  ledger.execute('long after it should have begun');
  return ledger.blocks.length;
});
