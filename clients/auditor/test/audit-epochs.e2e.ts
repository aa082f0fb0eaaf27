import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildVote, canonicalJson, recordKeyGrant } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { blockFlags } from '@concordat/ledger';
import type { Identity } from '@concordat/sdk';
import { emptyBytes, fromUtf8, utf8 } from '@concordat/std';
import { audit, firstDefects, forgery, joinsWith, submitted, tables } from './forgery.ts';
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

const epochRow = 'public:concordat.epoch';

/** A lawful epoch by vote, of which something is changed. */
const epochWith =
  (alter: (set: TransactionSet, ledger: WrittenLedger) => void) => (ledger: WrittenLedger) => {
    const { proposalId } = ledger.propose(ledger.alpha, { name: 'begin_epoch', args: {} });
    ledger.vote(ledger.alpha, proposalId);
    const second = ledger.others[0] as Identity;
    const vote = buildVote({ ...ledger.signer(second), proposalId, accept: true });
    ledger.administer((set) => {
      submitted(set, vote);
      ledger.beginEpoch(set, 'vote');
      alter(set, ledger);
    });
    return ledger.blocks.length;
  };

const begunRow = (set: TransactionSet) =>
  JSON.parse(fromUtf8(set.table(epochRow).get('begun') as Uint8Array)) as Record<string, unknown>;
const changeBegun = (change: object) => (set: TransactionSet) => {
  const row = { ...begunRow(set), ...change };
  set.table(epochRow).set('begun', utf8(canonicalJson(row)));
};

/** Nothing lawful follows such an epoch. */
const last =
  (forge: (ledger: WrittenLedger) => number) =>
  (ledger: WrittenLedger): number => {
    const at = forge(ledger);
    ledger.execute = () => undefined;
    return at;
  };

forgery(
  'an epoch that skips one',
  { class: 'keys', code: 'WRONG_EPOCH' },
  last(epochWith((set) => set.table(epochRow).set('current', utf8('9')))),
);

forgery(
  'an epoch that says it began with another block',
  { class: 'keys', code: 'WRONG_EPOCH' },
  last(epochWith(changeBegun({ height: 3 }))),
);

forgery(
  'an epoch that says it began at another time than its block',
  { class: 'keys', code: 'WRONG_EPOCH' },
  epochWith(changeBegun({ timeMs: Date.now() - 60_000 })),
);

forgery(
  'an epoch that nothing asked for',
  { class: 'keys', code: 'EPOCH_WITHOUT_REASON' },
  (ledger) => ledger.administer((set) => ledger.beginEpoch(set, 'vote')),
);

for (const reason of [
  'genesis',
  'actors',
  'key',
  'time',
  'blocks',
  'resume',
  'recovery',
] as const) {
  forgery(
    `an epoch voted for that names another reason (${reason})`,
    { class: 'keys', code: 'EPOCH_WITHOUT_REASON' },
    epochWith(changeBegun({ reason })),
  );
}

forgery(
  'a vote for a new epoch that is not heeded',
  { class: 'keys', code: 'EPOCH_MISSING' },
  (ledger) => {
    const { proposalId } = ledger.propose(ledger.alpha, { name: 'begin_epoch', args: {} });
    ledger.vote(ledger.alpha, proposalId);
    const second = ledger.others[0] as Identity;
    const vote = buildVote({ ...ledger.signer(second), proposalId, accept: true });
    ledger.administer((set) => submitted(set, vote));
  },
);

const keyRow = (epoch: number, key: number): string =>
  `${String(epoch).padStart(16, '0')}/${String(key).padStart(16, '0')}`;

forgery(
  'an epoch whose session key is that of the epoch before, copied',
  { class: 'keys', code: 'INVALID_EPOCH_KEY', cause: 'INVALID_CIPHERTEXT' },
  epochWith((set) => {
    const table = set.table(tables.epochKeys);
    table.set(keyRow(2, 1), table.get(keyRow(1, 1)) as Uint8Array);
  }),
);

forgery(
  'an epoch whose session key is no ciphertext',
  { class: 'keys', code: 'INVALID_EPOCH_KEY', cause: 'MALFORMED' },
  epochWith((set) => set.table(tables.epochKeys).set(keyRow(2, 1), utf8('secret'))),
);

