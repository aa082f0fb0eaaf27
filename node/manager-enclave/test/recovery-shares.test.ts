import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  encodeSharesFile,
  type KeyRecord,
  makeShares,
  openCopy,
  readKeyRecord,
  sharesFileOf,
} from '@concordat/auditor';
import { decodeRecoveryShare, encodeRecoveryShare } from '@concordat/keys';
import { toHex, utf8 } from '@concordat/std';
import { SharedKeyLedger } from '../../../clients/auditor/test/shared-key-ledger.ts';
import { organisation } from '../../../core/governance/test/network.ts';
import { entropyOf } from '../../../core/governance/test/shared-key-network.ts';
import { ManagerError } from '../errors.ts';
import { FormerLedger } from '../former-ledger.ts';
import { RecoveryShares, requireReadable } from '../recovery-shares.ts';

const nodeId = 'ab'.repeat(32);
const requester = `recovery:${nodeId}`;
const passphrase = 'a passphrase of some length';
const entropy = entropyOf('recovery');

const ledger = new SharedKeyLedger();
ledger.beginEpoch();
ledger.reshare('bob');
ledger.beginEpoch();

/** What an actor's own tool reads of the ledger. */
async function recordOf(of: SharedKeyLedger): Promise<KeyRecord> {
  const directory = mkdtempSync(join(tmpdir(), 'concordat-shares-'));
  try {
    await of.store(directory);
    return await readKeyRecord({ directory, networkCertificate: of.networkCertificate });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const record = await recordOf(ledger);

async function gathering(of = ledger): Promise<RecoveryShares> {
  const { bytes, networkCertificate } = of;
  const host = { readFormer: async (from: number) => bytes.slice(from - 1) };
  const at = { lastHeight: bytes.length, networkCertificate };
  const survey = await new FormerLedger(host, at).survey(() => undefined);
  return new RecoveryShares(survey, nodeId);
}

interface SharesJson {
  format: string;
  version: number;
  networkId: string;
  requester: string;
  holders: { actor: string; index: number; ceremonyId: string; shares: object[] }[];
}

/** The file of shares that a member makes of its copy of a sharing. */
async function fileOf(member: string, sharing: number, to = requester): Promise<SharesJson> {
  const share = decodeRecoveryShare(
    encodeRecoveryShare(ledger.copyOf(member, sharing, { passphrase })),
  );
  const copy = openCopy(record, share, { passphrase });
  const made = await makeShares(record, copy, { requester: to, entropy });
  return JSON.parse(encodeSharesFile(sharesFileOf(record, to, [made])));
}

const actorOf = (member: string): string => organisation(member).actorId;

async function give(
  shares: RecoveryShares,
  member: string,
  file: unknown,
  networkId = ledger.networkId,
): Promise<void> {
  const bytes = typeof file === 'string' ? utf8(file) : utf8(JSON.stringify(file));
  shares.take(await shares.check(actorOf(member), networkId, bytes));
}

const refusal = (reason: string) => (error: unknown) => {
  assert.ok(error instanceof ManagerError, String(error));
  assert.equal(error.code, 'RECOVERY_SHARES_REFUSED');
  assert.equal(error.details.reason, reason, error.message);
  return true;
};

test('two of three members make every session key readable, one does not', async () => {
  const shares = await gathering();
  const [whole] = shares.missing();
  assert.deepEqual(
    { ...whole, missing: [] },
    { from: 1, to: 3, needed: 2, given: [], missing: [] },
  );
  assert.deepEqual([...(whole?.missing ?? [])].sort(), ['ada', 'bob', 'cyd']);
  await give(shares, 'ada', await fileOf('ada', 2));
  await give(shares, 'ada', await fileOf('ada', 2));
  const [half] = shares.missing();
  assert.deepEqual([half?.needed, half?.given], [2, ['ada']]);
  await assert.rejects(shares.combine(), refusal('TOO_FEW_SHARES'));
  await give(shares, 'cyd', await fileOf('cyd', 2));
  assert.deepEqual(shares.missing(), []);
  const keys = await shares.combine();
  assert.deepEqual(
    [...keys].map(([epoch, { key }]) => [epoch, toHex(key)]),
    ledger.sessionKeys.map(({ epoch, key }) => [epoch, toHex(key)]),
  );
});

test('shares of an earlier sharing add up with each other, and with no others', async () => {
  const shares = await gathering();
  await give(shares, 'ada', await fileOf('ada', 1));
  await give(shares, 'cyd', await fileOf('cyd', 2));
  assert.equal(shares.missing().length, 1, 'one share of each sharing reads nothing');
  await give(shares, 'bob', await fileOf('bob', 1));
  assert.deepEqual(shares.missing(), []);
  assert.equal((await shares.combine()).size, 3);
});

test('shares for another network or requester are refused', async () => {
  const shares = await gathering();
  const file = await fileOf('ada', 2);
  await assert.rejects(give(shares, 'ada', file, 'cd'.repeat(32)), refusal('WRONG_NETWORK'));
  const other = await fileOf('ada', 2, `recovery:${'cd'.repeat(32)}`);
  await assert.rejects(give(shares, 'ada', other), refusal('OTHER_REQUESTER'));
  // Renamed: the proofs are still bound to the other one.
  const renamed = { ...other, requester };
  await assert.rejects(give(shares, 'ada', renamed), refusal('INVALID_SHARE'));
});

test("shares of another's place, or of a sharing the ledger does not have, are refused", async () => {
  const shares = await gathering();
  const file = await fileOf('ada', 2);
  await assert.rejects(give(shares, 'bob', file), refusal('UNKNOWN_SHARING'));
  const [holder] = file.holders;
  assert.ok(holder);
  const moved = (change: object) => ({ ...file, holders: [{ ...holder, ...change }] });
  await assert.rejects(
    give(shares, 'ada', moved({ ceremonyId: 'ef'.repeat(32) })),
    refusal('UNKNOWN_SHARING'),
  );
  for (const index of [0, 1, 2, 3, 255, '1', null]) {
    if (index === holder.index) continue;
    await assert.rejects(give(shares, 'ada', moved({ index })), refusal('UNKNOWN_SHARING'));
  }
});

test('a share for another epoch, forged, doubled or malformed counts for nothing', async () => {
  const shares = await gathering();
  const file = await fileOf('ada', 2);
  const bob = await fileOf('bob', 2);
  const [holder] = file.holders;
  assert.ok(holder);
  const [first, second] = holder.shares as [{ epoch: number; share: string }, { share: string }];
  const given = (list: unknown) => ({ ...file, holders: [{ ...holder, shares: list }] });
  const bobs = bob.holders[0]?.shares as { share: string }[];
  const bad: readonly (readonly [unknown, string])[] = [
    [[{ ...first, share: second.share }], 'INVALID_SHARE'],
    [[{ ...first, share: bobs[0]?.share }], 'INVALID_SHARE'],
    [[{ ...first, epoch: 9 }], 'UNKNOWN_EPOCH'],
    [[{ ...first, epoch: -1 }], 'UNKNOWN_EPOCH'],
    [[{ ...first, epoch: 1.5 }], 'UNKNOWN_EPOCH'],
    [[{ ...first, epoch: '1' }], 'UNKNOWN_EPOCH'],
    [[{ ...first, share: first.share.slice(0, -4) }], 'MALFORMED'],
    [[{ ...first, share: `${first.share}AAAA` }], 'MALFORMED'],
    [[{ ...first, share: 7 }], 'MALFORMED'],
    [[{ ...first, share: 'x'.repeat(1_000) }], 'MALFORMED'],
    [Array(4).fill(first), 'MALFORMED'],
    [[null], 'MALFORMED'],
    ['shares', 'MALFORMED'],
    [[], 'TOO_FEW_SHARES'],
  ];
  for (const [list, reason] of bad) {
    await assert.rejects(give(shares, 'ada', given(list)), refusal(reason));
  }
  const raw = Buffer.from(first.share, 'base64');
  for (let at = 0; at < raw.length; at += 7) {
    const flipped = Buffer.from(raw);
    flipped[at] = (flipped[at] as number) ^ 1;
    const list = [{ ...first, share: flipped.toString('base64') }];
    await assert.rejects(give(shares, 'ada', given(list)), (error: ManagerError) => {
      return error.code === 'RECOVERY_SHARES_REFUSED';
    });
  }
  const [whole] = shares.missing();
  assert.deepEqual([whole?.from, whole?.to, whole?.given], [1, 3, []]);
});

test('what is no file of decryption shares is refused', async () => {
  const shares = await gathering();
  const file = await fileOf('ada', 2);
  const bad: unknown[] = ['', '{', '[]', 'null', '7', { ...file, format: 'other' }];
  bad.push({ ...file, version: 2 }, { ...file, holders: {} }, { ...file, holders: [7] });
  bad.push({ ...file, holders: Array(1_025).fill(file.holders[0]) });
  for (const one of bad) await assert.rejects(give(shares, 'ada', one), refusal('MALFORMED'));
  await assert.rejects(give(shares, 'ada', { ...file, holders: [] }), refusal('TOO_FEW_SHARES'));
});

test('nobody is asked for shares where a ciphertext of the ledger could not be opened', async () => {
  const { bytes, networkCertificate } = ledger;
  const host = { readFormer: async (from: number) => bytes.slice(from - 1) };
  const at = { lastHeight: bytes.length, networkCertificate };
  const survey = await new FormerLedger(host, at).survey(() => undefined);
  await requireReadable(survey);
  // Bound to another network its ciphertexts are as good as forged.
  const elsewhere = { ...survey, former: { ...survey.former, networkId: 'cd'.repeat(32) } };
  await assert.rejects(requireReadable(elsewhere), (error) => {
    assert.ok(error instanceof ManagerError);
    assert.deepEqual([error.code, error.details.epoch], ['LEDGER_CORRUPT', 1]);
    return true;
  });
});

test('a member may give the shares of as many sharings as a file of shares may have', async () => {
  const shares = await gathering();
  const file = await fileOf('ada', 1);
  const [holder] = file.holders as [SharesJson['holders'][number]];
  const many = (count: number) => ({ ...file, holders: Array(count).fill(holder) });
  await give(shares, 'ada', many(100));
  await assert.rejects(give(await gathering(), 'ada', many(1_025)), {
    code: 'RECOVERY_SHARES_REFUSED',
  });
});
