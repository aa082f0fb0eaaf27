import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PlatformVerifier, virtualVerifier } from '@concordat/attestation';
import { nodeTrusted } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { fromUtf8, utf8 } from '@concordat/std';
import { createNodeIdentity } from '../../../node/manager-enclave/node-identity.ts';
import { audit, firstDefects, forgery, joinsWith, rowOf, tables } from './forgery.ts';
import { selfSigned, WrittenLedger } from './written-ledger.ts';

forgery(
  'a node trusted without having joined',
  { class: 'nodes', code: 'NODE_CHANGE_REFUSED', cause: 'WRONG_NODE_STATUS', also: ['evidence'] },
  (ledger) => {
    const { nodeId } = ledger.admit().identity;
    const value = { ...rowOf<object>(ledger, tables.nodes, nodeId), status: 'trusted' };
    ledger.administer((set) => set.table(tables.nodes).set(nodeId, utf8(JSON.stringify(value))));
  },
);

forgery(
  'a node that joins though no vote admitted it',
  { class: 'nodes', code: 'NODE_CHANGE_REFUSED', cause: 'NODE_NOT_ADMITTED' },
  (ledger) => {
    const { identity } = ledger.admit();
    const { nodeId: key } = identity;
    // The block that admitted it is taken back; what came of it is written nevertheless.
    const value = rowOf<object>(ledger, tables.nodes, key);
    ledger.rollback(2);
    ledger.administer(() => undefined);
    ledger.learn(identity, {
      before: (set) => set.table(tables.nodes).set(key, utf8(JSON.stringify(value))),
    });
  },
);

forgery(
  'a node whose address changed without a vote',
  { class: 'nodes', code: 'UNDECIDED_NODE_CHANGE' },
  (ledger) => {
    const { nodeId } = ledger.join();
    const value = { ...rowOf<object>(ledger, tables.nodes, nodeId), address: 'evil:1' };
    ledger.administer((set) => set.table(tables.nodes).set(nodeId, utf8(JSON.stringify(value))));
  },
);

forgery(
  'a node removed without a vote',
  { class: 'nodes', code: 'UNDECIDED_NODE_CHANGE' },
  (ledger) => {
    const { nodeId } = ledger.join();
    const row = rowOf<object>(ledger, tables.nodes, nodeId);
    const value = { ...row, status: 'retired', retired: 'removed' };
    ledger.administer((set) => set.table(tables.nodes).set(nodeId, utf8(JSON.stringify(value))));
  },
);

forgery(
  'a certificate that the network did not issue',
  { class: 'nodes', code: 'UNENDORSED_CERTIFICATE' },
  (ledger) => {
    const { identity } = ledger.admit();
    ledger.learn(identity, { certificate: selfSigned(identity) });
  },
);

forgery(
  'a certificate of the network for the key of another node',
  { class: 'nodes', code: 'UNENDORSED_CERTIFICATE' },
  (ledger) => {
    const { identity } = ledger.admit();
    const certificate = ledger.endorse(ledger.first);
    ledger.learn(identity, {
      alter: (set) => {
        const row = set.table(tables.nodes).get(identity.nodeId) as Uint8Array;
        const value = { ...JSON.parse(fromUtf8(row)), certificate };
        set.table(tables.nodes).set(identity.nodeId, utf8(JSON.stringify(value)));
      },
    });
  },
);

forgery(
  'a change of the voters that is not marked as one',
  { class: 'nodes', code: 'WRONG_CONFIGURATION' },
  (ledger) => {
    const { identity } = ledger.admit();
    ledger.learn(identity);
    ledger.administer((set) => void nodeTrusted(set, identity.nodeId), { flags: 0 });
  },
);

forgery(
  'a block marked as a change of the voters that changes none',
  { class: 'nodes', code: 'WRONG_CONFIGURATION' },
  (ledger) => ledger.administer(() => undefined, { flags: 1 }),
);

forgery(
  'a node that joins without evidence',
  { class: 'evidence', code: 'EVIDENCE_MISSING' },
  joinsWith({ record: 'none' }),
);

