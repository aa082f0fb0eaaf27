import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  issueRevocationList,
  parseCertificate,
  parseRevocationList,
  revocationListFault,
  serialText,
} from '@concordat/crypto';
import { concatBytes } from '@concordat/std';
import { derInteger, derSequence, derTags, derValue } from '../der.ts';
import { encodeTime } from '../der-time.ts';
import { authority, endEntity } from './authorities.ts';
import { ecKey, extensionOf, type Forged, forgedAuthority, rsaKey, signedBy } from './forge.ts';

const at = Date.UTC(2026, 5, 1);
const later = Date.UTC(2026, 6, 1);
const aurora = authority('Aurora', 1);
const eve = endEntity('Eve', 2, aurora);
const issuer = { certificateDer: aurora.der, key: aurora.key };
const times = { thisUpdateMs: at, nextUpdateMs: later };
const serial = serialText(parseCertificate(eve.der).serial);

const root = forgedAuthority('Forged Root');
const small = (value: number): Uint8Array => derInteger(Uint8Array.of(value));
const numberOf = (value: number): Uint8Array => extensionOf('2.5.29.20', small(value));

/** A list of the forged root with whatever entries and extensions. */
function listOf(
  parts: {
    entries?: readonly Uint8Array[];
    extensions?: readonly Uint8Array[];
    version?: Uint8Array;
    next?: Uint8Array;
    by?: Forged;
  } = {},
): Uint8Array {
  const { entries = [], extensions = [numberOf(1)], by = root } = parts;
  const tbs = derSequence(
    parts.version ?? small(1),
    by.key.algorithm,
    by.subject,
    encodeTime(at),
    parts.next ?? encodeTime(later),
    ...(entries.length > 0 ? [derSequence(...entries)] : []),
    ...(extensions.length > 0 ? [derValue(0xa0, derSequence(...extensions))] : []),
  );
  return signedBy(tbs, by.key);
}

const entry = (number: Uint8Array, ...extensions: Uint8Array[]): Uint8Array =>
  derSequence(
    number,
    encodeTime(at),
    ...(extensions.length > 0 ? [derSequence(...extensions)] : []),
  );

const refused = (der: Uint8Array, code: string): void => {
  assert.throws(() => parseRevocationList(der), { code });
};

test('a list that was issued reads as it was meant, and is its authority’s', () => {
  const der = issueRevocationList({
    issuer,
    ...times,
    number: 300n,
    revoked: [
      { serial, atMs: at },
      { serial: 'ff'.repeat(20), atMs: at },
    ],
  });
  const list = parseRevocationList(der);
  assert.equal(list.number, 300n);
  assert.deepEqual([...list.revoked], [serial, 'ff'.repeat(20)]);
  assert.deepEqual([list.thisUpdateMs, list.nextUpdateMs], [at, later]);
  assert.equal(revocationListFault(list, parseCertificate(aurora.der)), undefined);
  const none = issueRevocationList({ issuer, ...times, number: 0n, revoked: [] });
  assert.equal(parseRevocationList(none).revoked.size, 0);
});

test('a list of another authority, a namesake included: WRONG_ISSUER', () => {
  const list = parseRevocationList(
    issueRevocationList({ issuer, ...times, number: 1n, revoked: [] }),
  );
  const other = authority('Borealis', 3);
  const namesake = authority('Aurora', 4);
  assert.equal(revocationListFault(list, parseCertificate(other.der)), 'WRONG_ISSUER');
  assert.equal(revocationListFault(list, parseCertificate(namesake.der)), 'WRONG_ISSUER');
});

test('a list with a bad signature: BAD_SIGNATURE', () => {
  const der = Buffer.from(listOf());
  const list = parseRevocationList(der);
  assert.equal(revocationListFault(list, parseCertificate(root.der)), undefined);
  const stranger = forgedAuthority('Forged Root');
  const foreign = parseRevocationList(listOf({ by: { ...stranger, subject: root.subject } }));
  assert.equal(revocationListFault(foreign, parseCertificate(root.der)), 'BAD_SIGNATURE');
});

test('a list signed by SHA-1: UNSUPPORTED_ALGORITHM; by RSA of 2,048 bits: accepted', () => {
  for (const [key, fault] of [
    [ecKey('prime256v1', 'sha1'), 'UNSUPPORTED_ALGORITHM'],
    [rsaKey(2048), undefined],
  ] as const) {
    const by = forgedAuthority('Other', { key });
    const list = parseRevocationList(listOf({ by }));
    assert.equal(revocationListFault(list, parseCertificate(by.der)), fault);
  }
});

test('a person, or an authority that may not sign lists, signs none: KEY_USAGE', () => {
  const usage = extensionOf('2.5.29.15', Uint8Array.of(3, 2, 2, 0x84), true);
  const basic = extensionOf(
    '2.5.29.19',
    derSequence(derValue(derTags.boolean, Uint8Array.of(255))),
    true,
  );
  for (const extensions of [[usage, basic], []]) {
    const by = forgedAuthority('Mute', { extensions });
    const list = parseRevocationList(listOf({ by }));
    assert.equal(revocationListFault(list, parseCertificate(by.der)), 'KEY_USAGE');
  }
});

