import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type RecoveryOffer, type RecoveryStatement, recoveryGiftInfo } from '@concordat/api';
import { createVirtualEvidence, reportData } from '@concordat/attestation';
import { createEncryptionKey, createSigningKey, nodeIdOf, sha256 } from '@concordat/crypto';
import { canonicalJson, constitutionDigest, decodeMessage } from '@concordat/governance';
import { fromBase64, fromUtf8, toBase64, toDigest, toEpoch, toHex, utf8 } from '@concordat/std';
import {
  machine,
  measurement,
  noon,
  organisation,
  seed,
} from '../../../core/governance/test/network.ts';
import { entropyOf } from '../../../core/governance/test/shared-key-network.ts';
import {
  AuditorError,
  decodeSharesFile,
  type KeyRecord,
  makeRecoveryGift,
  openCopy,
  readKeyRecord,
  requireOffer,
} from '../index.ts';
import { SharedKeyLedger } from './shared-key-ledger.ts';

const ledger = new SharedKeyLedger();
ledger.beginEpoch();
const nodeKey = createSigningKey(seed(71));
const sealingKey = createEncryptionKey(seed(72));
const platformKey = createSigningKey(seed(73));
const nonce = '0a'.repeat(32);
const passphrase = 'a passphrase of some length';

let directory = '';
let record: KeyRecord;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recovery-giving-'));
  await ledger.store(directory);
  record = await readKeyRecord({ directory, networkCertificate: ledger.networkCertificate });
});

after(() => rm(directory, { recursive: true, force: true }));

function statement(change: Partial<RecoveryStatement> = {}): RecoveryStatement {
  const last = record.count.last;
  assert.ok(last);
  return {
    type: 'concordat.recovery-offer.v1',
    nonce,
    networkId: 'cd'.repeat(32),
    nodeId: nodeIdOf(nodeKey.publicKeySpki),
    publicKey: toHex(nodeKey.publicKeySpki),
    encryptionKey: toHex(sealingKey.publicKey),
    former: {
      networkId: ledger.networkId,
      networkCertificate: ledger.networkCertificate,
      lastHeight: last.height,
      lastTransaction: last.transactionId,
      lastTimeMs: last.timeMs,
      historyRoot: last.historyRoot,
      constitutionDigest: constitutionDigest(record.constitution),
    },
    ...change,
  };
}

/** An offer as a node of this code makes it. */
function offerOf(said: RecoveryStatement, code = measurement): RecoveryOffer {
  const data = reportData({
    domain: 'node',
    networkId: said.networkId,
    publicKeySpki: nodeKey.publicKeySpki,
    ledgerRoot: toDigest(sha256(utf8(canonicalJson({ ...said })))),
    epoch: toEpoch(0),
  });
  const evidence = createVirtualEvidence({ measurement: code, reportData: data, platformKey });
  return { statement: said, evidence: toBase64(evidence) };
}

const check = (offer: RecoveryOffer): void =>
  requireOffer(offer, { nonce, record, nowMs: noon * 1000 });

function refuses(reason: string | undefined, offer: RecoveryOffer): void {
  assert.throws(
    () => check(offer),
    (error: unknown) => {
      assert.ok(error instanceof AuditorError, String(error));
      assert.equal(error.code, 'OFFER_REFUSED');
      if (reason) assert.equal(error.details.reason, reason, error.message);
      return true;
    },
  );
}

test('listed code that recovers this very ledger is given shares', () => {
  check(offerOf(statement()));
});

test('code that the former constitution does not list is given nothing', () => {
  refuses('UNLISTED_MEASUREMENT', offerOf(statement(), 'ee'.repeat(32)));
});