forgery(
  'evidence that is none',
  { class: 'evidence', code: 'EVIDENCE_REFUSED', cause: 'MALFORMED' },
  joinsWith({ record: () => utf8('trust me') }),
);

forgery(
  'evidence that its platform did not sign',
  { class: 'evidence', code: 'EVIDENCE_REFUSED', cause: 'BAD_SIGNATURE' },
  joinsWith({
    record: (honest) => {
      const changed = Buffer.from(honest);
      changed[changed.length - 1] = (changed[changed.length - 1] as number) ^ 1;
      return changed;
    },
  }),
);

forgery(
  'evidence for another key',
  { class: 'evidence', code: 'EVIDENCE_REFUSED', cause: 'WRONG_REPORT_DATA' },
  (ledger) => ledger.learn(ledger.admit().identity, { boundTo: ledger.first }),
);

forgery(
  'evidence that answers another network',
  { class: 'evidence', code: 'EVIDENCE_NOT_OF_ITS_TIME' },
  joinsWith({ networkId: 'ee'.repeat(32) }),
);

forgery(
  'evidence judged after its block',
  { class: 'evidence', code: 'EVIDENCE_NOT_OF_ITS_TIME' },
  (ledger) => ledger.learn(ledger.admit().identity, { verifiedAtMs: Date.now() + 3_600_000 }),
);

forgery(
  'a node list that names another machine than the evidence',
  { class: 'evidence', code: 'EVIDENCE_OF_ANOTHER_VERDICT', also: ['nodes'] },
  joinsWith({ verdict: { platformKey: 'cc'.repeat(32) } }),
);

forgery(
  'code that the manifest of its height does not list',
  {
    class: 'evidence',
    code: 'EVIDENCE_UNLISTED',
    cause: 'UNLISTED_MEASUREMENT',
    also: ['nodes'],
  },
  (ledger) => {
    const { identity } = ledger.admit();
    const measurement = 'dd'.repeat(32);
    const row = { measurement, name: 'manager', role: 'manager', version: '2' };
    const table = (set: TransactionSet) => set.table(tables.code);
    ledger.learn(identity, {
      measurement,
      before: (set) => table(set).set(measurement, utf8(JSON.stringify(row))),
      alter: (set) => table(set).delete(measurement),
    });
  },
);

/** A platform whose collateral expired at an instant. */
const expiringAt = (expiresMs: number): PlatformVerifier => ({
  platform: 'virtual',
  verify: (body, atMs) =>
    atMs > expiresMs
      ? { code: 'BAD_SIGNATURE', message: 'its collateral has expired' }
      : virtualVerifier.verify(body, atMs),
});
const anHourAgo = Date.now() - 3_600_000;

forgery(
  'evidence whose collateral had expired when it was judged',
  {
    class: 'evidence',
    code: 'EVIDENCE_REFUSED',
    cause: 'BAD_SIGNATURE',
    options: { verifiers: [expiringAt(Date.now() + 600_000)] },
  },
  (ledger) => {
    ledger.nowMs = Date.now() + 3_600_000;
    ledger.learn(ledger.admit().identity);
  },
);

test('collateral that expired since proves what it proved then', async () => {
  const ledger = new WrittenLedger();
  ledger.join();
  const expired = { verifiers: [expiringAt(Date.now() + 1)] };
  assert.ok((await audit(ledger, expired)).ok);
  const before = { verifiers: [expiringAt(anHourAgo)] };
  assert.equal((await audit(ledger, before)).ok, false);
});

test('a rejoining node, and one that rejoins in the place of a learner, are lawful', async () => {
  const ledger = new WrittenLedger();
  const second = ledger.join();
  const entropy = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));
  const third = createNodeIdentity(entropy, Date.now());
  ledger.learn(third, {}, second.nodeId);
  const fourth = createNodeIdentity(entropy, Date.now());
  ledger.learn(fourth, {}, third.nodeId);
  const fifth = createNodeIdentity(entropy, Date.now());
  ledger.learn(fifth, {}, second.nodeId);
  ledger.trust(fifth);
  const report = await audit(ledger);
  assert.deepEqual(firstDefects(report), []);
  assert.equal(report.nodes.filter(({ status }) => status === 'trusted').length, 2);
});
