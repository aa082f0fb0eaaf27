import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import {
  decodeRecoveryShare,
  encodeRecoveryShare,
  KeysError,
  type RecoveryOpener,
} from '@concordat/keys';
import { CodedError, emptyBytes, utf8 } from '@concordat/std';
import { organisation } from '../../../core/governance/test/network.ts';
import {
  AuditorError,
  type Combination,
  combineOffline,
  decodeSharesFile,
  encodeSharesFile,
  eraseCopies,
  type HolderShares,
  type KeyRecord,
  makeShares,
  offlineRequesterOf,
  openCopy,
  readKeyRecord,
  sharesFileOf,
  sharesOfFile,
} from '../index.ts';
import { keysOf, SharedKeyLedger, writeSetOf } from './shared-key-ledger.ts';

const owner = createEncryptionKey(randomBytes(32));
const opener: RecoveryOpener = { key: owner };
const entropy = (bytes: number): Uint8Array => randomBytes(bytes);

/**
 * Three members, two of whom read: epochs 1 and 2 under key 1; that is dealt anew (sharing 2), epoch 3;
 * Cyd is removed, so there is key 2 (sharing 3), epoch 4; key 1 is dealt to those who stay (sharing 4).
 */
const ledger = new SharedKeyLedger();
let directory = '';
let record: KeyRecord;

before(async () => {
  ledger.write(['a', '1'], ['b', '2']);
  ledger.beginEpoch();
  ledger.write(['c', '3']);
  ledger.reshare('bob');
  ledger.beginEpoch();
  ledger.write(['d', '4']);
  ledger.remove('cyd', 2);
  ledger.beginEpoch();
  ledger.write(['e', '5']);
  directory = await mkdtemp(join(tmpdir(), 'offline-'));
  await ledger.store(directory);
  record = await read(directory);
});

after(() => rm(directory, { recursive: true, force: true }));

const read = (from: string, of = ledger): Promise<KeyRecord> =>
  readKeyRecord({ directory: from, networkCertificate: of.networkCertificate });

const copy = (member: string, sharing: number) =>
  ledger.copyOf(member, sharing, { publicKey: owner.publicKey });

/** A member at work on its own machine. */
async function shares(member: string, sharing: number, to?: string): Promise<HolderShares> {
  const opened = openCopy(record, copy(member, sharing), opener);
  const requester = to ?? offlineRequesterOf(record);
  const made = await makeShares(record, opened, { requester, entropy });
  eraseCopies([opened]);
  return made;
}

const combine = (...given: HolderShares[]): Promise<Combination> =>
  combineOffline(record, given, { requester: offlineRequesterOf(record) });

const opened = ({ keys }: Combination) => keysOf(keys.keys);

test('any two of three copies of a sharing open every epoch of its key, and say whose they were', async () => {
  for (const [one, other] of [
    ['ada', 'bob'],
    ['bob', 'cyd'],
    ['ada', 'cyd'],
  ] as const) {
    const found = await combine(await shares(one, 1), await shares(other, 1));
    assert.deepEqual(opened(found), keysOf(ledger.sessionKeys.slice(0, 3)));
    const [first] = found.epochs;
    assert.deepEqual(first, { epoch: 1, key: 1, sharing: 1, used: [one, other] });
  }
});

test('copies of the newest sharings of all keys open all of the ledger', async () => {
  const given = [
    await shares('ada', 4),
    await shares('bob', 4),
    await shares('ada', 3),
    await shares('bob', 3),
  ];
  const found = await combine(...given);
  assert.deepEqual(opened(found), keysOf(ledger.sessionKeys));
  assert.deepEqual(
    found.epochs.map(({ key, sharing }) => [key, sharing]),
    [
      [1, 4],
      [1, 4],
      [1, 4],
      [2, 3],
    ],
  );
});

test('old copies open what their key sealed, also later, and nothing of the next key', async () => {
  const found = await combine(await shares('ada', 1), await shares('cyd', 1));
  assert.deepEqual(opened(found), keysOf(ledger.sessionKeys.slice(0, 3)));
  const last = found.epochs.at(-1);
  assert.deepEqual(last, {
    epoch: 4,
    key: 2,
    sharing: 3,
    missing: { more: 2, of: ['ada', 'bob'] },
  });
});

test('one copy opens nothing, and it is said who could help', async () => {
  const found = await combine(await shares('bob', 2));
  assert.deepEqual(found.keys.keys, []);
  const missing = { more: 1, of: ['ada', 'cyd'] };
  assert.deepEqual(found.epochs[0], { epoch: 1, key: 1, sharing: 2, missing });
});

test('copies of different sharings do not add up, however many there are', async () => {
  const found = await combine(
    await shares('ada', 1),
    await shares('bob', 2),
    await shares('ada', 4),
  );
  assert.deepEqual(found.keys.keys, []);
  assert.ok(found.epochs.every(({ missing }) => missing !== undefined));
});

