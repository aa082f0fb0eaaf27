import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuditReport, auditClasses } from '@concordat/auditor';
import type { ActorId, NodeId } from '@concordat/std';
import { auditText } from '../audit-text.ts';

const plain = { write: () => {}, interactive: false };
const end = { height: 2, transactionId: '1.2', timeMs: 1_700_000_000_000, historyRoot: 'ab' };
const report: AuditReport = {
  version: 1,
  ok: true,
  network: { networkId: 'aa', name: 'Harbour', certificate: 'bb', constitutionDigest: 'cc' },
  blocks: 2,
  transactions: 2_000,
  bytes: 1_000,
  chunks: 1,
  tornBytes: 0,
  first: { ...end, height: 1 },
  last: end,
  epochs: [
    {
      epoch: 1,
      blocks: 2,
      contents: false,
      begun: { height: 1, reason: 'genesis', timeMs: 1_700_000_000_000, sharedKey: 1 },
    },
  ],
  contents: [{ worker: 1, transactions: 7, writes: 9, bytes: 100, unreadable: 1 }],
  keys: {
    shared: [
      { number: 1, keyId: 'ee', threshold: 2, holders: ['Aurora', 'Borealis'], sharings: 2 },
    ],
    ceremonies: [
      {
        number: 1,
        purpose: 'fresh',
        reason: 'first',
        key: 1,
        attempt: 1,
        threshold: 1,
        receivers: ['Aurora'],
        atFault: [],
        state: 'done',
        openedHeight: 1,
        closedHeight: 1,
      },
    ],
    auditors: [
      {
        auditor: 'Audit Ltd',
        encryptionKey: '04',
        epochs: [2, 3],
        since: 9,
        until: 12,
        given: [{ by: 'Aurora', epochs: [2, 3], height: 10 }],
      },
    ],
    exports: [{ actor: 'Borealis', key: 1, sharing: 2, times: 1, height: 11 }],
  },
  classes: auditClasses.map((of) => ({ class: of, verdict: 'holds', defects: 0, examined: {} })),
  leaders: [
    {
      nodeId: 'n1' as NodeId,
      views: 1,
      blocks: 2,
      transactions: 2,
      firstHeight: 1,
      lastHeight: 2,
    },
  ],
  organisations: [{ actorId: 'a1' as ActorId, name: 'Aurora', kind: ['member'], since: 1 }],
  nodes: [
    {
      nodeId: 'n1' as NodeId,
      name: 'vn1',
      organisation: 'Aurora',
      status: 'trusted',
      heights: { trusted: 1 },
    },
  ],
  proposals: [
    {
      proposalId: 'p1',
      proposer: 'Aurora',
      actions: [{ name: 'set_policy', args: { name: 'heartbeatMs', value: 90 } }],
      requirements: [{ kind: 'set_policy', policy: { kind: 'm-of-n', m: 2 } }],
      openedHeight: 2,
      openedAtMs: 0,
      state: 'open',
      votes: [
        { member: 'Aurora', accept: true, changes: 2 },
        { member: 'Borealis', accept: false, rule: 'nodes', changes: 0 },
      ],
      members: 3,
    },
  ],
  receipts: [],
  observations: [
    { kind: 'view-changed', count: 12, first: [{ kind: 'view-changed', height: 2, message: 'v' }] },
  ],
};

test('a report says what holds, who voted what under which policy, and what is unusual', () => {
  const text = auditText(plain, report, '/ledger');
  assert.match(text, /Harbour, aa/);
  assert.match(text, /contents not opened/);
  assert.match(text, /1 .* genesis .* no key/);
  assert.match(text, /2 of 2 .* Aurora, Borealis/);
  assert.match(text, /worker 1: 7 transactions, 9 writes .*1 of them not in the form/);
  assert.match(text, /Audit Ltd .* 2 to 3 .* Aurora \(2 to 3\)/);
  assert.match(text, /Borealis .* 11/);
  for (const line of ['Chain, signatures and history: ✓ holds', 'Evidence: ✓ holds']) {
    assert.ok(text.includes(line), line);
  }
  assert.match(
    text,
    /p1 .* Aurora .* set_policy heartbeatMs .* yes: Aurora \(changed 2x\); no: Borealis \(rule nodes\) \(of 3\)/,
  );
  assert.match(text, /2 of n/);
  assert.match(text, /view changed \(12\)\n {4}block 2: v\n {4}and 11 more/);
  assert.match(text, /No defect was found up to block 2\.\n$/);
});

test('a defect is told with its code, cause, height, file and reason', () => {
  const first = {
    class: 'governance',
    code: 'MESSAGE_REFUSED',
    cause: 'ALREADY_VOTED',
    height: 7,
    file: 'ledger_1.chunk',
    message: 'each member gets one vote',
  } as const;
  const classes = report.classes.map((of) =>
    of.class === 'governance' ? { ...of, verdict: 'defect' as const, defects: 3, first } : of,
  );
  const text = auditText(plain, { ...report, ok: false, classes }, '/ledger');
  assert.match(text, /Governance, executed anew: ✗ defect/);
  assert.match(text, /MESSAGE_REFUSED \(ALREADY_VOTED\) at block 7, ledger_1\.chunk/);
  assert.match(text, /each member gets one vote\n {2}and 2 more of this class/);
  assert.match(text, /Defects: Governance, executed anew\.\n$/);
});

test('a ledger whose first block was refused has a report, too', () => {
  const { network: _network, first: _first, last: _last, ...rest } = report;
  const none = { ...rest, blocks: 0, transactions: 0, epochs: [], nodes: [], organisations: [] };
  assert.match(auditText(plain, { ...none, ok: false }, '/ledger'), /its genesis was refused/);
});

test('names that would steer a terminal are shown without what would', () => {
  const organisations = report.organisations.map((one) => ({ ...one, name: '\u001b[2JMallory\r' }));
  const text = auditText(plain, { ...report, organisations }, '/ledger');
  assert.ok(!text.includes('\u001b') && !text.includes('\r'));
  assert.match(text, /\?\[2JMallory\?/);
});
