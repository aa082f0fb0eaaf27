import assert from 'node:assert/strict';
import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createSigningKey, fromPem, issueCertificate, nodeIdOf, toPem } from '@concordat/crypto';
import type { Seqno } from '@concordat/std';
import {
  buildReceipt,
  type ReceiptJson,
  type ReceiptVerdict,
  verifyReceipt,
  writeSetDigestOf,
} from '../index.ts';
import { Ledger, record, refusal } from './fixture.ts';

const sha256 = (...parts: Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();
const fromHexText = (text: string): Buffer => Buffer.from(text, 'hex');

function receiptOf(ledger: Ledger, seqno: number): ReceiptJson {
  const sealed = ledger.blocks.findLast(({ header }) => header.firstSeqno <= seqno)!;
  return buildReceipt({
    block: sealed.bytes,
    seqno: seqno as Seqno,
    sessionKey: () => ledger.sessionKey,
    history: ledger.history,
    nodeCertificatePem: ledger.nodeCertificatePem,
  });
}

const codeOf = (verdict: ReceiptVerdict): string => (verdict.ok ? 'accepted' : verdict.code);

test('every transaction of a ledger has a receipt that verifies and names it', () => {
  const ledger = new Ledger().grow(19);
  for (let seqno = 1; seqno < ledger.nextSeqno; seqno++) {
    const receipt = JSON.parse(JSON.stringify(receiptOf(ledger, seqno)));
    const verdict = verifyReceipt(receipt, ledger.networkCertificatePem);
    assert.equal(verdict.ok && verdict.transactionId, `1.${seqno}`);
    assert.equal(verdict.ok && verdict.nodeId, nodeIdOf(ledger.nodeKey.publicKeySpki));
  }
});

test('claims and writes can be checked against the receipt', () => {
  const ledger = new Ledger();
  const claimsDigest = sha256(Buffer.from('the claim'));
  ledger.seal([
    { publicWrites: new Uint8Array(0), privateWrites: Buffer.from('p'), claimsDigest },
    { publicWrites: Buffer.from('q'), privateWrites: Buffer.from('p') },
  ]);
  const [first, second] = [1, 2].map((seqno) =>
    verifyReceipt(receiptOf(ledger, seqno), ledger.networkCertificatePem),
  );
  assert.ok(first?.ok && second?.ok);
  assert.equal(first.claimsDigest, claimsDigest.toString('hex'));
  assert.equal(second.claimsDigest, '0'.repeat(64));
  const digest = (...parts: Uint8Array[]): string => sha256(...parts).toString('hex');
  assert.equal(first.writeSetDigest, digest(Buffer.of(0), Buffer.from('p')));
  const both = digest(Buffer.of(1), sha256(Buffer.from('q')), sha256(Buffer.from('p')));
  assert.equal(second.writeSetDigest, both);
  const shown = { publicWrites: Buffer.from('q'), privateWrites: Buffer.from('p') };
  assert.equal(writeSetDigestOf(shown), both);
});

test("a receipt holds under CCF's algorithm, read from its documentation and done by hand", () => {
  const ledger = new Ledger().grow(6);
  const receipt = receiptOf(ledger, 9);
  const { write_set_digest, commit_evidence, claims_digest } = receipt.leaf_components;
  let current = sha256(
    fromHexText(write_set_digest),
    sha256(Buffer.from(commit_evidence)),
    fromHexText(claims_digest),
  );
  for (const step of receipt.proof) {
    current =
      'left' in step
        ? sha256(fromHexText(step.left), current)
        : sha256(current, fromHexText(step.right));
  }
  const certificate = new X509Certificate(receipt.cert);
  assert.equal(verifyPrehashed(certificate, current, receipt.signature), true);
  current[0]! ^= 1;
  assert.equal(verifyPrehashed(certificate, current, receipt.signature), false);
  const network = new X509Certificate(ledger.networkCertificatePem);
  assert.equal(certificate.verify(network.publicKey), true);
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  assert.equal(receipt.node_id, sha256(spki).toString('hex'));
});

test('a receipt with anything changed is refused', () => {
  const ledger = new Ledger().grow(6);
  const receipt = receiptOf(ledger, 9);
  const verify = (changed: unknown): string =>
    codeOf(verifyReceipt(changed, ledger.networkCertificatePem));
  assert.equal(verify(receipt), 'accepted');
  const text = JSON.stringify(receipt);
  const start = text.indexOf('"leaf_components"');
  for (let i = start; i < text.length; i++) {
    const old = text[i]!;
    if (!/[0-9a-zA-Z+/]/.test(old)) continue;
    const changed = JSON.parse(text.slice(0, i) + (old === '0' ? '1' : '0') + text.slice(i + 1));
    assert.notEqual(verify(changed), 'accepted', text.slice(i - 20, i + 20));
  }
});

test('steps left out, doubled, swapped or turned to the other side are refused', () => {
  const ledger = new Ledger().grow(7);
  const receipt = receiptOf(ledger, 9);
  const { proof } = receipt;
  const verify = (changed: ReceiptJson['proof']): string =>
    codeOf(verifyReceipt({ ...receipt, proof: changed }, ledger.networkCertificatePem));
  assert.ok(proof.length >= 3);
  for (const [i, step] of proof.entries()) {
    const turned = 'left' in step ? { right: step.left } : { left: step.right };
    const changes = [proof.toSpliced(i, 1), proof.toSpliced(i, 0, step), proof.with(i, turned)];
    if (i > 0) changes.push(proof.with(i, proof[i - 1]!).with(i - 1, step));
    for (const changed of changes) assert.equal(verify(changed), 'BAD_SIGNATURE');
  }
  assert.equal(verify([]), 'MALFORMED');
});

test('any JSON value is answered, none throws', () => {
  const ledger = new Ledger().grow(2);
  const receipt = receiptOf(ledger, 1);
  const odd: unknown[] = [undefined, null, 0, '', [], {}, 'x', { ...receipt, proof: null }];
  for (const key of Object.keys(receipt)) {
    for (const value of [undefined, null, 7, '', [], {}, 'zz', [null], [{}], [{ left: 1 }]]) {
      odd.push({ ...receipt, [key]: value });
    }
  }
  for (const key of Object.keys(receipt.leaf_components)) {
    for (const value of [undefined, null, 7, '', 'zz', 'F'.repeat(64)]) {
      odd.push({ ...receipt, leaf_components: { ...receipt.leaf_components, [key]: value } });
    }
  }
  odd.push({ ...receipt, proof: Array(81).fill(receipt.proof[0]) });
  odd.push({ ...receipt, proof: [{ ...receipt.proof[0], extra: 1 }] });
  odd.push({ ...receipt, service_endorsements: Array(17).fill(receipt.cert) });
  odd.push({ ...receipt, cert: receipt.cert + receipt.cert });
  for (const value of odd) {
    const verdict = verifyReceipt(value, ledger.networkCertificatePem);
    assert.equal(verdict.ok, false);
  }
});

test('a receipt of another network, or another node’s certificate, is refused', () => {
  const [one, other] = [new Ledger(1).grow(3), new Ledger(2).grow(3)];
  const receipt = receiptOf(one, 2);
  assert.equal(
    codeOf(verifyReceipt(receipt, other.networkCertificatePem)),
    'UNTRUSTED_CERTIFICATE',
  );
  const swapped = { ...receipt, cert: other.nodeCertificatePem };
  assert.equal(codeOf(verifyReceipt(swapped, one.networkCertificatePem)), 'WRONG_NODE_ID');
  const renamed = { ...swapped, node_id: nodeIdOf(other.nodeKey.publicKeySpki) };
  assert.equal(codeOf(verifyReceipt(renamed, one.networkCertificatePem)), 'UNTRUSTED_CERTIFICATE');
  assert.equal(codeOf(verifyReceipt(renamed, other.networkCertificatePem)), 'BAD_SIGNATURE');
  assert.equal(codeOf(verifyReceipt(receipt, 'no PEM')), 'UNTRUSTED_CERTIFICATE');
});

test('a network certificate is no node: what its own key signed is refused', () => {
  const ledger = new Ledger(1);
  ledger.nodeKey = createSigningKey(Buffer.alloc(32, 51));
  ledger.nodeCertificatePem = ledger.networkCertificatePem;
  ledger.grow(2);
  const verdict = verifyReceipt(receiptOf(ledger, 2), ledger.networkCertificatePem);
  assert.equal(codeOf(verdict), 'UNTRUSTED_CERTIFICATE');
});

test('a receipt of an earlier network identity verifies through its endorsements', () => {
  const ledger = new Ledger(1).grow(3);
  const successor = createSigningKey(Buffer.alloc(32, 77));
  const validity = { notBeforeMs: 0, notAfterMs: 1e11, isCa: true } as const;
  const root = issueCertificate({
    subject: { commonName: 'network 2' },
    publicKeySpki: successor.publicKeySpki,
    issuer: { key: successor },
    serial: Uint8Array.of(1),
    usages: ['keyCertSign'],
    ...validity,
  });
  const oldNetwork = createSigningKey(Buffer.alloc(32, 51));
  const endorsement = issueCertificate({
    subject: { commonName: 'network' },
    publicKeySpki: oldNetwork.publicKeySpki,
    issuer: { key: successor, certificateDer: root },
    serial: Uint8Array.of(2),
    usages: ['keyCertSign'],
    ...validity,
  });
  const receipt = receiptOf(ledger, 2);
  assert.equal(codeOf(verifyReceipt(receipt, toPem(root))), 'UNTRUSTED_CERTIFICATE');
  const endorsed = { ...receipt, service_endorsements: [toPem(endorsement)] };
  assert.equal(codeOf(verifyReceipt(endorsed, toPem(root))), 'accepted');
});

test('a receipt is not built from what it could not be verified from', () => {
  const ledger = new Ledger(1).grow(4);
  const other = new Ledger(1);
  for (let i = 0; i < 4; i++) other.seal([record(`elsewhere ${i}`)]);
  const request = {
    block: ledger.blocks[1]!.bytes,
    seqno: 2 as Seqno,
    sessionKey: () => ledger.sessionKey,
    history: ledger.history,
    nodeCertificatePem: ledger.nodeCertificatePem,
  };
  const signatureFlipped = Buffer.from(request.block);
  signatureFlipped[signatureFlipped.length - 1]! ^= 1;
  const cases: Record<string, [object, string]> = {
    'a seqno before the block': [{ seqno: 1 }, 'NO_SUCH_TRANSACTION'],
    'a seqno after the block': [{ seqno: 4 }, 'NO_SUCH_TRANSACTION'],
    'a block of another history': [{ block: other.blocks[1]!.bytes }, 'WRONG_ROOT'],
    'a history that has not got so far': [{ history: new Ledger(1).grow(1).history }, 'WRONG_ROOT'],
    'no session key': [{ sessionKey: () => undefined }, 'UNKNOWN_EPOCH'],
    'another session key': [
      { sessionKey: () => new Ledger(2).sessionKey },
      'AUTHENTICATION_FAILED',
    ],
    'a damaged signature': [{ block: signatureFlipped }, 'BAD_SIGNATURE'],
    'a certificate of another node': [
      { nodeCertificatePem: new Ledger(2).nodeCertificatePem },
      'UNKNOWN_LEADER',
    ],
  };
  for (const [name, [change, code]] of Object.entries(cases)) {
    assert.equal(
      refusal(() => buildReceipt({ ...request, ...change })),
      code,
      name,
    );
  }
  assert.equal(fromPem(buildReceipt(request).cert).length, 1);
});

/** ECDSA P-256 over a digest given as such (FIPS 186-5, section 6.4.2), in plain arithmetic. */
function verifyPrehashed(certificate: X509Certificate, digest: Buffer, base64: string): boolean {
  const [p, n] = [2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n, groupOrder];
  const jwk = createPublicKey(certificate.publicKey.export({ type: 'spki', format: 'pem' })).export(
    {
      format: 'jwk',
    },
  );
  const big = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  const coordinate = (name: string): bigint =>
    big(Buffer.from((jwk as Record<string, string>)[name]!, 'base64url'));
  const der = Buffer.from(base64, 'base64');
  const rLength = der[3]!;
  const r = big(der.subarray(4, 4 + rLength));
  const s = big(der.subarray(6 + rLength));
  const mod = (a: bigint, m: bigint): bigint => ((a % m) + m) % m;
  const inverse = (a: bigint, m: bigint): bigint => {
    let [low, high, x, y] = [mod(a, m), m, 1n, 0n];
    while (low > 1n) {
      const q = high / low;
      [low, high, x, y] = [high - q * low, low, y - q * x, x];
    }
    return mod(x, m);
  };
  type Point = { x: bigint; y: bigint } | undefined;
  const add = (a: Point, b: Point): Point => {
    if (a === undefined) return b;
    if (b === undefined) return a;
    if (a.x === b.x && a.y !== b.y) return undefined;
    const slope =
      a.x === b.x
        ? mod((3n * a.x * a.x - 3n) * inverse(2n * a.y, p), p)
        : mod((b.y - a.y) * inverse(b.x - a.x, p), p);
    const x = mod(slope * slope - a.x - b.x, p);
    return { x, y: mod(slope * (a.x - x) - a.y, p) };
  };
  const times = (k: bigint, point: Point): Point => {
    let [sum, double]: [Point, Point] = [undefined, point];
    for (let rest = k; rest > 0n; rest >>= 1n) {
      if ((rest & 1n) === 1n) sum = add(sum, double);
      double = add(double, double);
    }
    return sum;
  };
  const w = inverse(s, n);
  const base = { x: generatorX, y: generatorY };
  const own = { x: coordinate('x'), y: coordinate('y') };
  const sum = add(times(mod(big(digest) * w, n), base), times(mod(r * w, n), own));
  return sum !== undefined && mod(sum.x, n) === r;
}

// SEC 2, section 2.4.2: secp256r1.
const groupOrder = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const generatorX = 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n;
const generatorY = 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n;