test("the same actor's copy twice is refused: DUPLICATE_SHARE", async () => {
  const twice = combine(await shares('ada', 1), await shares('ada', 1));
  await assert.rejects(twice, { code: 'DUPLICATE_SHARE' });
});

test('a share that does not hold is left out and its actor named; enough others do', async () => {
  const good = await shares('ada', 1);
  const foreign = await shares('bob', 1, `recovery:${'ab'.repeat(32)}`);
  const without = await combine(good, foreign);
  assert.deepEqual(without.keys.keys, []);
  assert.deepEqual(without.epochs[0]?.refused, ['bob']);
  const found = await combine(good, foreign, await shares('cyd', 1));
  assert.deepEqual(opened(found), keysOf(ledger.sessionKeys.slice(0, 3)));
  assert.deepEqual(found.epochs[0]?.refused, ['bob']);
  assert.deepEqual(found.epochs[0]?.used, ['ada', 'cyd']);
});

test('shares of one epoch given for another are refused', async () => {
  const { shares: made, ...holder } = await shares('bob', 1);
  const swapped = new Map([...made].map(([epoch], at, all) => [epoch, all.at(-1 - at)?.[1]]));
  const found = await combine(await shares('ada', 1), { ...holder, shares: swapped as never });
  // Epoch 2 of 3 stands in the middle and is as it was.
  assert.deepEqual(opened(found), keysOf([ledger.sessionKeys[1] as never]));
  assert.deepEqual(found.epochs[0]?.refused, ['bob']);
});

test('shares travel in files, made apart, and no file holds a share of the key', async () => {
  const requester = offlineRequesterOf(record);
  const files = await Promise.all(
    (['ada', 'cyd'] as const).map(async (member) => {
      const made = await shares(member, 1);
      return encodeSharesFile(sharesFileOf(record, requester, [made]));
    }),
  );
  const given = files.flatMap((text) => sharesOfFile(record, decodeSharesFile(text), requester));
  assert.deepEqual(opened(await combine(...given)), keysOf(ledger.sessionKeys.slice(0, 3)));
  for (const { secret } of [openCopy(record, copy('ada', 1), opener)]) {
    const hex = Buffer.from(secret);
    for (const text of files) {
      assert.ok(!text.includes(hex.toString('base64')) && !text.includes(hex.toString('hex')));
    }
  }
});

test('shares for somebody else, of another network or of no known sharing are refused by name', async () => {
  const requester = offlineRequesterOf(record);
  const file = sharesFileOf(record, requester, [await shares('ada', 1)]);
  const refuses = (change: object, code: string): void => {
    assert.throws(() => sharesOfFile(record, { ...file, ...change }, requester), { code });
  };
  refuses({ networkId: 'cd'.repeat(32) }, 'WRONG_NETWORK');
  refuses({ requester: `recovery:${'ab'.repeat(32)}` }, 'OTHER_REQUESTER');
  const [holder] = file.holders;
  refuses({ holders: [{ ...holder, ceremonyId: 'ee'.repeat(32) }] }, 'UNKNOWN_SHARING');
  refuses({ holders: [{ ...holder, actor: organisation('bob').actorId }] }, 'UNKNOWN_SHARING');
  refuses({ holders: [{ ...holder, index: ((holder?.index ?? 0) % 3) + 1 }] }, 'UNKNOWN_SHARING');
});

test('copies of another network, and of a sharing the ledger has not heard of, are refused', async () => {
  const other = new SharedKeyLedger(['ada', 'bob'], {}, 'Other');
  const foreign = other.copyOf('ada', 1, { publicKey: owner.publicKey });
  assert.throws(() => openCopy(record, foreign, opener), { code: 'WRONG_NETWORK' });
  const moved = { ...foreign, networkId: ledger.networkId };
  assert.throws(() => openCopy(record, moved, opener), { code: 'UNKNOWN_SHARING' });
  const early = await mkdtemp(join(tmpdir(), 'offline-early-'));
  try {
    await ledger.store(early, ledger.bytes.slice(0, 20));
    const before = await read(early);
    assert.throws(() => openCopy(before, copy('ada', 4), opener), { code: 'UNKNOWN_SHARING' });
    assert.doesNotThrow(() => openCopy(before, copy('ada', 1), opener));
  } finally {
    await rm(early, { recursive: true });
  }
});

test('another key, another passphrase or a copy in another holder’s place opens nothing', () => {
  const stranger = { key: createEncryptionKey(randomBytes(32)) };
  const notOpened = { code: 'RECOVERY_NOT_OPENED' };
  assert.throws(() => openCopy(record, copy('ada', 1), stranger), notOpened);
  const passphrase = 'correct horse battery staple';
  const guarded = ledger.copyOf('ada', 1, { passphrase });
  assert.doesNotThrow(() => openCopy(record, guarded, { passphrase }));
  assert.throws(() => openCopy(record, guarded, { passphrase: `${passphrase}s` }), notOpened);
  assert.throws(() => openCopy(record, guarded, opener), notOpened);
  const bob = { ...copy('ada', 1), actor: organisation('bob').actorId };
  assert.throws(() => openCopy(record, bob, opener), { code: 'UNKNOWN_SHARING' });
});

