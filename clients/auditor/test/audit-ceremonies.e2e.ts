import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildHolderRotation,
  type CeremonyEvent,
  type CeremonyRow,
  canonicalJson,
  closeCeremony,
  openCeremony,
  recordComplaint,
  recordConfirmation,
  recordDeadline,
  recordDealing,
  type registerHolder,
} from '@concordat/governance';
import { createHolderKey } from '@concordat/keys';
import type { TransactionSet } from '@concordat/kv';
import type { Identity } from '@concordat/sdk';
import { fromHex, fromUtf8, toHex, utf8 } from '@concordat/std';
import { holderRegistration } from '../../../node/manager-enclave/holder-registration.ts';
import { audit, firstDefects, forgery, tables } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

test('a lawful life of keys holds: three come to share one, one leaves, old keys are dealt on', async () => {
  const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
  const [beta, gamma] = ledger.others as [Identity, Identity];
  const { ceremonies } = ledger;
  ledger.execute('of one');
  ceremonies.bringUp(beta);
  ceremonies.hold();
  ledger.execute('of two');
  ceremonies.bringUp(gamma);
  ceremonies.hold();
  ceremonies.hold();
  ledger.govern({ name: 'remove_actor', args: { actorId: gamma.actorId } });
  ceremonies.hold();
  ledger.execute('without gamma');
  const report = await audit(ledger);
  assert.deepEqual(firstDefects(report), []);
  const { examined = {} } = report.classes.find((of) => of.class === 'keys') ?? {};
  assert.equal(examined.registrations, 3);
  assert.equal(examined.openings, 5);
  assert.equal(examined.closings, 5);
  assert.equal(examined.dealings, 8);
  assert.equal(examined.confirmations, 11);
  assert.equal(report.keys.ceremonies.length, 5);
  assert.ok(report.keys.ceremonies.every(({ state }) => state === 'done'));
  const blind = await audit(ledger, { epochKeys: undefined as never });
  assert.deepEqual(firstDefects(blind), []);
});

test('a member’s order to replace its holder key is executed anew', async () => {
  const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
  const [beta, gamma] = ledger.others as [Identity, Identity];
  const node = ledger.ceremonies.bringUp(beta);
  ledger.ceremonies.bringUp(gamma);
  ledger.ceremonies.hold();
  ledger.ceremonies.hold();
  ledger.submit(buildHolderRotation(ledger.signer(beta)));
  ledger.ceremonies.register(beta, node, 2);
  ledger.ceremonies.hold();
  assert.deepEqual(firstDefects(await audit(ledger)), []);
});

/** A fresh key of three is about to be shared, and the second of them cheats. */
function cheated(ledger: WrittenLedger, others: readonly Identity[]) {
  const { ceremonies } = ledger;
  for (const member of others) ceremonies.bringUp(member);
  ceremonies.open();
  for (const dealer of [1, 2, 3]) {
    const { seqno } = ceremonies;
    const bytes = dealer === 2 ? ceremonies.spoiledDealing(2) : ceremonies.dealingOf(dealer);
    ledger.administer((set) => recordDealing(set, bytes, { seqno }));
  }
  return ceremonies;
}

test('a life with a cheat, an unjust complaint, silence and a removal is lawful, and told', async () => {
  const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
  const ceremonies = cheated(ledger, ledger.others);
  for (const [accuser, dealer] of [
    [1, 3],
    [1, 2],
  ] as const) {
    const { seqno } = ceremonies;
    const bytes = ceremonies.complaintOf(accuser, dealer);
    ledger.administer((set) => recordComplaint(set, bytes, { seqno }));
  }
  ceremonies.confirm();
  ceremonies.close();
  ceremonies.open();
  const { seqno } = ceremonies;
  ledger.nowMs = Date.now() + 10_000;
  ledger.administer((set) => recordDeadline(set, { seqno }));
  ceremonies.close();
  ceremonies.open();
  const gamma = ledger.others[1] as Identity;
  ledger.govern({ name: 'remove_actor', args: { actorId: gamma.actorId } });
  ceremonies.close();
  ceremonies.hold();
  const report = await audit(ledger);
  assert.deepEqual(firstDefects(report), []);
  assert.deepEqual(
    report.keys.ceremonies.map(({ purpose, attempt, state, failure }) => {
      return [purpose, attempt, failure ?? state];
    }),
    [
      ['fresh', 1, 'done'],
      ['fresh', 1, 'done'],
      ['reshare', 1, 'TOO_FEW_DEALINGS'],
      ['reshare', 2, 'OVERTAKEN'],
      ['fresh', 3, 'done'],
    ],
  );
  assert.equal(report.keys.ceremonies[1]?.atFault.length, 1);
  const { examined = {} } = report.classes.find((of) => of.class === 'keys') ?? {};
  assert.deepEqual([examined.complaints, examined.deadlines], [2, 1]);
  assert.ok(report.observations.some(({ kind }) => kind === 'ceremony-deadline'));
});