forgery(
  'an epoch whose session key was changed in one bit',
  { class: 'keys', code: 'INVALID_EPOCH_KEY', cause: 'INVALID_CIPHERTEXT' },
  epochWith((set) => {
    const changed = Uint8Array.from(set.table(tables.epochKeys).get(keyRow(2, 1)) as Uint8Array);
    changed[5] = (changed[5] as number) ^ 1;
    set.table(tables.epochKeys).set(keyRow(2, 1), changed);
  }),
);

forgery(
  'an epoch whose session key is under a shared key that is not there',
  { class: 'keys', code: 'INVALID_EPOCH_KEY' },
  epochWith((set) => {
    const table = set.table(tables.epochKeys);
    table.set(keyRow(2, 2), table.get(keyRow(2, 1)) as Uint8Array);
    table.delete(keyRow(2, 1));
  }),
);

forgery(
  'an epoch with a second session key, for whoever made it',
  { class: 'keys', code: 'INVALID_EPOCH_KEY' },
  epochWith((set) => {
    const table = set.table(tables.epochKeys);
    table.set(keyRow(2, 2), table.get(keyRow(2, 1)) as Uint8Array);
  }),
);

forgery(
  'the session key of an earlier epoch, exchanged afterwards',
  { class: 'keys', code: 'WRONG_EPOCH' },
  (ledger) =>
    ledger.administer((set) => set.table(tables.epochKeys).set(keyRow(1, 1), utf8('another'))),
);

test('an epoch begins by time and by blocks as the policies ask, and resumes with its block', async () => {
  const ledger = new WrittenLedger({ policies: { epochDuration: 60, epochBlocks: 10 } });
  ledger.nowMs = Date.now() + 60_000;
  ledger.administer((set) => ledger.beginEpoch(set, 'time'));
  while (ledger.blocks.length < 11) ledger.execute('x');
  ledger.administer((set) => ledger.beginEpoch(set, 'blocks'));
  ledger.nowMs = Date.now() + 7_200_000;
  ledger.view = 7;
  ledger.administer((set) => ledger.beginEpoch(set, 'resume'), { flags: blockFlags.resumption });
  ledger.execute('resumed');
  const report = await audit(ledger);
  assert.deepEqual(firstDefects(report), []);
  assert.equal(report.epochs.length, 4);
  assert.ok(report.observations.some(({ kind }) => kind === 'network-resumed'));
});

test('a block too early, or a second too early, is no reason for an epoch', async () => {
  const ledger = new WrittenLedger({ policies: { epochDuration: 60, epochBlocks: 10 } });
  ledger.nowMs = Date.now() + 50_000;
  ledger.administer((set) => ledger.beginEpoch(set, 'time'));
  const early = await audit(ledger);
  assert.deepEqual(firstDefects(early), ['keys EPOCH_WITHOUT_REASON 2']);
  ledger.rollback(1);
  while (ledger.blocks.length < 9) ledger.execute('x');
  ledger.administer((set) => ledger.beginEpoch(set, 'blocks'));
  assert.deepEqual(firstDefects(await audit(ledger)), ['keys EPOCH_WITHOUT_REASON 10']);
});

test('an epoch that goes on long after its time, or its blocks, is found', async () => {
  for (const policies of [{ epochDuration: 60 }, { epochBlocks: 10 }]) {
    const ledger = new WrittenLedger({ policies: { epochDuration: 0, ...policies } });
    const start = Date.now();
    while (ledger.blocks.length < 40) {
      ledger.nowMs = start + ledger.blocks.length * 10_000;
      ledger.execute('x');
    }
    const [found] = (await audit(ledger)).classes.filter(({ first }) => first);
    assert.equal(found?.first?.code, 'EPOCH_OVERDUE');
    assert.equal(found?.defects, 1);
    ledger.rollback(12);
    ledger.nowMs = start + 130_000;
    ledger.administer((set) => {
      ledger.beginEpoch(set, 'epochBlocks' in policies ? 'blocks' : 'time');
    });
    ledger.execute('in time');
    assert.deepEqual(firstDefects(await audit(ledger)), []);
  }
});

forgery(
  'a block marked as the first of a resumed network that is not the first of its view',
  { class: 'keys', code: 'EPOCH_WITHOUT_REASON' },
  (ledger) =>
    ledger.administer((set) => ledger.beginEpoch(set, 'resume'), {
      flags: blockFlags.resumption,
    }),
);

