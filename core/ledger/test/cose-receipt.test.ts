import assert from 'node:assert/strict';
import { createHash, verify, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import {
  type CborKey,
  CborTag,
  type CborValue,
  decodeCbor,
  encodeCbor,
  nodeIdOf,
  signCose,
} from '@concordat/crypto';
import type { Seqno } from '@concordat/std';
import {
  buildReceipt,
  type CoseReceiptVerdict,
  encodeCoseReceipt,
  verifyCoseReceipt,
  verifyReceipt,
} from '../index.ts';
import { Ledger } from './fixture.ts';

const networkId = 'ab'.repeat(32);
const issuedAtMs = 1_700_000_123_456;

function receiptsOf(ledger: Ledger, seqno: number) {
  const sealed = ledger.blocks.findLast(({ header }) => header.firstSeqno <= seqno)!;
  const receipt = buildReceipt({
    block: sealed.bytes,
    seqno: seqno as Seqno,
    sessionKey: () => ledger.sessionKey,
    history: ledger.history,
    nodeCertificatePem: ledger.nodeCertificatePem,
  });
  const { networkKey } = ledger;
  const cose = encodeCoseReceipt({ receipt, networkKey, networkId, issuedAtMs });
  return { receipt, cose };
}

const codeOf = (verdict: CoseReceiptVerdict): string => (verdict.ok ? 'accepted' : verdict.code);

const sha256 = (...parts: Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

test('every transaction has a COSE receipt that says what its JSON receipt says', () => {
  const ledger = new Ledger().grow(19);
  for (let seqno = 1; seqno < ledger.nextSeqno; seqno++) {
    const { receipt, cose } = receiptsOf(ledger, seqno);
    const [json, verdict] = [
      verifyReceipt(receipt, ledger.networkCertificatePem),
      verifyCoseReceipt(cose, ledger.networkCertificatePem),
    ];
    assert.ok(json.ok && verdict.ok);
    for (const part of ['transactionId', 'claimsDigest', 'writeSetDigest', 'root'] as const) {
      assert.equal(verdict[part], json[part]);
    }
    assert.equal(verdict.networkId, networkId);
    assert.equal(verdict.issuedAtMs, 1_700_000_123_000);
    assert.equal(verdict.keyId, nodeIdOf(ledger.networkKey.publicKeySpki));
  }
});

test("a COSE receipt holds under RFC 9052 and CCF's profile, done by hand", () => {
  const ledger = new Ledger().grow(6);
  const message = decodeCbor(receiptsOf(ledger, 9).cose) as CborTag;
  assert.equal(message.tag, 18);
  const [headers, unprotected, payload, signature] = message.value as [
    Uint8Array,
    Map<CborKey, CborValue>,
    null,
    Uint8Array,
  ];
  assert.equal(payload, null);
  const signed = decodeCbor(headers) as Map<CborKey, CborValue>;
  assert.deepEqual([...signed.keys()], [1, 4, 15, 395, 'ccf.v1']);
  assert.equal(signed.get(1), -7);
  assert.equal(signed.get(395), 2);
  const spki = new X509Certificate(ledger.networkCertificatePem).publicKey;
  const der = spki.export({ type: 'spki', format: 'der' });
  assert.equal(Buffer.from(signed.get(4) as Uint8Array).toString(), sha256(der).toString('hex'));
  assert.deepEqual(signed.get('ccf.v1'), new Map([['txid', '1.9']]));
  const [proof] = (unprotected.get(396) as Map<CborKey, CborValue>).get(-1) as [Uint8Array];
  const inclusion = decodeCbor(proof) as Map<CborKey, CborValue>;
  const [writes, evidence, data] = inclusion.get(1) as [Uint8Array, string, Uint8Array];
  let root = sha256(writes, sha256(Buffer.from(evidence)), data);
  for (const [left, hash] of inclusion.get(2) as [boolean, Uint8Array][]) {
    root = left ? sha256(hash, root) : sha256(root, hash);
  }
  const tbs = encodeCbor(['Signature1', headers, new Uint8Array(0), root]);
  const key = { key: spki, dsaEncoding: 'ieee-p1363' as const };
  assert.equal(verify('sha256', tbs, key, signature), true);
});

test('a COSE receipt with any bit turned is refused, and nothing throws', () => {
  const ledger = new Ledger().grow(6);
  const { cose } = receiptsOf(ledger, 9);
  const met = new Set<string>();
  for (let at = 0; at < cose.length; at++) {
    for (let bit = 1; bit < 256; bit <<= 1) {
      const changed = Uint8Array.from(cose);
      changed[at]! ^= bit;
      const code = codeOf(verifyCoseReceipt(changed, ledger.networkCertificatePem));
      assert.notEqual(code, 'accepted', `byte ${at}, bit ${bit}`);
      met.add(code);
    }
  }
  assert.deepEqual([...met].sort(), ['BAD_SIGNATURE', 'MALFORMED', 'WRONG_KEY']);
});

test('a COSE receipt that is cut short or goes on is malformed', () => {
  const ledger = new Ledger().grow(3);
  const { cose } = receiptsOf(ledger, 2);
  const { networkCertificatePem } = ledger;
  for (let length = 0; length < cose.length; length++) {
    const cut = verifyCoseReceipt(cose.subarray(0, length), networkCertificatePem);
    assert.equal(codeOf(cut), 'MALFORMED', `${length} bytes`);
  }
  const longer = Buffer.concat([cose, Uint8Array.of(0)]);
  assert.equal(codeOf(verifyCoseReceipt(longer, networkCertificatePem)), 'MALFORMED');
  const huge = Buffer.concat([cose, new Uint8Array(1 << 20)]);
  assert.equal(codeOf(verifyCoseReceipt(huge, networkCertificatePem)), 'MALFORMED');
});

test('a COSE receipt of another network, or under no certificate, is refused', () => {
  const { cose } = receiptsOf(new Ledger().grow(3), 2);
  const other = new Ledger(2);
  assert.equal(codeOf(verifyCoseReceipt(cose, other.networkCertificatePem)), 'WRONG_KEY');
  for (const pem of ['', 'PEM', other.networkCertificatePem.repeat(2)]) {
    assert.equal(codeOf(verifyCoseReceipt(cose, pem)), 'UNTRUSTED_CERTIFICATE');
  }
});

type Change = (parts: {
  readonly headers: Map<CborKey, CborValue>;
  readonly unprotected: Map<CborKey, CborValue>;
  readonly proof: Map<CborKey, CborValue>;
}) => void;

/** A receipt changed before it is signed by the network itself, with the path's root or another. */
function resigned(ledger: Ledger, change: Change): string {
  const { receipt, cose } = receiptsOf(ledger, 9);
  const message = (decodeCbor(cose) as CborTag).value as CborValue[];
  const headers = new Map(decodeCbor(message[0] as Uint8Array) as Map<CborKey, CborValue>);
  const proofs = (message[1] as Map<CborKey, CborValue>).get(396) as Map<CborKey, CborValue>;
  const [encoded] = proofs.get(-1) as [Uint8Array];
  const proof = new Map(decodeCbor(encoded) as Map<CborKey, CborValue>);
  const unprotected = new Map<CborKey, CborValue>();
  change({ headers, unprotected, proof });
  if (!unprotected.has(396)) unprotected.set(396, new Map([[-1, [encodeCbor(proof)]]]));
  headers.delete(1);
  const verdict = verifyReceipt(receipt, ledger.networkCertificatePem);
  assert.ok(verdict.ok);
  const signed = signCose({
    protectedHeaders: headers,
    unprotectedHeaders: unprotected,
    payload: Buffer.from(verdict.root, 'hex'),
    detached: true,
    key: ledger.networkKey,
  });
  return codeOf(verifyCoseReceipt(signed, ledger.networkCertificatePem));
}

test('every part of a COSE receipt must have the form that is written down', () => {
  const ledger = new Ledger().grow(6);
  assert.equal(
    resigned(ledger, () => {}),
    'accepted',
  );
  const leafOf = (proof: Map<CborKey, CborValue>) => [...(proof.get(1) as CborValue[])];
  const malformed: Record<string, Change> = {
    'no key id': ({ headers }) => headers.delete(4),
    'a short key id': ({ headers }) => headers.set(4, new Uint8Array(32)),
    'no claims': ({ headers }) => headers.delete(15),
    'claims without issuer': ({ headers }) => headers.set(15, new Map([[6, 1]])),
    'another tree': ({ headers }) => headers.set(395, 1),
    'no transaction': ({ headers }) => headers.set('ccf.v1', new Map()),
    'an unsigned header': ({ unprotected }) => unprotected.set(33, 'x'),
    'no proof': ({ unprotected }) => unprotected.set(396, new Map()),
    'two proofs': ({ unprotected, proof }) =>
      unprotected.set(396, new Map([[-1, [encodeCbor(proof), encodeCbor(proof)]]])),
    'a proof that is no map': ({ unprotected }) =>
      unprotected.set(396, new Map([[-1, [encodeCbor([])]]])),
    'no leaf': ({ proof }) => proof.delete(1),
    'a long leaf': ({ proof }) => proof.set(1, [...leafOf(proof), 1]),
    'other evidence': ({ proof }) => proof.set(1, leafOf(proof).with(1, 'ce:1.9:')),
    'a short digest': ({ proof }) => proof.set(1, leafOf(proof).with(2, new Uint8Array(31))),
    'no path': ({ proof }) => proof.set(2, []),
    'a long path': ({ proof }) => proof.set(2, new Array(81).fill([true, new Uint8Array(32)])),
    'a step without side': ({ proof }) => proof.set(2, [[new Uint8Array(32)]]),
    'more in the proof': ({ proof }) => proof.set(3, 1),
  };
  for (const [what, change] of Object.entries(malformed)) {
    assert.equal(resigned(ledger, change), 'MALFORMED', what);
  }
  const otherTransaction: Change = ({ headers }) =>
    headers.set('ccf.v1', new Map([['txid', '1.8']]));
  assert.equal(resigned(ledger, otherTransaction), 'WRONG_TRANSACTION');
  const shorter: Change = ({ proof }) => proof.set(2, (proof.get(2) as CborValue[]).slice(1));
  assert.equal(resigned(ledger, shorter), 'BAD_SIGNATURE');
});

test('what is no COSE receipt at all is malformed', () => {
  const { networkCertificatePem } = new Ledger();
  const texts = [new CborTag(18, []), new CborTag(17, [1, 2, 3, 4]), [1], 'text', null, 7];
  for (const value of texts) {
    const verdict = verifyCoseReceipt(encodeCbor(value), networkCertificatePem);
    assert.equal(codeOf(verdict), 'MALFORMED');
  }
});
