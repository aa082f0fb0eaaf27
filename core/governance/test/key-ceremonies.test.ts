import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ceremonyDue,
  closeCeremony,
  currentSharedKey,
  isOvertaken,
  keyNeeds,
  nodeRetired,
  openCeremony,
  openCeremonyOf,
  preparedKeySteps,
  readConstitution,
  recordComplaint,
  recordConfirmation,
  recordDeadline,
  recordDealing,
  rerunCeremony,
  resumeCeremony,
  type SharedKey,
  sharedKeys,
  thresholdKeyOf,
} from '@concordat/governance';
import {
  combineDecryptionShares,
  createComplaint,
  createDecryptionShare,
  type Dealing,
  decodeDealing,
  encodeComplaint,
  encodeDealing,
  encodeThresholdKey,
  encryptToThreshold,
  finishSteps,
  publicKeyOf,
  type Scalar,
  signDealing,
  type ThresholdKey,
  verificationKeyOf,
} from '@concordat/keys';
import type { Store, TransactionSet } from '@concordat/kv';
import { toHex, utf8 } from '@concordat/std';
import { action, actorArgs, organisation } from './network.ts';
import {
  type Enclave,
  entropyOf,
  founders,
  networkOf,
  SharedKeyNetwork,
} from './shared-key-network.ts';

const policy = (name: string, value: unknown) => action('set_policy', { name, value });

/** Whether these members' shares of the sharing read what is encrypted to the key. */
function canRead(network: SharedKeyNetwork, of: SharedKey, names: readonly string[]): boolean {
  const key = thresholdKeyOf(of.sharing);
  const entropy = entropyOf('read');
  const label = utf8('epoch');
  const message32 = new Uint8Array(32).fill(4);
  const ciphertext = encryptToThreshold({
    publicKey: publicKeyOf(key),
    label,
    message32,
    entropy128: entropy(128),
  });
  const request = { ciphertext, label, requester: utf8('node') };
  const shares = names.map((name) => {
    const enclave = network.enclaves.get(name) as Enclave;
    const { actorId } = organisation(name);
    const index = of.sharing.holders.find((holder) => holder.actorId === actorId)?.index ?? 200;
    const secret = enclave.shares.get(of.key.sharing) ?? [...enclave.shares.values()][0];
    return createDecryptionShare(request, { index, secret: secret as Scalar }, entropy(64));
  });
  try {
    const combining = {
      threshold: key.threshold,
      verificationKey: (index: number) => verificationKeyOf(key, index),
    };
    return Buffer.from(message32).equals(combineDecryptionShares(request, shares, combining));
  } catch (error) {
    const { code } = error as { code?: string };
    assert.ok(code === 'TOO_FEW_SHARES' || code === 'INVALID_SHARE', `${error}`);
    return false;
  }
}

const newest = (network: SharedKeyNetwork): SharedKey => sharedKeys(network.set)[0] as SharedKey;

/** Runs every ceremony that is due, until none is. */
function settle(network: SharedKeyNetwork): string[] {
  const held: string[] = [];
  for (let due = ceremonyDue(network.set); due; due = ceremonyDue(network.set)) {
    const row = network.ceremonyOf();
    held.push(`${row.purpose} ${row.key}: ${row.reason}`);
    assert.ok(held.length < 20, `no end: ${held}`);
  }
  return held;
}

test('members make a key of which two of three read and one does not, and nothing more is due', () => {
  const network = networkOf();
  assert.deepEqual(settle(network), ['fresh 1: first']);
  const shared = newest(network);
  assert.equal(shared.sharing.threshold, 2);
  assert.equal(currentSharedKey(network.set)?.number, 1);
  for (const names of [['ada', 'bob'], ['cyd', 'ada'], founders]) {
    assert.ok(canRead(network, shared, names), `${names}`);
  }
  assert.ok(!canRead(network, shared, ['bob']));
  const error = network.refuses('KEY_CEREMONY_NOT_DUE', () =>
    openCeremony(network.set, { seqno: network.next() }),
  );
  assert.match(error.message, /as it should be/);
});