forgery(
  'a phase of a ceremony that is ended before the silent had their time',
  { class: 'keys', code: 'DEADLINE_TOO_EARLY' },
  (ledger, others) => {
    const ceremonies = begun(ledger, others);
    ceremonies.deal();
    const { seqno } = ceremonies;
    ledger.nowMs = Date.now() + 5_000;
    ledger.administer((set) => recordDeadline(set, { seqno }));
  },
);

test('a new leader waits anew, and its clock is judged by itself', async () => {
  const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
  const ceremonies = begun(ledger, ledger.others);
  ledger.leader = ledger.ceremonies.bringUp(ledger.others[1] as Identity);
  ledger.view += 1;
  // Its clock is behind that of the leader before it.
  for (const [waitedMs, found] of [
    [10_000, []],
    [4_000, ['keys DEADLINE_TOO_EARLY']],
  ] as const) {
    const height = ledger.blocks.length;
    ledger.nowMs = Date.now() - 30_000;
    ledger.administer(() => undefined);
    ledger.nowMs += waitedMs;
    const { seqno } = ceremonies;
    ledger.administer((set) => recordDeadline(set, { seqno }));
    const told = firstDefects(await audit(ledger)).map((text) => text.replace(/ \d+$/, ''));
    assert.deepEqual(told, found);
    ledger.rollback(height);
  }
});

/** A complaint is recorded, and its judgement is changed. */
const judgedAs =
  (accused: number, alter: (row: CeremonyRow) => Partial<CeremonyRow>) =>
  (ledger: WrittenLedger, others: readonly Identity[]): number => {
    const ceremonies = cheated(ledger, others);
    const { seqno } = ceremonies;
    const bytes = ceremonies.complaintOf(1, accused);
    ledger.administer((set) => {
      recordComplaint(set, bytes, { seqno });
      const at = { table: tables.ceremonies, key: ceremonyKey(2) };
      change(set, at, alter(row<CeremonyRow>(set, at.table, at.key)));
    });
    return ledger.blocks.length;
  };

forgery(
  'a cheat that is let off although the complaint about it is just',
  { class: 'keys', code: 'WRONG_CEREMONY' },
  judgedAs(2, ({ progress }) => ({ progress: { ...progress, atFault: [] } })),
);

forgery(
  'an honest dealer that is thrown out by an unjust complaint',
  { class: 'keys', code: 'WRONG_CEREMONY' },
  judgedAs(3, ({ progress }) => ({ unjust: [], progress: { ...progress, atFault: [3] } })),
);

forgery(
  'a complaint that its accuser did not make',
  { class: 'keys', code: 'CEREMONY_REFUSED', cause: 'INVALID_COMPLAINT' },
  (ledger, others) => {
    const ceremonies = cheated(ledger, others);
    const { seqno } = ceremonies;
    const bytes = ceremonies.complaintOf(1, 2);
    ledger.administer((set) => {
      recordComplaint(set, bytes, { seqno });
      const { events } = row<CeremonyRow>(set, tables.ceremonies, ceremonyKey(2));
      const key = `${ceremonyKey(2)}:${ceremonyKey(events)}`;
      const changed = Uint8Array.from(bytes);
      changed[2] = 3;
      change(set, { table: tables.ceremonyEvents, key }, { bytes: toHex(changed) });
    });
  },
);

/** Up to where the second member's key is to be shared. */
function begun(ledger: WrittenLedger, others: readonly Identity[]) {
  ledger.ceremonies.bringUp(others[0] as Identity);
  ledger.ceremonies.open();
  return ledger.ceremonies;
}

const row = <Row>(set: TransactionSet, table: string, key: string): Row =>
  JSON.parse(fromUtf8(set.table(table).get(key) as Uint8Array)) as Row;