test('a recovery file with any one byte flipped is refused with a code', () => {
  const text = encodeRecoveryShare(copy('cyd', 1));
  const codes = new Map<string, number>();
  for (let at = 0; at < text.length; at++) {
    const bytes = utf8(text);
    bytes[at] = (bytes[at] as number) ^ 1;
    try {
      openCopy(record, decodeRecoveryShare(Buffer.from(bytes).toString('utf8')), opener);
      assert.fail(`byte ${at} may be changed`);
    } catch (error) {
      assert.ok(
        error instanceof KeysError || error instanceof AuditorError,
        `byte ${at}: ${error}`,
      );
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    }
  }
  const met = [...codes.keys()].sort();
  assert.deepEqual(met, ['MALFORMED', 'RECOVERY_NOT_OPENED', 'UNKNOWN_SHARING', 'WRONG_NETWORK']);
});

test('a file of shares with any one byte flipped opens nothing wrong and throws nothing uncoded', async () => {
  const requester = offlineRequesterOf(record);
  const mine = await shares('ada', 3);
  const text = encodeSharesFile(sharesFileOf(record, requester, [await shares('bob', 3)]));
  const right = keysOf([ledger.sessionKeys[3] as never]);
  for (let at = 0; at < text.length; at++) {
    const bytes = utf8(text);
    bytes[at] = (bytes[at] as number) ^ (1 << (at % 7));
    try {
      const file = decodeSharesFile(Buffer.from(bytes).toString('utf8'));
      const found = await combine(mine, ...sharesOfFile(record, file, requester));
      // White space, and nothing else, may be another.
      if (found.keys.keys.length > 0) assert.deepEqual(opened(found), right);
    } catch (error) {
      assert.ok(error instanceof CodedError, `byte ${at}: ${error}`);
    }
  }
});

test('an epoch without a valid ciphertext stays closed and holds up no other', async () => {
  const bad = new SharedKeyLedger();
  bad.publishRow(2, 1, new Uint8Array(161));
  bad.publishRow(3, 1, new Uint8Array(5));
  bad.publishRow(4, 9, new Uint8Array(161));
  const place = await mkdtemp(join(tmpdir(), 'offline-bad-'));
  try {
    await bad.store(place);
    const found = await read(place, bad);
    const requester = offlineRequesterOf(found);
    const given: HolderShares[] = [];
    for (const member of ['ada', 'bob']) {
      const sealed = bad.copyOf(member, 1, { publicKey: owner.publicKey });
      given.push(await makeShares(found, openCopy(found, sealed, opener), { requester, entropy }));
    }
    const combined = await combineOffline(found, given, { requester });
    assert.deepEqual(opened(combined), keysOf(bad.sessionKeys));
    const failures = combined.epochs.map(({ failure }) => failure);
    const none = 'NO_CIPHERTEXT';
    assert.deepEqual(failures, [undefined, none, none, none]);
  } finally {
    await rm(place, { recursive: true });
  }
});

test('rows of keys without their form make the ledger a damaged one, and keep nobody busy', async () => {
  const row = (table: string, key: string, value: string) => () =>
    writeSetOf(`public:concordat.${table}`, key, value);
  const forgeries = [
    row('keys.sharings', '000000000009', '{}'),
    row('keys.sharings', '000000000009', 'null'),
    row('keys.sharings', '000000000009', '{"key":1,"ceremonyId":"x","form":"00","holders":[]}'),
    row('keys.sharings', '000000000001', '[1]'),
    row('keys.sharings', '000000000001', '\u0000'),
    row('epoch', 'current', '999999999999'),
    row('epoch', 'current', 'many'),
    row('epoch', 'current', '-1'),
  ];
  for (const [at, forged] of forgeries.entries()) {
    const bad = new SharedKeyLedger();
    bad.seal([{ publicWrites: forged(), privateWrites: emptyBytes }], 0);
    const place = await mkdtemp(join(tmpdir(), 'offline-rows-'));
    try {
      await bad.store(place);
      await assert.rejects(read(place, bad), (error: CodedError) => {
        assert.equal(error.code, 'LEDGER_DAMAGED', `forgery ${at}: ${error.message}`);
        assert.equal(error.details.code, 'MALFORMED_GOVERNANCE');
        return true;
      });
    } finally {
      await rm(place, { recursive: true });
    }
  }
});

test('names that would steer a terminal are not shown', async () => {
  const bad = new SharedKeyLedger();
  const actor = JSON.stringify({ name: '\u001b[2Jada' });
  const writes = writeSetOf('public:concordat.actors', 'ab'.repeat(32), actor);
  bad.seal([{ publicWrites: writes, privateWrites: emptyBytes }], 0);
  const place = await mkdtemp(join(tmpdir(), 'offline-names-'));
  try {
    await bad.store(place);
    assert.equal((await read(place, bad)).nameOf('ab'.repeat(32)), 'ab'.repeat(32));
  } finally {
    await rm(place, { recursive: true });
  }
});