test('from the public writes alone another machine comes to the same key, proof by proof', () => {
  const network = networkOf();
  settle(network);
  const store: Store = network.replayed();
  const view = store.begin(2);
  const key = rerunCeremony(view, 1) as ThresholdKey;
  assert.equal(toHex(encodeThresholdKey(key)), newest(network).sharing.form);
  view.abort();
});

test('a record of which anything is changed does not come to the key: KEY_CEREMONY_RECORD', () => {
  const network = networkOf();
  settle(network);
  const tables: [string, string][] = [
    ['keys.ceremonies', '000000000001'],
    ['keys.sharings', '000000000001'],
    ...[1, 2, 3, 4, 5, 6].map((n): [string, string] => [
      'keys.events',
      `000000000001:00000000000${n}`,
    ]),
  ];
  let refused = 0;
  for (const [table, key] of tables) {
    const name = `public:concordat.${table}`;
    const bytes = network.set.table(name).get(key) as Uint8Array;
    const text = Buffer.from(bytes).toString();
    const forge = (forged: Uint8Array): void => {
      const mark = network.set.checkpoint();
      network.set.table(name).set(key, forged);
      assert.throws(() => rerunCeremony(network.set, 1), { code: 'KEY_CEREMONY_RECORD' }, text);
      network.set.revert(mark);
      refused++;
    };
    for (const forged of ['null', '[]', '{}', '1', 'x', '']) forge(Buffer.from(forged));
    // Every hex digit of a key or proof matters, and so does every number.
    for (const at of [...text.matchAll(/[0-9a-f]{8}/g)].map((match) => match.index)) {
      if (at % 5 !== 0) continue;
      const digit = text[at] === '0' ? '1' : '0';
      forge(Buffer.from(`${text.slice(0, at)}${digit}${text.slice(at + 1)}`));
    }
  }
  assert.ok(refused > 100, `${refused}`);
  assert.throws(() => rerunCeremony(network.set, 9), { code: 'KEY_CEREMONY_RECORD' });
  assert.ok(rerunCeremony(network.set, 1));
});

test('a newcomer gets a share by resharing, and the key stays the same', () => {
  const network = networkOf(['ada', 'bob', 'cyd', 'dan']);
  settle(network);
  const before = newest(network);
  assert.equal(before.sharing.threshold, 3);
  network.pass(['ada', 'bob', 'cyd'], action('add_actor', actorArgs('eve')));
  assert.equal(ceremonyDue(network.set), undefined, 'she has no node yet');
  network.bringUp('eve', ['ada', 'bob', 'cyd']);
  assert.deepEqual(settle(network), ['reshare 1: holders-changed']);
  const after = newest(network);
  assert.deepEqual(
    publicKeyOf(thresholdKeyOf(after.sharing)),
    publicKeyOf(thresholdKeyOf(before.sharing)),
  );
  assert.ok(canRead(network, after, ['eve', 'ada', 'dan']));
  assert.ok(!canRead(network, after, ['eve', 'ada']));
});

test('a removed member’s old shares are useless for the fresh key, and the rest read old epochs', () => {
  const network = networkOf();
  settle(network);
  const old = newest(network);
  const remove = action('remove_actor', { actorId: organisation('cyd').actorId });
  network.pass(['ada', 'bob'], remove);
  assert.deepEqual(settle(network), ['fresh 2: removal', 'reshare 1: holders-changed']);
  const fresh = newest(network);
  assert.equal(fresh.key.number, 2);
  assert.ok(canRead(network, fresh, ['ada', 'bob']));
  assert.ok(!canRead(network, fresh, ['cyd', 'ada']));
  assert.ok(!canRead(network, fresh, ['cyd']));
  const reshared = sharedKeys(network.set)[1] as SharedKey;
  assert.equal(reshared.key.keyId, old.key.keyId);
  assert.ok(canRead(network, reshared, ['ada', 'bob']));
  assert.equal(currentSharedKey(network.set)?.number, 2);
});