test('delta, indirect and partial lists are refused by name', () => {
  const delta = extensionOf('2.5.29.27', small(1), true);
  const code = 'UNSUPPORTED_REVOCATION_LIST';
  refused(listOf({ extensions: [numberOf(2), delta] }), code);
  const point = (...flags: Uint8Array[]) => extensionOf('2.5.29.28', derSequence(...flags), true);
  const yes = (tag: number) => derValue(tag, Uint8Array.of(255));
  refused(listOf({ extensions: [numberOf(2), point(yes(0x84))] }), code);
  refused(listOf({ extensions: [numberOf(2), point(yes(0x81))] }), code);
  const named = extensionOf('2.5.29.29', derSequence(), true);
  refused(listOf({ entries: [entry(small(7), named)] }), code);
  const takenBack = extensionOf('2.5.29.21', derValue(derTags.enumerated, Uint8Array.of(8)));
  refused(listOf({ entries: [entry(small(7), takenBack)] }), code);
  const unknown = extensionOf('1.2.3.4', derSequence(), true);
  refused(listOf({ extensions: [numberOf(2), unknown] }), code);
  refused(listOf({ entries: [entry(small(7), unknown)] }), code);
  // Where it is published, and why someone is on it, change nothing.
  const why = extensionOf('2.5.29.21', derValue(derTags.enumerated, Uint8Array.of(6)));
  const where = point(derValue(0xa0, derValue(0xa0)));
  const fine = listOf({ extensions: [numberOf(2), where], entries: [entry(small(7), why)] });
  assert.deepEqual([...parseRevocationList(fine).revoked], ['07']);
});

test('a list that breaks the rules of its form is refused', () => {
  const code = 'INVALID_REVOCATION_LIST';
  refused(listOf({ extensions: [] }), code);
  refused(listOf({ extensions: [extensionOf('2.5.29.35', derSequence())] }), code);
  refused(listOf({ extensions: [numberOf(1), numberOf(1)] }), code);
  refused(listOf({ version: small(0) }), code);
  refused(listOf({ version: derInteger(Uint8Array.of(1, 0)) }), code);
  refused(listOf({ next: new Uint8Array(0) }), code);
  refused(listOf({ next: encodeTime(at - 1000) }), code);
  const negative = derValue(derTags.integer, Uint8Array.of(0x80));
  refused(listOf({ entries: [entry(negative)] }), code);
  const long = derInteger(new Uint8Array(21).fill(1));
  refused(listOf({ entries: [entry(long)] }), code);
  refused(listOf({ extensions: [extensionOf('2.5.29.20', long)] }), code);
  refused(listOf({ entries: [derSequence(small(7))] }), code);
  refused(aurora.der, code);
});

test('a list is bounded in bytes and in entries', () => {
  const code = 'INVALID_REVOCATION_LIST';
  const many = new Array<Uint8Array>(2_001).fill(entry(small(1)));
  assert.ok(listOf({ entries: many }).length < 65_536);
  refused(listOf({ entries: many }), code);
  assert.equal(parseRevocationList(listOf({ entries: many.slice(1) })).revoked.size, 1);
  const bulk = extensionOf('1.2.3.4', derValue(4, new Uint8Array(66_000)));
  refused(listOf({ extensions: [numberOf(1), bulk] }), code);
});

test('a list cut off, extended or with any bit turned is refused or not its authority’s', () => {
  const sound = listOf({ entries: [entry(small(7))] });
  const signer = parseCertificate(root.der);
  const isGood = (der: Uint8Array): boolean => {
    try {
      return revocationListFault(parseRevocationList(der), signer) === undefined;
    } catch (error) {
      assert.match((error as { code: string }).code, /_REVOCATION_LIST$/);
      return false;
    }
  };
  assert.ok(isGood(sound));
  for (let length = 0; length < sound.length; length += 1) {
    assert.ok(!isGood(sound.subarray(0, length)), `${length} bytes`);
  }
  assert.ok(!isGood(concatBytes(sound, Uint8Array.of(0))));
  for (let byte = 0; byte < sound.length; byte += 1) {
    const der = Uint8Array.from(sound);
    der[byte] = (der[byte] as number) ^ (1 << (byte & 7));
    assert.ok(!isGood(der), `byte ${byte}`);
  }
});

test('unlawful lists are not issued', () => {
  const ask = { issuer, ...times, number: 1n, revoked: [] };
  const code = 'INVALID_REQUEST';
  const entries = new Array(2_001).fill({ serial: '01', atMs: at });
  for (const change of [
    { number: -1n },
    { number: 1n << 159n },
    { nextUpdateMs: at - 1 },
    { thisUpdateMs: Number.NaN },
    { revoked: [{ serial: 'xyz', atMs: at }] },
    { revoked: [{ serial: '', atMs: at }] },
    { revoked: entries },
    { issuer: { certificateDer: eve.der, key: eve.key } },
    { issuer: { certificateDer: aurora.der, key: eve.key } },
  ]) {
    assert.throws(() => issueRevocationList({ ...ask, ...change }), { code });
  }
});
