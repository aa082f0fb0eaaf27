import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import { buildVote } from '@concordat/governance';
import type { Identity } from '@concordat/sdk';
import { emptyBytes, utf8 } from '@concordat/std';
import { audit, forgery, joinsWith, submitted, tables } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

forgery(
  'actors that changed without a new epoch',
  { class: 'keys', code: 'EPOCH_MISSING' },
  (ledger, [beta]) => {
    const { actorId } = beta as Identity;
    const opened = ledger.propose(ledger.alpha, { name: 'remove_actor', args: { actorId } });
    const { proposalId } = opened;
    ledger.vote(ledger.alpha, proposalId);
    const vote = buildVote({
      ...ledger.signer(ledger.others[1] as Identity),
      proposalId,
      accept: true,
    });
    ledger.administer((set) => submitted(set, vote));
  },
);

forgery('an epoch that skips one', { class: 'keys', code: 'WRONG_EPOCH' }, (ledger) => {
  ledger.administer((set) => {
    ledger.beginEpoch(set);
    set.table(tables.epoch).set('current', utf8('9'));
  });
  const at = ledger.blocks.length;
  ledger.administer = () => undefined;
  ledger.execute = () => undefined;
  return at;
});

forgery(
  'a block sealed under an epoch that ended long ago',
  { class: 'keys', code: 'WRONG_EPOCH' },
  (ledger) => {
    const old = ledger.sessionKey;
    ledger.administer((set) => ledger.beginEpoch(set));
    const record = { publicWrites: emptyBytes, privateWrites: utf8('old') };
    ledger.nowMs = Date.now() + 600_000;
    ledger.seal([record], { source: 1, key: old });
  },
);

test('a block under an epoch that just ended is told: the new one may not be final yet', async () => {
  const ledger = new WrittenLedger();
  const old = ledger.sessionKey;
  ledger.administer((set) => ledger.beginEpoch(set));
  const record = { publicWrites: emptyBytes, privateWrites: utf8('in flight') };
  ledger.seal([record], { source: 1, key: old });
  ledger.execute('under the new one');
  const report = await audit(ledger);
  assert.ok(report.ok, JSON.stringify(report.classes));
  const kinds = report.observations.map(({ kind }) => kind);
  assert.ok(kinds.includes('earlier-epoch') && kinds.includes('epoch-on-demand'));
});

const stranger = createEncryptionKey(new Uint8Array(32).fill(7));

forgery(
  'a session key given to a stranger when a node joins',
  { class: 'keys', code: 'WRAP_NOT_ALLOWED' },
  joinsWith({ shares: { name: 'mallory', publicKey: stranger.publicKey } }),
);

forgery(
  'a session key given to a stranger in a block that does nothing else',
  { class: 'keys', code: 'WRAP_NOT_ALLOWED' },
  (ledger) =>
    ledger.administer((set) =>
      ledger.sessionKeys.shareWith(
        set,
        { name: 'mallory', publicKey: stranger.publicKey },
        (bytes) => new Uint8Array(bytes),
      ),
    ),
);

forgery(
  'a node that joins and gets no session key',
  { class: 'keys', code: 'WRAP_MISSING' },
  joinsWith({ shares: 'none' }),
);

forgery(
  'a new session key wrapped to a node that was removed',
  { class: 'keys', code: 'WRAP_NOT_ALLOWED' },
  (ledger) => {
    const { nodeId } = ledger.join();
    ledger.govern({ name: 'remove_node', args: { nodeId } });
    ledger.administer((set) => {
      ledger.beginEpoch(set);
      const wrapped = set
        .table(tables.wraps)
        .get(`${'3'.padStart(16, '0')}/${ledger.first.nodeId}`);
      set.table(tables.wraps).set(`${'3'.padStart(16, '0')}/${nodeId}`, wrapped as Uint8Array);
    });
  },
);

forgery(
  'a leader that was still learning',
  { class: 'leaders', code: 'UNTRUSTED_LEADER' },
  (ledger) => {
    const { identity } = ledger.admit();
    ledger.learn(identity);
    ledger.leader = identity;
    ledger.view = 2;
    ledger.execute('forged');
    const at = ledger.blocks.length;
    ledger.leader = ledger.first;
    ledger.view = 3;
    return at;
  },
);

forgery(
  'a leader that was removed long ago',
  { class: 'leaders', code: 'UNTRUSTED_LEADER' },
  (ledger) => {
    const second = ledger.join();
    ledger.govern({ name: 'remove_node', args: { nodeId: second.nodeId } });
    ledger.nowMs = Date.now() + 600_000;
    ledger.leader = second;
    ledger.view = 2;
    ledger.execute('forged');
    const at = ledger.blocks.length;
    ledger.leader = ledger.first;
    ledger.view = 3;
    return at;
  },
);

test('a leader that is removed may still lead until that is final, which is told', async () => {
  const ledger = new WrittenLedger();
  const second = ledger.join();
  ledger.leader = second;
  ledger.view = 2;
  ledger.govern({ name: 'remove_node', args: { nodeId: second.nodeId } });
  ledger.execute('in flight');
  const report = await audit(ledger);
  assert.ok(report.ok, JSON.stringify(report.classes));
  const [led] = report.observations.filter(({ kind }) => kind === 'led-after-retirement');
  assert.equal(led?.count, 1);
});

forgery('two leaders in one view', { class: 'leaders', code: 'UNTRUSTED_LEADER' }, (ledger) => {
  const second = ledger.join();
  ledger.leader = second;
  ledger.execute('forged');
  const at = ledger.blocks.length;
  ledger.leader = ledger.first;
  ledger.view = 2;
  return at;
});

forgery(
  'a leader whom nothing in the ledger endorses',
  { class: 'chain', code: 'UNKNOWN_LEADER' },
  (ledger) => {
    ledger.leader = new WrittenLedger().first;
    ledger.view = 2;
    ledger.execute('forged');
  },
);

forgery('a time that falls within a view', { class: 'clocks', code: 'TIME_FELL' }, (ledger) => {
  ledger.nowMs = Date.now() - 5_000;
  ledger.execute('late');
  const at = ledger.blocks.length;
  ledger.nowMs = undefined;
  return at;
});

test('a time that falls when another leads is told, and a long gap too', async () => {
  const ledger = new WrittenLedger();
  const second = ledger.join();
  ledger.nowMs = Date.now() - 3_000;
  ledger.leader = second;
  ledger.view = 2;
  ledger.execute('behind');
  ledger.nowMs = Date.now() + 2 * 3_600_000;
  ledger.execute('much later');
  const report = await audit(ledger);
  assert.ok(report.ok);
  const kinds = report.observations.map(({ kind }) => kind);
  assert.ok(kinds.includes('clock-differs') && kinds.includes('long-gap'));
});