test('a threshold that rises makes a fresh key, since old shares would do for the old one; one that falls a resharing', () => {
  const network = networkOf();
  settle(network);
  network.pass(['ada', 'bob'], policy('keyThreshold', 3));
  assert.deepEqual(settle(network), ['fresh 2: threshold-raised', 'reshare 1: threshold-raised']);
  assert.ok(!canRead(network, newest(network), ['ada', 'bob']));
  assert.ok(canRead(network, newest(network), founders));
  network.pass(['ada', 'bob'], policy('keyThreshold', 1));
  const lowered = ['reshare 2: threshold-lowered', 'reshare 1: threshold-lowered'];
  assert.deepEqual(settle(network), lowered);
  assert.ok(canRead(network, newest(network), ['bob']));
});

test('keyThreshold above the number of members is refused, at genesis and whenever members change', () => {
  const code = { code: 'UNSATISFIABLE_KEY_THRESHOLD' };
  assert.throws(() => new SharedKeyNetwork(founders, { policies: { keyThreshold: 4 } }), code);
  const network = networkOf(founders, { keyThreshold: 3 });
  const path = 'policies.keyThreshold';
  const refusal = network.refuses('UNSATISFIABLE_KEY_THRESHOLD', () =>
    network.propose('ada', policy('keyThreshold', 4)),
  );
  assert.deepEqual(refusal.details, { path, threshold: 4, members: 3 });
  const remove = action('remove_actor', { actorId: organisation('cyd').actorId });
  network.refuses('UNSATISFIABLE_KEY_THRESHOLD', () => network.propose('ada', remove));
  network.pass(['ada', 'bob'], policy('keyThreshold', 2), remove);
  for (const value of [0, 256, 1.5, '2', null]) {
    network.refuses('INVALID_ACTION', () => network.propose('ada', policy('keyThreshold', value)));
  }
  assert.equal(readConstitution(network.set).policies.keyThreshold, 2);
});

test('while fewer have nodes than the policy asks for, all of them hold the key together', () => {
  const network = new SharedKeyNetwork(founders, { policies: { keyThreshold: 3 } });
  const keys = ['fresh 1: first', 'fresh 2: threshold-raised', 'fresh 3: threshold-raised'];
  for (const [at, name] of founders.entries()) {
    network.bringUp(name, founders);
    const { short } = keyNeeds(network.set);
    assert.deepEqual(short, at < 2 ? { holders: at + 1, asked: 3 } : undefined);
    const [first] = settle(network);
    assert.equal(first, keys[at]);
    const present = founders.slice(0, at + 1);
    assert.ok(canRead(network, newest(network), present));
    assert.ok(!canRead(network, newest(network), present.slice(1)));
  }
});

test('the leader ends phases that wait for the silent, on the record, and the key is made without them', () => {
  const network = networkOf();
  network.open();
  network.deal([3]);
  const end = () => network.transact((seqno) => recordDeadline(network.set, { seqno }));
  assert.equal(end(), 'checking');
  assert.throws(() => network.deal([1, 2]), { code: 'CEREMONY_PHASE' });
  for (const index of [1, 2]) assert.equal(network.check(index), 'confirmed');
  network.refuses('KEY_CEREMONY_OPEN', () => network.close());
  assert.equal(end(), 'done');
  assert.throws(() => end(), { code: 'CEREMONY_PHASE' });
  assert.equal(network.close().state, 'done');
  assert.ok(rerunCeremony(network.replayed().head(), 1));
  const readers = network.ceremony.terms.receivers
    .filter(({ index }) => index < 3)
    .map(({ actor }) => network.enclaveOf(actor).name);
  assert.ok(canRead(network, newest(network), readers));
});