const change = (set: TransactionSet, at: { table: string; key: string }, by: object): void => {
  const value = { ...row<object>(set, at.table, at.key), ...by };
  set.table(at.table).set(at.key, utf8(canonicalJson(value)));
};
const ceremonyKey = (number: number): string => String(number).padStart(12, '0');

forgery(
  'a ceremony that nothing made due',
  { class: 'keys', code: 'CEREMONY_REFUSED', cause: 'KEY_CEREMONY_NOT_DUE' },
  (ledger) => {
    const first = row<CeremonyRow>(
      ledger.administration.head as never,
      tables.ceremonies,
      ceremonyKey(1),
    );
    const second = { ...first, number: 2, state: 'open' };
    ledger.administer((set) =>
      set.table(tables.ceremonies).set(ceremonyKey(2), utf8(canonicalJson(second))),
    );
    const at = ledger.blocks.length;
    ledger.administer = () => undefined;
    return at;
  },
);

forgery(
  'a ceremony opened under terms that do not follow from the state',
  { class: 'keys', code: 'WRONG_CEREMONY' },
  (ledger, others) => {
    ledger.ceremonies.bringUp(others[0] as Identity);
    const { seqno } = ledger.ceremonies;
    ledger.administer((set) => {
      const { terms } = openCeremony(set, { seqno });
      const at = { table: tables.ceremonies, key: ceremonyKey(2) };
      change(set, at, { terms: { ...terms, threshold: 1 } });
    });
  },
);

forgery(
  'a ceremony opened at another place than its block',
  { class: 'keys', code: 'WRONG_CEREMONY' },
  (ledger, others) => {
    ledger.ceremonies.bringUp(others[0] as Identity);
    ledger.administer((set) => openCeremony(set, { seqno: 3 as never }));
  },
);

forgery(
  'a holder key registered by a node of another actor',
  { class: 'keys', code: 'CEREMONY_REFUSED', cause: 'NOT_A_HOLDER' },
  (ledger, others) => {
    const { actorId } = others[0] as Identity;
    const entropy = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
    const holderKey = createHolderKey(entropy(64));
    const { networkId, first: identity } = ledger;
    const registration = holderRegistration({
      networkId,
      actorId,
      identity,
      holderKey,
      number: 1,
      entropy,
    });
    ledger.administer((set) =>
      set.table(tables.holders).set(actorId, utf8(canonicalJson(registration))),
    );
  },
);

forgery(
  'a holder key whose registration its node did not sign',
  { class: 'keys', code: 'CEREMONY_REFUSED', cause: 'BAD_NODE_SIGNATURE' },
  (ledger) => {
    const { actorId } = ledger.alpha;
    ledger.administer((set) => {
      const known = row<Parameters<typeof registerHolder>[1]>(set, tables.holders, actorId);
      change(set, { table: tables.holders, key: actorId }, { number: known.number + 1 });
    });
    const at = ledger.blocks.length;
    ledger.administer = () => undefined;
    return at;
  },
);

/** A dealing recorded with one of its bytes changed. */
const dealtWith =
  (alter: (bytes: Uint8Array) => void) =>
  (ledger: WrittenLedger, others: readonly Identity[]): void => {
    const ceremonies = begun(ledger, others);
    const { seqno } = ceremonies;
    const bytes = ceremonies.dealingOf(1);
    ledger.administer((set) => {
      recordDealing(set, bytes, { seqno });
      const key = `${ceremonyKey(2)}:${ceremonyKey(1)}`;
      const event = row<CeremonyEvent>(set, tables.ceremonyEvents, key);
      const changed = Uint8Array.from(fromHex(event.bytes) as Uint8Array);
      alter(changed);
      change(set, { table: tables.ceremonyEvents, key }, { bytes: toHex(changed) });
    });
  };

forgery(
  'a dealing changed after its dealer signed it',
  { class: 'keys', code: 'CEREMONY_REFUSED', cause: 'INVALID_DEALING' },
  dealtWith((bytes) => {
    const at = bytes.length - 100;
    bytes[at] = (bytes[at] as number) ^ 1;
  }),
);

forgery(
  'a dealing that is none',
  { class: 'keys', code: 'CEREMONY_REFUSED', cause: 'MALFORMED' },
  dealtWith((bytes) => {
    bytes[0] = 9;
  }),
);

