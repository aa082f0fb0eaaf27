import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type AuditReport, auditLedger, type LedgerAudit } from '@concordat/auditor';
import { createOrganisation } from '@concordat/sdk';
import { utf8 } from '@concordat/std';
import { WrittenLedger } from './written-ledger.ts';

let root = '';
const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
const [beta, gamma] = ledger.others as [(typeof ledger.others)[0], (typeof ledger.others)[0]];
const delta = createOrganisation({ name: 'Delta' });

/** A ledger with most of what governance can do. */
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'audit-'));
  ledger.execute('a', 'b', 'c');
  const args = { kind: ['member'], name: 'Delta', certificate: delta.certificatePem };
  const actor = ledger.propose(beta, { name: 'add_actor', args });
  const withdrawn = ledger.propose(gamma, setPolicy('maxBatchDelayMs', 9));
  ledger.vote(ledger.alpha, actor.proposalId);
  ledger.vote(gamma, actor.proposalId);
  ledger.withdraw(gamma, withdrawn.proposalId);
  ledger.govern(setPolicy('maxBatchTransactions', 50));
  ledger.govern({
    name: 'set_voting_policy',
    args: { kind: 'set_policy', policy: { kind: 'm-of-n', m: 1 } },
  });
  ledger.propose(beta, setPolicy('heartbeatMs', 90));
  const second = ledger.join();
  ledger.execute('d');
  const successor = ledger.join();
  ledger.leader = second;
  ledger.view = 4;
  ledger.administer(() => undefined);
  ledger.execute('e', 'f');
  const rejected = ledger.propose(beta, {
    name: 'remove_code',
    args: { measurement: 'aa'.repeat(32) },
  });
  ledger.vote(ledger.alpha, rejected.proposalId, false);
  ledger.vote(gamma, rejected.proposalId, false);
  ledger.govern({ name: 'remove_node', args: { nodeId: successor.nodeId } });
  ledger.govern({ name: 'remove_actor', args: { actorId: delta.actorId } });
  for (const text of ['first', 'second']) {
    const { proposalId } = ledger.deploy(beta, 'javascript', utf8(text));
    ledger.vote(ledger.alpha, proposalId);
    ledger.vote(gamma, proposalId);
  }
  ledger.withdraw(beta, ledger.deploy(beta, 'javascript', utf8('third')).proposalId);
  ledger.govern({ name: 'remove_application', args: { adapter: 'javascript' } });
  ledger.execute('g');
  await ledger.write(join(root, 'whole'));
});
after(() => rm(root, { recursive: true }));

const setPolicy = (name: string, value: unknown) =>
  ({ name: 'set_policy', args: { name, value } }) as const;

const audit = (options: Partial<LedgerAudit> = {}): Promise<AuditReport> =>
  auditLedger({
    directory: join(root, 'whole'),
    networkCertificate: ledger.networkCertificate,
    ...options,
  });

const stateOf = ({ proposals }: AuditReport): string[] => proposals.map(({ state }) => state);

test('a lawful ledger holds in every class, with and without a key', async () => {
  for (const epochKeys of [undefined, ledger.epochKeys()]) {
    const report = await audit(epochKeys ? { epochKeys } : {});
    assert.deepEqual(
      report.classes.filter(({ verdict }) => verdict === 'defect'),
      [],
    );
    assert.ok(report.ok);
    assert.equal(report.blocks, ledger.blocks.length);
    assert.equal(report.last?.height, ledger.blocks.length);
    const kinds = report.observations.map(({ kind }) => kind);
    assert.equal(kinds.includes('contents-closed'), epochKeys === undefined);
  }
});

test('the report tells who is in the network, who led, and what was looked at', async () => {
  const report = await audit({ epochKeys: ledger.epochKeys() });
  assert.equal(report.network?.networkId, ledger.networkId);
  assert.deepEqual(
    report.organisations.map(({ name, until }) => [name, until !== undefined]),
    [
      ['Alpha', false],
      ['Beta', false],
      ['Gamma', false],
      ['Delta', true],
    ].sort(([a], [b]) => order(report, a as string) - order(report, b as string)),
  );
  assert.deepEqual(
    report.nodes.map(({ status, retired }) => [status, retired]),
    [
      ['trusted', undefined],
      ['trusted', undefined],
      ['retired', 'removed'],
    ],
  );
  const [, second] = report.nodes as [unknown, AuditReport['nodes'][number]];
  const { admitted = 0, learning = 0, trusted = 0 } = second.heights;
  assert.ok(admitted < learning && learning < trusted);
  assert.deepEqual(
    report.leaders.map(({ nodeId, views }) => [nodeId, views]),
    [
      [ledger.first.nodeId, 1],
      [ledger.leader.nodeId, 1],
    ],
  );
  const examined = Object.fromEntries(report.classes.map((of) => [of.class, of.examined]));
  assert.equal(examined.chain?.blocks, ledger.blocks.length);
  assert.equal(examined.chain?.leaves, ledger.blocks.length + report.transactions);
  assert.equal(examined.evidence?.records, 3);
  assert.equal(examined.nodes?.joined, 2);
  assert.equal(examined.keys?.epochs, 4);
  assert.equal(examined.leaders?.views, 2);
});

/** Actors of one block come in the order of their ids. */
const order = ({ organisations }: AuditReport, name: string): number =>
  organisations.findIndex((one) => one.name === name);

test('every proposal is told with its votes and the policy it was judged by', async () => {
  const { proposals } = await audit();
  const states = ['accepted', 'withdrawn', 'accepted', 'accepted', 'open'];
  assert.deepEqual(stateOf({ proposals } as AuditReport).slice(0, 5), states);
  assert.ok(proposals.some(({ state }) => state === 'rejected'));
  const [actor, , , , open] = proposals as [(typeof proposals)[number], ...typeof proposals];
  assert.deepEqual(actor.votes, [
    { member: 'Alpha', accept: true, changes: 0 },
    { member: 'Gamma', accept: true, changes: 0 },
  ]);
  assert.equal(actor.members, 3);
  assert.equal(actor.proposer, 'Beta');
  assert.deepEqual(actor.requirements, [{ kind: 'add_actor', policy: { kind: 'majority' } }]);
  assert.ok((actor.closedHeight ?? 0) > actor.openedHeight);
  assert.deepEqual(open?.requirements[0]?.policy, { kind: 'm-of-n', m: 1 });
  assert.equal(open?.closedHeight, undefined);
});

test('what is unusual is told without being called a defect', async () => {
  const { observations } = await audit();
  const found = new Map(observations.map((noted) => [noted.kind, noted]));
  assert.equal(found.get('view-changed')?.count, 1);
  assert.match(found.get('views-without-blocks')?.first[0]?.message ?? '', /views 2 to 3/);
  assert.ok(!found.has('torn-end'));
});

test('receipts are verified and their transactions found', async () => {
  const receipts = [2, 1].map((height) => {
    return { name: `receipt of ${height}`, receipt: ledger.receipt(height) };
  });
  const report = await audit({ receipts });
  assert.ok(report.ok);
  assert.deepEqual(
    report.receipts.map(({ name, located, height }) => [name, located, height]),
    [
      ['receipt of 1', true, 1],
      ['receipt of 2', true, 2],
    ],
  );
});