test('another ledger than the member has is given nothing', () => {
  const { former } = statement();
  const changed = (change: Partial<typeof former>): RecoveryOffer =>
    offerOf(statement({ former: { ...former, ...change } }));
  refuses('WRONG_NETWORK', changed({ networkId: 'ab'.repeat(32) }));
  refuses('OTHER_LEDGER', changed({ lastHeight: former.lastHeight - 1 }));
  refuses('OTHER_LEDGER', changed({ historyRoot: 'ab'.repeat(32) }));
  refuses('OTHER_LEDGER', changed({ constitutionDigest: 'ab'.repeat(32) }));
});

test('evidence of something else, of another time or of another key is given nothing', () => {
  const said = statement();
  refuses('STALE', offerOf(statement({ nonce: '0b'.repeat(32) })));
  const { evidence } = offerOf(said);
  const other = createEncryptionKey(seed(74)).publicKey;
  refuses('UNBOUND', { statement: { ...said, encryptionKey: toHex(other) }, evidence });
  refuses('UNBOUND', { statement: { ...said, networkId: 'ab'.repeat(32) }, evidence });
  const { joining } = machine(organisation('bob'), 5);
  refuses('WRONG_NODE', offerOf(statement({ nodeId: joining.nodeId })));
  const bytes = Buffer.from(evidence, 'base64');
  for (let at = 0; at < bytes.length; at += 5) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] as number) ^ 1;
    refuses(undefined, { statement: said, evidence: flipped.toString('base64') });
  }
  refuses(undefined, { statement: said, evidence: '' });
});

test('what is no offer is given nothing', () => {
  for (const said of [undefined, null, 7, {}, { ...statement(), type: 'other' }]) {
    refuses('MALFORMED', { statement: said as RecoveryStatement, evidence: '' });
  }
  for (const change of [{ encryptionKey: '00' }, { former: null }, { nodeId: 'x' }]) {
    refuses('MALFORMED', offerOf({ ...statement(), ...change } as RecoveryStatement));
  }
});

test('shares are bound and sealed to the node, and the consent says what they are', async () => {
  const offer = offerOf(statement());
  const copy = openCopy(record, ledger.copyOf('ada', 1, { passphrase }), { passphrase });
  const { key, der: certificateDer } = organisation('ada');
  const signer = { key, certificateDer, createdAtSeconds: noon };
  const entropy = entropyOf('giving');
  const gift = await makeRecoveryGift({ offer, record, copies: [copy], signer, entropy });
  const sealed = fromBase64(gift.sealed) as Uint8Array;
  const file = decodeSharesFile(
    fromUtf8(sealingKey.open(sealed, recoveryGiftInfo(offer.statement))),
  );
  assert.equal(file.requester, `recovery:${offer.statement.nodeId}`);
  assert.deepEqual(
    file.holders.flatMap(({ shares }) => shares.map(({ epoch }) => epoch)),
    [1, 2],
  );
  const message = decodeMessage(fromBase64(gift.message) as Uint8Array);
  assert.equal(message.type, 'recovery-consent');
  assert.equal(message.networkId, offer.statement.networkId);
  assert.equal(message.kid, organisation('ada').actorId);
  assert.deepEqual(message.payload, {
    epochs: [1, 2],
    former: offer.statement.former.historyRoot,
    requester: file.requester,
    shares: toHex(sha256(sealed)),
  });
  // Nobody else opens it, nor for another network.
  assert.throws(() =>
    createEncryptionKey(seed(75)).open(sealed, recoveryGiftInfo(offer.statement)),
  );
  const elsewhere = { ...offer.statement, networkId: 'ab'.repeat(32) };
  assert.throws(() => sealingKey.open(sealed, recoveryGiftInfo(elsewhere)));
});

test('a member whose copies read nothing gives nothing', async () => {
  const { key, der: certificateDer } = organisation('ada');
  const signer = { key, certificateDer, createdAtSeconds: noon };
  const offer = offerOf(statement());
  await assert.rejects(
    makeRecoveryGift({ offer, record, copies: [], signer, entropy: entropyOf('none') }),
    (error: AuditorError) => error.code === 'NO_SHARES',
  );
});
