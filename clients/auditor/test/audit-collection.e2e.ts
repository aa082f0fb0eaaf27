import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  auditLedger,
  collectAuditShares,
  type GivenShares,
  type KeyRecord,
  readKeyRecord,
} from '@concordat/auditor';
import { createEncryptionKey } from '@concordat/crypto';
import {
  buildGiving,
  currentEpoch,
  epochKeyRows,
  recordedSharing,
  sharedKeys,
  thresholdKeyOf,
} from '@concordat/governance';
import {
  type AuditShare,
  auditorRequester,
  createDecryptionShare,
  decodeCiphertext,
  sealAuditShares,
  sessionKeyLabel,
} from '@concordat/keys';
import type { Identity } from '@concordat/sdk';
import { toEpoch, toHex } from '@concordat/std';
import { audit, firstDefects } from './forgery.ts';
import type { Enclave } from './written-ceremonies.ts';
import { WrittenLedger } from './written-ledger.ts';

const key = createEncryptionKey(randomBytes(32));
const encryptionKey = toHex(key.publicKey);
const auditor = 'Audit Ltd';
const entropy = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));

let root = '';
let record: KeyRecord;
const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
const [beta, gamma] = ledger.others as [Identity, Identity];

/** Three epochs under one shared key of 2 of 3; members let an auditor read the second of them. */
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'audit-collection-'));
  ledger.ceremonies.bringUp(beta);
  ledger.ceremonies.hold();
  ledger.ceremonies.bringUp(gamma);
  for (let count = 0; count < 2; count++) ledger.ceremonies.hold();
  ledger.execute('in epoch 2');
  for (const text of ['in epoch 3', 'in epoch 4']) {
    ledger.nextEpoch();
    ledger.execute(text);
  }
  ledger.govern({ name: 'grant_audit', args: { auditor, encryptionKey, epochs: [3] } });
  await ledger.write(join(root, 'ledger'));
  record = await recordOf('ledger');
});
after(() => rm(root, { recursive: true }));

const recordOf = (directory: string): Promise<KeyRecord> =>
  readKeyRecord({
    directory: join(root, directory),
    networkCertificate: ledger.networkCertificate,
  });

/** What a member's node makes of its shares, as the desk does. */
function sharesOf(
  member: Identity,
  epochs: readonly number[],
  how: { to?: string; name?: string; key?: string; sharing?: number } = {},
): AuditShare[] {
  const state = ledger.administration.head;
  const { shares } = ledger.ceremonies.enclaves.get(member.actorId) as Enclave;
  const requester = auditorRequester({
    name: how.name ?? auditor,
    encryptionKey: how.key ?? encryptionKey,
  });
  return epochs.flatMap((number) => {
    const epoch = toEpoch(number);
    return epochKeyRows(state, epoch).map(({ keyNumber, ciphertext }) => {
      const shared = sharedKeys(state).find((one) => one.key.number === keyNumber);
      const sharing = how.sharing ?? (shared?.key.sharing as number);
      const row = recordedSharing(state, sharing);
      const { id: keyId } = thresholdKeyOf(row as NonNullable<typeof row>);
      const label = sessionKeyLabel({ networkId: ledger.networkId, epoch, keyId });
      const request = { ciphertext: decodeCiphertext(ciphertext), label, requester };
      const held = shares.get(sharing) as NonNullable<ReturnType<typeof shares.get>>;
      const share = createDecryptionShare(request, held, entropy(64));
      return { epoch, key: keyNumber, sharing, share };
    });
  });
}

function fileOf(
  member: Identity,
  shares: readonly AuditShare[],
  change: { networkId?: string; auditor?: string; encryptionKey?: string; actor?: string } = {},
): GivenShares {
  const { networkId } = ledger;
  const name = { networkId, auditor, encryptionKey, actor: member.actorId, ...change };
  return { name: `shares of ${member.name}`, text: sealAuditShares(name, shares, entropy(32)) };
}

const given = (member: Identity, epochs: readonly number[] = [3]): GivenShares =>
  fileOf(member, sharesOf(member, epochs));

const refused = (promise: Promise<unknown>, code: string): Promise<void> =>
  assert.rejects(promise, (error: { code?: string }) => {
    assert.equal(error.code, code, String(error));
    return true;
  });

test('an auditor granted one epoch reads that one and nothing else', async () => {
  const { keys, epochs } = await collectAuditShares(record, [given(ledger.alpha), given(beta)], {
    key,
  });
  assert.deepEqual(
    epochs.map(({ epoch, used }) => [epoch, used]),
    [[3, ['Alpha', 'Beta']]],
  );
  assert.deepEqual(keys, ledger.epochKeys(3));
  const { networkCertificate } = ledger;
  const directory = join(root, 'ledger');
  const report = await auditLedger({ directory, networkCertificate, epochKeys: keys });
  assert.deepEqual(firstDefects(report), []);
  const opened = report.epochs.filter(({ contents }) => contents).map(({ epoch }) => epoch);
  assert.deepEqual(opened, [3]);
  assert.deepEqual(
    report.contents.map(({ worker, transactions }) => [worker, transactions]),
    [[1, 1]],
  );
});