test('a phase that is ended before enough dealt or confirmed ends the ceremony without a key', () => {
  const network = networkOf();
  const end = () => network.transact((seqno) => recordDeadline(network.set, { seqno }));
  network.open();
  network.deal([2, 3]);
  assert.equal(end(), 'failed');
  assert.equal(network.close().state, 'failed');
  network.open();
  network.deal();
  network.check(1);
  assert.equal(end(), 'failed');
  assert.equal(network.close().state, 'failed');
  for (const number of [1, 2]) assert.equal(rerunCeremony(network.set, number), undefined);
  assert.throws(() => end(), { code: 'NO_KEY_CEREMONY' });
});

test('nothing is opened before anybody has a holder key', () => {
  const network = new SharedKeyNetwork(founders);
  assert.deepEqual(keyNeeds(network.set), { outOfReach: [] });
  network.refuses('KEY_CEREMONY_NOT_DUE', () =>
    openCeremony(network.set, { seqno: network.next() }),
  );
});

test('a dealer that cheats is convicted on the ledger, and the key is made without it', () => {
  const network = networkOf();
  network.open();
  const { terms } = resumeCeremony(network.set, network.ceremony);
  network.deal([2]);
  const cheat = network.enclaveOf(terms.dealers[1]?.actor as string);
  const honest = decodeDealing(network.dealingOf(2));
  const bytes = cheatedDealing(network, cheat, honest);
  network.transact((seqno) => recordDealing(network.set, bytes, { seqno }));
  assert.equal(network.check(2), 'confirmed', 'the cheat itself is content');
  assert.equal(network.check(1), 'complained');
  assert.deepEqual(network.ceremony.progress.atFault, [2]);
  assert.deepEqual(network.ceremony.progress.confirmed, []);
  for (const index of [1, 2, 3]) assert.equal(network.check(index), 'confirmed');
  assert.equal(network.close().state, 'done');
  assert.ok(rerunCeremony(network.set, 1));
  assert.ok(canRead(network, newest(network), ['ada', 'cyd']));
});

/** The dealing with everybody's share but the cheat's own changed, signed anew by the cheat. */
function cheatedDealing(network: SharedKeyNetwork, cheat: Enclave, honest: Dealing): Uint8Array {
  const { terms } = resumeCeremony(network.set, network.ceremony);
  const sealedShares = honest.sealedShares.map((sealed, place) =>
    terms.receivers[place]?.actor === organisation(cheat.name).actorId
      ? sealed
      : Uint8Array.from(sealed, (byte) => byte ^ 1),
  );
  const { decryptionKey: authorKey } = cheat.holderKey;
  const author = { authorKey, entropy64: network.entropy(64) };
  return encodeDealing(signDealing(terms, { ...honest, sealedShares }, author));
}

test('refusals of keys pass through with their codes and leave no trace', () => {
  const network = networkOf();
  const seqno = network.next();
  network.refuses('NO_KEY_CEREMONY', () =>
    recordDealing(network.set, new Uint8Array(3), { seqno }),
  );
  network.refuses('NO_KEY_CEREMONY', () => closeCeremony(network.set, { seqno }));
  network.refuses('NO_KEY_CEREMONY', () => finishSteps(preparedKeySteps(network.set, seqno)));
  network.open();
  network.refuses('KEY_CEREMONY_OPEN', () => openCeremony(network.set, { seqno: network.next() }));
  network.refuses('KEY_CEREMONY_OPEN', () => closeCeremony(network.set, { seqno: network.next() }));
  const before = network.dump();
  const turn = () => ({ seqno: network.next() });
  const refuse = (code: string, attempt: () => unknown): void => {
    assert.throws(attempt, { code });
    assert.equal(network.dump(), before, `${code} left a trace`);
  };
  const one = network.dealingOf(1);
  refuse('MALFORMED', () => recordDealing(network.set, one.subarray(0, -1), turn()));
  refuse('MALFORMED', () => recordComplaint(network.set, new Uint8Array(0), turn()));
  refuse('MALFORMED', () => recordConfirmation(network.set, new Uint8Array(66), turn()));
  const flipped = Uint8Array.from(one, (byte, at) => (at === one.length - 70 ? byte ^ 1 : byte));
  refuse('INVALID_DEALING', () => recordDealing(network.set, flipped, turn()));
  const another = networkOf(['ada', 'bob']);
  another.open();
  refuse('INVALID_DEALING', () => recordDealing(network.set, another.dealingOf(1), turn()));
});