forgery(
  'a block marked as the first of a resumed network that begins no epoch',
  { class: 'keys', code: 'EPOCH_MISSING' },
  (ledger) => {
    ledger.view = 2;
    ledger.administer(() => undefined, { flags: blockFlags.resumption });
  },
);

forgery(
  'a block sealed under an epoch that ended long ago',
  { class: 'keys', code: 'WRONG_EPOCH' },
  (ledger) => {
    const old = ledger.sessionKey;
    ledger.nextEpoch();
    const record = { publicWrites: emptyBytes, privateWrites: utf8('old') };
    ledger.nowMs = Date.now() + 600_000;
    ledger.seal([record], { source: 1, key: old });
  },
);

test('a block under an epoch that just ended is told: the new one may not be final yet', async () => {
  const ledger = new WrittenLedger();
  const old = ledger.sessionKey;
  ledger.nextEpoch();
  const record = { publicWrites: emptyBytes, privateWrites: utf8('in flight') };
  ledger.seal([record], { source: 1, key: old });
  ledger.execute('under the new one');
  const report = await audit(ledger);
  assert.ok(report.ok, JSON.stringify(report.classes));
  const kinds = report.observations.map(({ kind }) => kind);
  assert.ok(kinds.includes('earlier-epoch'));
});

test('a session key used for two epochs is seen by whoever reads both', async () => {
  const ledger = new WrittenLedger();
  const used = ledger.epochKeys(1).keys[0]?.key as Uint8Array;
  const entropy = (bytes: number): Uint8Array =>
    bytes === 32 ? Uint8Array.from(used) : crypto.getRandomValues(new Uint8Array(bytes));
  const { proposalId } = ledger.propose(ledger.alpha, { name: 'begin_epoch', args: {} });
  const vote = buildVote({ ...ledger.signer(ledger.alpha), proposalId, accept: true });
  ledger.administer((set) => {
    submitted(set, vote);
    ledger.sessionKeys.begin(set, { reason: 'vote', nowMs: Date.now(), entropy });
  });
  const at = ledger.blocks.length;
  ledger.execute('under the same key');
  assert.deepEqual(firstDefects(await audit(ledger)), [`keys REPEATED_EPOCH_KEY ${at}`]);
  for (const epoch of [1, 2]) {
    const report = await audit(ledger, { epochKeys: ledger.epochKeys(epoch) });
    assert.deepEqual(firstDefects(report), []);
  }
});

forgery(
  'earlier epochs granted to a stranger when a node joins',
  { class: 'keys', code: 'WRONG_GRANT' },
  joinsWith({ grants: ['ab'.repeat(32)] }),
);

forgery(
  'a node that joins and is granted no epoch',
  { class: 'keys', code: 'WRONG_GRANT' },
  joinsWith({ grants: [] }),
);

forgery(
  'an epoch granted in a block that does nothing else',
  { class: 'keys', code: 'WRONG_GRANT' },
  (ledger) =>
    ledger.administer((set) =>
      recordKeyGrant(set, { epochs: [1, 1], reason: 'joined', to: [ledger.first.nodeId] }),
    ),
);

forgery(
  'a new epoch that is granted to a node that was removed',
  { class: 'keys', code: 'WRONG_GRANT' },
  (ledger) => {
    const { nodeId } = ledger.join();
    ledger.govern({ name: 'remove_node', args: { nodeId } });
    const grantToo = epochWith((set) => {
      const table = set.table(tables.grants);
      const [[sequence, row] = ['', emptyBytes]] = table.range({ reverse: true, limit: 1 });
      const grant = JSON.parse(fromUtf8(row)) as { to: string[] };
      table.set(sequence, utf8(canonicalJson({ ...grant, to: [...grant.to, nodeId].sort() })));
    });
    return grantToo(ledger);
  },
);

forgery(
  'shares given to an auditor without any member having said so',
  { class: 'keys', code: 'WRONG_GRANT' },
  (ledger) => {
    const to = [`auditor:Mallory:${'04'.repeat(65)}`];
    ledger.administer((set) => recordKeyGrant(set, { epochs: [1, 1], reason: 'audit', to }));
  },
);
