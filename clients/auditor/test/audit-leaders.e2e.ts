import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit, forgery } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

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