test('a dealing given twice, late, or of an attempt before is refused; the next attempt goes without the cheat', () => {
  const network = networkOf(founders, { keyThreshold: 3, keyCeremonyTransactions: 20 });
  network.open();
  const first = network.dealingOf(1);
  network.transact((seqno) => recordDealing(network.set, first, { seqno }));
  const again = { code: 'DUPLICATE_DEALING' };
  assert.throws(() => recordDealing(network.set, first, { seqno: network.next() }), again);
  const second = network.dealingOf(2);
  const late = { code: 'CEREMONY_PHASE' };
  assert.throws(() => recordDealing(network.set, second, { seqno: network.next(40) }), late);
  assert.deepEqual(network.close(), { state: 'failed', failure: 'TOO_FEW_DEALINGS' });
  assert.equal(rerunCeremony(network.set, 1), undefined);
  const row = network.open();
  assert.equal(row.attempt, 2);
  const stale = { code: 'INVALID_DEALING' };
  assert.throws(() => recordDealing(network.set, first, { seqno: network.next() }), stale);
  network.deal();
  for (const index of [1, 2, 3]) network.check(index);
  assert.equal(network.close().state, 'done');
});

test('an unjust complaint is recorded once, and convicts nobody', () => {
  const network = networkOf();
  network.open();
  network.deal();
  const ceremony = resumeCeremony(network.set, network.ceremony);
  const [dealing] = ceremony.good as [Dealing];
  const { actor } = ceremony.terms.receivers[1] as { actor: string };
  const { decryptionKey } = network.enclaveOf(actor).holderKey;
  const complaint = () => {
    const accuser = { index: 2, decryptionKey };
    return encodeComplaint(createComplaint(ceremony.terms, dealing, accuser, network.entropy(64)));
  };
  const judged = network.transact((seqno) => recordComplaint(network.set, complaint(), { seqno }));
  assert.equal(judged, 'accuser');
  assert.deepEqual(network.ceremony.unjust, [[2, 1]]);
  const again = { code: 'INVALID_COMPLAINT' };
  const seqno = network.next();
  assert.throws(() => recordComplaint(network.set, complaint(), { seqno }), again);
  for (const index of [1, 2, 3]) network.check(index);
  assert.equal(network.close().state, 'done');
  assert.ok(rerunCeremony(network.set, 1));
});

test('a removal while a ceremony is open ends it without a key, whatever was dealt', () => {
  const network = networkOf(['ada', 'bob', 'cyd', 'dan']);
  network.open();
  network.deal();
  for (const index of [1, 2, 3, 4]) network.check(index);
  const remove = action('remove_actor', { actorId: organisation('dan').actorId });
  network.pass(['ada', 'bob', 'cyd'], remove);
  assert.ok(isOvertaken(network.set, network.ceremony));
  network.refuses('NO_KEY_CEREMONY', () =>
    recordConfirmation(network.set, new Uint8Array(66), { seqno: network.next() }),
  );
  assert.deepEqual(network.close(), { state: 'failed', failure: 'OVERTAKEN' });
  assert.equal(currentSharedKey(network.set), undefined);
  assert.equal(openCeremonyOf(network.set), undefined);
  assert.deepEqual(settle(network), ['fresh 1: first']);
  assert.equal(newest(network).sharing.holders.length, 3);
});

