import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import {
  actorIdOf,
  type CertificateRequest,
  CryptoError,
  certificateFingerprint,
  fromPem,
  issueCertificate,
  parseCertificate,
  parseIpAddress,
  spkiOf,
  subjectOf,
  toPem,
} from '@concordat/crypto';
import { toHex } from '@concordat/std';
import { authority, endEntity, keyOf, patch, resign } from './authorities.ts';

const withCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof CryptoError && error.code === code;
const invalid = withCode('INVALID_CERTIFICATE');

const root = authority('Root', 1, undefined, { organization: 'Bank A' });
const node = endEntity('node0', 2, root, {
  subjectAltNames: { dns: ['localhost', '*.example.org'], ip: ['127.0.0.1', '2001:db8::1'] },
});

test('OpenSSL reads what is issued, and verifies it', () => {
  const [above, below] = [new X509Certificate(root.der), new X509Certificate(node.der)];
  assert.equal(above.subject, 'O=Bank A\nCN=Root');
  assert.equal(above.ca, true);
  assert.equal(below.ca, false);
  assert.equal(below.checkIssued(above), true);
  assert.equal(below.verify(above.publicKey), true);
  assert.equal(above.verify(above.publicKey), true);
  assert.equal(below.verify(below.publicKey), false);
  assert.equal(below.checkHost('localhost'), 'localhost');
  assert.equal(below.checkHost('node.example.org'), '*.example.org');
  assert.equal(below.checkHost('elsewhere'), undefined);
  assert.equal(below.checkIP('127.0.0.1'), '127.0.0.1');
  assert.equal(below.checkIP('2001:db8::1'), '2001:db8::1');
  assert.deepEqual(below.keyUsage, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
  assert.equal(below.checkPrivateKey(node.key.keyObject), true);
  assert.equal(Date.parse(below.validFrom), Date.UTC(2026, 0));
  assert.equal(Date.parse(below.validTo), Date.UTC(2027, 0));
});

test('what is issued reads back, field by field', () => {
  const [above, below] = [parseCertificate(root.der), parseCertificate(node.der)];
  assert.equal(above.isCa, true);
  assert.equal(above.keyUsage, 0x86);
  assert.equal(above.extendedKeyUsage, undefined);
  assert.deepEqual(above.issuer, above.subject);
  assert.equal(below.isCa, false);
  assert.equal(below.keyUsage, 0x80);
  assert.deepEqual(below.extendedKeyUsage, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
  assert.deepEqual(below.issuer, above.subject);
  assert.deepEqual(below.authorityKeyId, above.subjectKeyId);
  assert.deepEqual(above.authorityKeyId, above.subjectKeyId);
  assert.equal(below.notBeforeMs, Date.UTC(2026, 0));
  assert.equal(below.notAfterMs, Date.UTC(2027, 0) + 999);
  assert.deepEqual(below.unknownCritical, []);
  assert.deepEqual(spkiOf(node.der), Buffer.from(node.key.publicKeySpki));
});

test('names of a subject come back in UTF-8', () => {
  assert.deepEqual(subjectOf(root.der), { commonName: 'Root', organization: 'Bank A' });
  assert.deepEqual(subjectOf(node.der), { commonName: 'node0' });
  const umlaut = authority('Zoë', 1, undefined, { organization: 'Bäckerei 北京' });
  assert.deepEqual(subjectOf(umlaut.der), { commonName: 'Zoë', organization: 'Bäckerei 北京' });
});

test('names in the string types of older authorities are read too', () => {
  const read = (tag: number): string =>
    subjectOf(
      resign(root.der, root.key, (tbs) => {
        tbs[tbs.lastIndexOf('0c04526f6f74', undefined, 'hex')] = tag;
      }),
    ).commonName;
  assert.equal(read(0x13), 'Root');
  assert.equal(read(0x16), 'Root');
  assert.equal(read(0x1e), '\u526f\u6f74');
  assert.throws(() => read(0x04), invalid);
});

test('dates from 2050 are GeneralizedTime, before it UTCTime, to the second', () => {
  const late = authority('Late', 1, undefined, {
    notBeforeMs: Date.UTC(2049, 11, 31, 23, 59, 59, 999),
    notAfterMs: Date.UTC(2050, 0, 1),
  });
  const der = Buffer.from(late.der);
  assert.ok(der.includes('\x17\x0d491231235959Z', 0, 'latin1'));
  assert.ok(der.includes('\x18\x0f20500101000000Z', 0, 'latin1'));
  const parsed = parseCertificate(late.der);
  assert.equal(parsed.notBeforeMs, Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.equal(parsed.notAfterMs, Date.UTC(2050, 0, 1) + 999);
});

test('impossible dates are refused', () => {
  for (const date of ['260230000000Z', '261301000000Z', '260101240000Z', '260101000060Z']) {
    const der = resign(root.der, root.key, (tbs) => {
      tbs.write(date, tbs.indexOf('260101000000Z', 0, 'latin1'), 'latin1');
    });
    assert.throws(() => parseCertificate(der), invalid, date);
  }
});

test('a request that makes no sense is refused', () => {
  const sound: CertificateRequest = {
    subject: { commonName: 'x' },
    publicKeySpki: keyOf(3).publicKeySpki,
    issuer: { key: root.key, certificateDer: root.der },
    serial: Uint8Array.of(1),
    notBeforeMs: 0,
    notAfterMs: 1000,
    isCa: false,
    usages: ['clientAuth'],
  };
  assert.ok(issueCertificate(sound).length > 0);
  const changes: Partial<CertificateRequest>[] = [
    { serial: new Uint8Array(0) },
    { serial: new Uint8Array(5) },
    { serial: new Uint8Array(21).fill(1) },
    { serial: new Uint8Array(20).fill(0xff) },
    { notBeforeMs: 2000 },
    { notAfterMs: Number.NaN },
    { notBeforeMs: Date.UTC(1949, 0) },
    { notAfterMs: Date.UTC(10_000, 0) },
    { usages: ['keyCertSign'] },
    { pathLength: 1 },
    { isCa: true, pathLength: -1 },
    { isCa: true, pathLength: 256 },
    { subject: { commonName: '' } },
    { subject: { commonName: 'x'.repeat(65) } },
    { subject: { commonName: '\ud800' } },
    { subject: { commonName: 'x', organization: '' } },
    { publicKeySpki: new Uint8Array(91) },
    { issuer: { key: root.key } },
    { issuer: { key: keyOf(9), certificateDer: root.der } },
    { issuer: { key: node.key, certificateDer: node.der } },
    { subjectAltNames: { dns: ['a b'] } },
    { subjectAltNames: { dns: [''] } },
    { subjectAltNames: { ip: ['1.2.3'] } },
  ];
  for (const change of changes) {
    const request = { ...sound, ...change };
    assert.throws(
      () => issueCertificate(request),
      withCode('INVALID_REQUEST'),
      JSON.stringify(change),
    );
  }
});

test('every truncation and an extension of a certificate is refused', () => {
  for (let length = 0; length < node.der.length; length += 1) {
    assert.throws(() => parseCertificate(node.der.subarray(0, length)), invalid);
  }
  assert.throws(() => parseCertificate(Buffer.concat([node.der, Buffer.of(0)])), invalid);
  assert.throws(() => parseCertificate(Buffer.alloc(70_000, 0x30)), invalid);
});

test('a flipped bit is refused or read, never another failure', () => {
  for (let bit = 0; bit < node.der.length * 8; bit += 1) {
    const der = Uint8Array.from(node.der);
    der[bit >> 3] = (der[bit >> 3] as number) ^ (1 << (bit & 7));
    try {
      parseCertificate(der);
      subjectOf(der);
    } catch (error) {
      assert.ok(invalid(error), `bit ${bit}: ${error}`);
    }
  }
});

test('encodings outside DER and RFC 5280 are refused', () => {
  const edits: Record<string, [string, string]> = {
    'version 2': ['a003020102', 'a003020101'],
    'a false-ish TRUE': ['0603551d130101ff', '0603551d13010101'],
    'an extension twice': ['0603551d0e', '0603551d23'],
    'a signature algorithm unlike the outer one': [
      '300a06082a8648ce3d04030230',
      '300a06082a8648ce3d04030330',
    ],
    'set bits in the padding of a bit string': ['03020780', '03020781'],
  };
  for (const [name, [from, to]] of Object.entries(edits)) {
    const party = name === 'a false-ish TRUE' ? root : node;
    assert.throws(
      () => parseCertificate(resign(party.der, party.key, (tbs) => patch(tbs, from, to))),
      (error) => invalid(error),
      name,
    );
  }
});

test('certificates travel as PEM, several in one text', () => {
  const text = `bundle\n${toPem(root.der)}between\n${toPem(node.der)}`;
  assert.deepEqual(fromPem(text).map(toHex), [toHex(root.der), toHex(node.der)]);
  assert.equal(toPem(root.der), new X509Certificate(root.der).toString());
  assert.deepEqual(fromPem(text.replaceAll('\n', '\r\n')).map(toHex)[1], toHex(node.der));
});

test('PEM that is cut, empty or not base64 is refused', () => {
  const pem = toPem(node.der);
  const bad = ['', 'text', pem.slice(0, -10), pem.replace('MII', 'M*I'), pem.replace('\n', '\n=')];
  for (const text of bad) assert.throws(() => fromPem(text), withCode('MALFORMED_PEM'));
});

test('fingerprint and actor identity are SHA-256 of the DER', () => {
  const native = new X509Certificate(root.der).fingerprint256.replaceAll(':', '').toLowerCase();
  assert.equal(certificateFingerprint(root.der), native);
  assert.equal(actorIdOf(root.der), native);
});

test('IP addresses are read in every form of RFC 4291, and nothing else', () => {
  const good: [string, string][] = [
    ['0.0.0.0', '00000000'],
    ['192.168.10.255', 'c0a80aff'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['1::', `0001${'00'.repeat(14)}`],
    ['2001:DB8::8:800:200c:417A', '20010db80000000000080800200c417a'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:129.144.52.38', `${'00'.repeat(10)}ffff81903426`],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
  ];
  for (const [text, bytes] of good) assert.equal(toHex(parseIpAddress(text)!), bytes, text);
  const bad = '|1.2.3|1.2.3.256|01.2.3.4|1.2.3.4.5|:|:::|1:2:3:4:5:6:7|1:2:3:4:5:6:7:8:9|1::2::3'
    .concat('|12345::|g::|1:2:3:4:5:6:7:8::|1.2.3.4::|::1.2.3.4:5|fe80::1%eth0| 1.2.3.4')
    .split('|');
  for (const text of bad) assert.equal(parseIpAddress(text), undefined, text);
});