test('one actor too few opens nothing, and it is said who is missing', async () => {
  const { keys, epochs } = await collectAuditShares(record, [given(gamma)], { key });
  assert.deepEqual(keys.keys, []);
  assert.deepEqual(epochs[0]?.missing, { more: 1, of: ['Alpha', 'Beta'] });
});

test('the same actor twice is not two actors: DUPLICATE_SHARE', async () => {
  const twice = [given(beta), given(beta)];
  await refused(collectAuditShares(record, twice, { key }), 'DUPLICATE_SHARE');
  const other = await collectAuditShares(record, [given(beta, [3]), given(beta, [4])], { key });
  assert.deepEqual(other.keys.keys, [], 'shares of two epochs are no two shares of one');
});

test('shares of another actor in one’s own name are refused: UNKNOWN_SHARING', async () => {
  const borrowed = fileOf(gamma, sharesOf(beta, [3]));
  await refused(collectAuditShares(record, [given(beta), borrowed], { key }), 'UNKNOWN_SHARING');
});

test('what was made for another auditor, or another key, opens nothing', async () => {
  const other = createEncryptionKey(randomBytes(32));
  const otherKey = toHex(other.publicKey);
  await refused(
    collectAuditShares(record, [given(ledger.alpha), given(beta)], { key: other }),
    'OTHER_REQUESTER',
  );
  const renamed = { ...given(beta) };
  const parsed = JSON.parse(renamed.text) as object;
  const text = JSON.stringify({ ...parsed, encryptionKey: otherKey });
  await refused(
    collectAuditShares(record, [{ ...renamed, text }], { key: other }),
    'SHARES_NOT_OPENED',
  );
  // Shares bound to somebody else do not hold for this auditor, whoever seals them.
  const foreign = [ledger.alpha, beta].map((member) =>
    fileOf(member, sharesOf(member, [3], { name: 'Another' })),
  );
  const { keys, epochs } = await collectAuditShares(record, foreign, { key });
  assert.deepEqual(keys.keys, []);
  assert.deepEqual(epochs[0]?.refused, ['Alpha']);
  const elsewhere = fileOf(beta, sharesOf(beta, [3]), { auditor: 'Another' });
  await refused(
    collectAuditShares(record, [given(ledger.alpha), elsewhere], { key }),
    'OTHER_REQUESTER',
  );
});

test('shares of two sharings of a key do not add up, and it is said that it was dealt anew', async () => {
  const before = fileOf(ledger.alpha, sharesOf(ledger.alpha, [3], { sharing: 2 }));
  const mixed = await collectAuditShares(record, [before, given(gamma)], { key });
  assert.deepEqual(mixed.keys.keys, []);
  assert.deepEqual(mixed.dealtAnew, [3]);
  // Those of before do, among themselves: the ledger keeps every sharing.
  const both = [before, fileOf(beta, sharesOf(beta, [3], { sharing: 2 }))];
  const whole = await collectAuditShares(record, both, { key });
  assert.deepEqual(whole.keys, ledger.epochKeys(3));
  assert.deepEqual(whole.dealtAnew, []);
});

test('files of another network, and files that are none, are refused', async () => {
  const elsewhere = fileOf(beta, sharesOf(beta, [3]), { networkId: 'ab'.repeat(32) });
  await refused(collectAuditShares(record, [elsewhere], { key }), 'WRONG_NETWORK');
  await refused(collectAuditShares(record, [{ name: 'x', text: '{}' }], { key }), 'MALFORMED');
});

test('a bad share is left out and named, and the others suffice', async () => {
  const [bad] = sharesOf(beta, [3]) as [AuditShare];
  const proof = Uint8Array.from(bad.share.proof);
  proof[0] = (proof[0] as number) ^ 1;
  const spoiled = fileOf(beta, [{ ...bad, share: { ...bad.share, proof } }]);
  const files = [given(ledger.alpha), spoiled, given(gamma)];
  const { keys, epochs } = await collectAuditShares(record, files, { key });
  assert.deepEqual(keys, ledger.epochKeys(3));
  assert.deepEqual(epochs[0]?.refused, ['Beta']);
});

test('a ledger that ends before the sharing whose shares were given says so', async () => {
  const short = join(root, 'short');
  const blocks = ledger.blocks.slice(0, 4);
  await Object.assign(Object.create(ledger) as WrittenLedger, { blocks }).write(short);
  const early = await recordOf('short');
  await refused(collectAuditShares(early, [given(beta)], { key }), 'UNKNOWN_SHARING');
});

test('givings are in the ledger: who gave which epochs to whom, and what nobody ordered is found', async () => {
  const order = (member: Identity, epochs: readonly number[]): Uint8Array => {
    const giving = { auditor, encryptionKey, epochs };
    return buildGiving({ ...ledger.signer(member), giving });
  };
  ledger.submit(order(ledger.alpha, [3]));
  ledger.submit(order(beta, [3]));
  ledger.govern({ name: 'revoke_audit', args: { auditor } });
  const report = await audit(ledger);
  assert.deepEqual(firstDefects(report), []);
  const [told] = report.keys.auditors;
  assert.deepEqual(
    told?.given.map(({ by, epochs }) => [by, epochs]),
    [
      ['Alpha', [3, 3]],
      ['Beta', [3, 3]],
    ],
  );
  assert.equal(told?.until, ledger.blocks.length);
  assert.equal(currentEpoch(ledger.administration.head), 4);
});