forgery(
  'a dealing of somebody who does not deal',
  { class: 'keys', code: 'CEREMONY_REFUSED', cause: 'INVALID_DEALING' },
  dealtWith((bytes) => {
    bytes[1] = 77;
  }),
);

forgery(
  'a dealing that is counted as another',
  { class: 'keys', code: 'WRONG_CEREMONY' },
  (ledger, others) => {
    const ceremonies = begun(ledger, others);
    const { seqno } = ceremonies;
    const bytes = ceremonies.dealingOf(1);
    ledger.administer((set) => {
      recordDealing(set, bytes, { seqno });
      const at = { table: tables.ceremonies, key: ceremonyKey(2) };
      const { progress } = row<CeremonyRow>(set, at.table, at.key);
      const dealt = progress.dealt.map((one) => ({ ...one, digest: 'ab'.repeat(32) }));
      change(set, at, { progress: { ...progress, dealt } });
    });
    const at = ledger.blocks.length;
    ledger.execute = () => undefined;
    return at;
  },
);

forgery(
  'a confirmation of a receiver that gave none',
  { class: 'keys', code: 'CEREMONY_REFUSED', cause: 'INVALID_CONFIRMATION' },
  (ledger, others) => {
    const ceremonies = begun(ledger, others);
    ceremonies.deal();
    const { seqno } = ceremonies;
    const bytes = ceremonies.confirmationOf(1);
    ledger.administer((set) => {
      recordConfirmation(set, bytes, { seqno });
      const { events } = row<CeremonyRow>(set, tables.ceremonies, ceremonyKey(2));
      const key = `${ceremonyKey(2)}:${ceremonyKey(events)}`;
      const changed = Uint8Array.from(bytes);
      changed[1] = 2;
      change(set, { table: tables.ceremonyEvents, key }, { bytes: toHex(changed) });
    });
  },
);

forgery(
  'a ceremony that is closed before its receivers confirmed',
  { class: 'keys', code: 'CEREMONY_REFUSED', cause: 'KEY_CEREMONY_OPEN' },
  (ledger, others) => {
    const ceremonies = begun(ledger, others);
    ceremonies.deal();
    ledger.administer((set) =>
      change(
        set,
        { table: tables.ceremonies, key: ceremonyKey(2) },
        {
          state: 'failed',
          failure: 'TOO_FEW_DEALINGS',
          closedAt: ceremonies.seqno,
        },
      ),
    );
  },
);

forgery(
  'a key whose record is not what its dealings make',
  { class: 'keys', code: 'WRONG_CEREMONY' },
  (ledger, others) => {
    const ceremonies = begun(ledger, others);
    ceremonies.deal();
    ceremonies.confirm();
    ceremonies.close((set) => {
      const at = { table: tables.sharings, key: ceremonyKey(2) };
      const { holders } = row<{ holders: object[] }>(set, at.table, at.key);
      const [first, second] = holders as [object, object];
      change(set, at, { holders: [first, { ...second, verificationKey: 'ab'.repeat(32) }] });
    });
  },
);

forgery(
  'a fresh key under which no epoch begins',
  { class: 'keys', code: 'EPOCH_MISSING' },
  (ledger, others) => {
    const ceremonies = begun(ledger, others);
    ceremonies.deal();
    ceremonies.confirm();
    const { seqno } = ceremonies;
    ledger.administer((set) => closeCeremony(set, { seqno }));
  },
);

forgery(
  'a shared key that changed without a ceremony',
  { class: 'keys', code: 'WRONG_CEREMONY' },
  (ledger, others) => {
    const ceremonies = begun(ledger, others);
    ceremonies.deal();
    ceremonies.confirm();
    ceremonies.close();
    ledger.administer((set) =>
      change(set, { table: tables.keys, key: ceremonyKey(2) }, { sharing: 1 }),
    );
  },
);

forgery(
  'an epoch under an old key after a fresh one was shared',
  { class: 'keys', code: 'INVALID_EPOCH_KEY', also: [] },
  (ledger, others) => {
    const ceremonies = begun(ledger, others);
    ceremonies.deal();
    ceremonies.confirm();
    const { seqno } = ceremonies;
    ledger.administer((set) => {
      // The epoch's key is encrypted before the fresh key is there.
      ledger.beginEpoch(set, 'key');
      closeCeremony(set, { seqno });
    });
  },
);