test('a member that lost its share registers a new key and gets another share', () => {
  const network = networkOf();
  settle(network);
  const ada = network.enclaves.get('ada') as Enclave;
  ada.holderKey = { ...network.registrationKey() };
  ada.shares.clear();
  network.register(ada);
  assert.deepEqual(settle(network), ['reshare 1: holders-changed']);
  assert.ok(canRead(network, newest(network), ['ada', 'cyd']));
});

test('a key of which too many shares were lost is out of reach, and a fresh one is made', () => {
  const network = networkOf();
  settle(network);
  for (const name of ['ada', 'bob']) {
    const enclave = network.enclaves.get(name) as Enclave;
    enclave.holderKey = { ...network.registrationKey() };
    network.register(enclave);
  }
  assert.deepEqual(settle(network), ['fresh 2: out-of-reach']);
  assert.deepEqual(keyNeeds(network.set).outOfReach, [1]);
});

test('a member whose nodes are gone for now keeps its share, and is no reason for a ceremony', () => {
  const network = networkOf();
  settle(network);
  nodeRetired(network.set, (network.enclaves.get('cyd') as Enclave).nodeId);
  assert.equal(ceremonyDue(network.set), undefined);
  assert.deepEqual(keyNeeds(network.set).outOfReach, []);
});

test('a key made ahead in steps is the one that closing makes; one of another state is not used', () => {
  const network = networkOf();
  network.open();
  network.deal();
  for (const index of [1, 2, 3]) network.check(index);
  const seqno = network.next();
  const prepared = finishSteps(preparedKeySteps(network.set, seqno));
  const wrong = { ...prepared, made: `${prepared.made} `, result: { failure: 'WRONG' } };
  const closing = (made: typeof prepared): string => {
    const set = network.set as TransactionSet;
    const mark = set.checkpoint();
    assert.equal(closeCeremony(set, { seqno, prepared: made }).state, 'done');
    const state = network.dump();
    set.revert(mark);
    return state;
  };
  assert.equal(closing(prepared), closing(wrong));
});

test('random histories of members and thresholds end with a key that today’s majority reads', () => {
  const draw = entropyOf('history');
  const below = (count: number): number => (draw(8)[0] as number) % count;
  const pool = ['ada', 'bob', 'cyd', 'dan', 'eve', 'fay'];
  const network = networkOf();
  settle(network);
  let members = [...founders];
  for (let step = 0; step < 6; step++) {
    const outside = pool.filter((name) => !members.includes(name) && !network.enclaves.has(name));
    const joining = outside[below(Math.max(1, outside.length))];
    if (below(2) === 0 && joining) {
      network.pass(members, action('add_actor', actorArgs(joining)));
      members = [...members, joining];
      network.bringUp(joining, members);
    } else if (members.length > 2) {
      const leaving = members[below(members.length)] as string;
      const { actorId } = organisation(leaving);
      members = members.filter((name) => name !== leaving);
      network.pass(members, action('remove_actor', { actorId }));
    }
    settle(network);
    const shared = newest(network);
    const { threshold, holders } = shared.sharing;
    assert.equal(holders.length, members.length);
    assert.equal(threshold, Math.floor(members.length / 2) + 1);
    assert.ok(canRead(network, shared, members.slice(0, threshold)));
    assert.ok(!canRead(network, shared, members.slice(1, threshold)));
    const gone = [...network.enclaves.keys()].filter((name) => !members.includes(name));
    if (gone.length > 0) assert.ok(!canRead(network, shared, gone));
  }
  const store = network.replayed();
  const view = store.begin(2);
  const keys: (ThresholdKey | undefined)[] = [];
  for (let number = 1; number <= network.ceremony.number; number++) {
    keys.push(rerunCeremony(view, number));
  }
  assert.ok(keys.length >= 6 && keys.every((key) => key !== undefined));
});
