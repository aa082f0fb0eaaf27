import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ChainQuestion, verifyCertificateChain } from '@concordat/crypto';
import { concatBytes } from '@concordat/std';
import { derBitString, derInteger, derOid, derSequence, derTags, derValue } from '../der.ts';
import {
  alternativeNames,
  authorityExtensions,
  commonName,
  constraintsOf,
  ecKey,
  edKey,
  extensionOf,
  type Forged,
  forge,
  forgedAuthority,
  forgedStaff,
  general,
  rsaKey,
  staffExtensions,
} from './forge.ts';

const now = Date.UTC(2026, 5, 1);
const root = forgedAuthority('Aurora Root');
const issuing = forgedAuthority('Aurora Issuing', { issuer: root });
const eve = forgedStaff('Eve', issuing);

function judge(
  leaf: Uint8Array | Forged,
  between: readonly (Forged | Uint8Array)[] = [issuing],
  more: Partial<ChainQuestion> = {},
): string {
  const der = (one: Forged | Uint8Array): Uint8Array => ('der' in one ? one.der : one);
  const verdict = verifyCertificateChain({
    leaf: der(leaf),
    intermediates: between.map(der),
    roots: [root.der],
    atMs: now,
    usage: 'clientAuth',
    ...more,
  });
  return verdict.ok ? 'ok' : verdict.code;
}

const year = (y: number): number => Date.UTC(y, 0);
const utf8String = (bytes: Uint8Array): Uint8Array => derValue(derTags.utf8String, bytes);

test('what everything below departs from is accepted', () => {
  assert.equal(judge(eve), 'ok');
});

test('an authority that has expired: EXPIRED', () => {
  const old = forgedAuthority('Old', { issuer: root, fromMs: year(2024), untilMs: year(2026) });
  assert.equal(judge(forgedStaff('x', old), [old]), 'EXPIRED');
});

test('an authority and a person whose time is yet to come: NOT_YET_VALID', () => {
  const late = forgedAuthority('Late', { issuer: root, fromMs: year(2027), untilMs: year(2030) });
  assert.equal(judge(forgedStaff('x', late), [late]), 'NOT_YET_VALID');
  const early = forgedStaff('y', issuing, { fromMs: year(2027), untilMs: year(2028) });
  assert.equal(judge(early), 'NOT_YET_VALID');
});

test('a certificate for servers alone: KEY_USAGE', () => {
  const forServers = extensionOf('2.5.29.37', derSequence(derOid('1.3.6.1.5.5.7.3.1')));
  assert.equal(judge(forgedStaff('x', issuing, { extensions: [forServers] })), 'KEY_USAGE');
});

test('an authority for mail alone above a person for clients: KEY_USAGE', () => {
  const mail = extensionOf('2.5.29.37', derSequence(derOid('1.3.6.1.5.5.7.3.4')));
  const narrow = forgedAuthority('Mail', { issuer: root, extra: [mail] });
  assert.equal(judge(forgedStaff('x', narrow), [narrow]), 'KEY_USAGE');
});

test('a key for key agreement alone, at the leaf: KEY_USAGE', () => {
  const agrees = extensionOf('2.5.29.15', derBitString(Uint8Array.of(0x08), 3), true);
  assert.equal(judge(forgedStaff('x', issuing, { extensions: [agrees] })), 'KEY_USAGE');
});

test('an authority whose key may not sign certificates: KEY_USAGE', () => {
  const [basic] = authorityExtensions() as [Uint8Array];
  const usage = extensionOf('2.5.29.15', derBitString(Uint8Array.of(0x82), 1), true);
  const weak = forgedAuthority('Weak', { issuer: root, extensions: [basic, usage] });
  assert.equal(judge(forgedStaff('x', weak), [weak]), 'KEY_USAGE');
});

test('a person who issues certificates, CA:FALSE or silent about it: NOT_CA', () => {
  const saysNo = forgedStaff('Mallory', root, {
    extra: [extensionOf('2.5.29.19', derSequence(), true)],
  });
  assert.equal(judge(forgedStaff('x', saysNo), [saysNo]), 'NOT_CA');
  assert.equal(judge(forgedStaff('x', eve), [issuing, eve]), 'NOT_CA');
});

test('more authorities than the path length allows: PATH_LENGTH', () => {
  const last = forgedAuthority('Last', { issuer: root, extensions: authorityExtensions(0) });
  assert.equal(judge(forgedStaff('x', last), [last]), 'ok');
  const beyond = forgedAuthority('Beyond', { issuer: last });
  assert.equal(judge(forgedStaff('x', beyond), [last, beyond]), 'PATH_LENGTH');
});

test('a path length where there is no authority: MALFORMED', () => {
  const odd = extensionOf('2.5.29.19', derSequence(derInteger(Uint8Array.of(1))), true);
  assert.equal(judge(forgedStaff('x', issuing, { extra: [odd] })), 'MALFORMED');
});

test('a name outside the names its authority may certify: NAME_CONSTRAINTS', () => {
  const extra = [constraintsOf({ permitted: [general.dns('aurora.example')] })];
  const bound = forgedAuthority('Bound', { issuer: root, extra });
  const named = (name: string) =>
    forgedStaff('x', bound, { extra: [alternativeNames(general.dns(name))] });
  assert.equal(judge(named('desk.aurora.example'), [bound]), 'ok');
  assert.equal(judge(named('desk.borealis.example'), [bound]), 'NAME_CONSTRAINTS');
});

test('constraints on forms of names that nobody here judges: UNKNOWN_CRITICAL_EXTENSION', () => {
  const trees = { permitted: [general.principal('@aurora.example')] };
  const strict = forgedAuthority('Strict', { issuer: root, extra: [constraintsOf(trees)] });
  assert.equal(judge(forgedStaff('x', strict), [strict]), 'UNKNOWN_CRITICAL_EXTENSION');
  const lax = forgedAuthority('Lax', { issuer: root, extra: [constraintsOf(trees, false)] });
  assert.equal(judge(forgedStaff('x', lax), [lax]), 'ok');
});

test('a critical extension nobody here knows: UNKNOWN_CRITICAL_EXTENSION', () => {
  const value = derSequence();
  const [quiet, loud] = [false, true].map((critical) =>
    forgedStaff('x', issuing, { extra: [extensionOf('1.3.6.1.4.1.55555.7', value, critical)] }),
  ) as [Forged, Forged];
  assert.equal(judge(quiet), 'ok');
  assert.equal(judge(loud), 'UNKNOWN_CRITICAL_EXTENSION');
});

test('a stranger that signed itself: UNTRUSTED', () => {
  assert.equal(judge(forgedStaff('x', forgedAuthority('Stranger'))), 'UNTRUSTED');
  assert.equal(judge(forgedAuthority('Aurora Root')), 'BAD_SIGNATURE');
});

test('an issuer of another name than the one that signed: UNTRUSTED', () => {
  const elsewhere = forgedStaff('x', { ...issuing, subject: commonName('Aurora Issuinh') });
  assert.equal(judge(elsewhere), 'UNTRUSTED');
});

test('a signature with one bit turned: BAD_SIGNATURE', () => {
  const der = Uint8Array.from(eve.der);
  der[der.length - 1] = (der[der.length - 1] as number) ^ 1;
  assert.equal(judge(der), 'BAD_SIGNATURE');
});

test('a certificate cut off at any place: MALFORMED', () => {
  for (let length = 0; length < eve.der.length; length += 1) {
    assert.equal(judge(eve.der.subarray(0, length)), 'MALFORMED', `${length} bytes`);
  }
});

test('bytes after the end, outside and inside: MALFORMED', () => {
  assert.equal(judge(concatBytes(eve.der, Uint8Array.of(0))), 'MALFORMED');
  const padded = extensionOf(
    '2.5.29.37',
    concatBytes(derSequence(derOid('1.3.6.1.5.5.7.3.2')), Uint8Array.of(5, 0)),
  );
  assert.equal(judge(forgedStaff('x', issuing, { extensions: [padded] })), 'MALFORMED');
});

test('a serial number that is negative, or longer than 20 bytes: MALFORMED', () => {
  const withSerial = (...bytes: number[]) =>
    judge(forgedStaff('x', issuing, { serial: derValue(derTags.integer, Uint8Array.from(bytes)) }));
  assert.equal(withSerial(...new Array<number>(20).fill(0x7f)), 'ok');
  assert.equal(withSerial(0x80), 'MALFORMED');
  assert.equal(withSerial(...new Array<number>(21).fill(0x7f)), 'MALFORMED');
  assert.equal(withSerial(0, 1), 'MALFORMED');
  assert.equal(withSerial(), 'MALFORMED');
});

test('an extension that stands twice: MALFORMED', () => {
  const twice = [...staffExtensions(), ...staffExtensions().slice(1)];
  assert.equal(judge(forgedStaff('x', issuing, { extensions: twice })), 'MALFORMED');
});

test('a signature over SHA-1, of either kind of key: UNSUPPORTED_ALGORITHM', () => {
  for (const key of [ecKey('prime256v1', 'sha1'), rsaKey(2048, 'sha1')]) {
    const old = forgedAuthority('Old', { issuer: root, key });
    assert.equal(judge(forgedStaff('x', old), [old]), 'UNSUPPORTED_ALGORITHM');
  }
});

test('RSA of 1,024 bits, as authority and as leaf: UNSUPPORTED_ALGORITHM', () => {
  const small = rsaKey(1024);
  const weak = forgedAuthority('Weak', { issuer: root, key: small });
  assert.equal(judge(forgedStaff('x', weak), [weak]), 'UNSUPPORTED_ALGORITHM');
  assert.equal(judge(forgedStaff('x', issuing, { key: small })), 'UNSUPPORTED_ALGORITHM');
  const strong = forgedAuthority('Strong', { issuer: root, key: rsaKey(2048) });
  assert.equal(judge(forgedStaff('x', strong, { key: edKey() }), [strong]), 'ok');
});

test('a key on a curve of another trade, as authority and as leaf: UNSUPPORTED_ALGORITHM', () => {
  const coin = ecKey('secp256k1');
  const other = forgedAuthority('Coin', { issuer: root, key: coin });
  assert.equal(judge(forgedStaff('x', other), [other]), 'UNSUPPORTED_ALGORITHM');
  assert.equal(judge(forgedStaff('x', issuing, { key: coin })), 'UNSUPPORTED_ALGORITHM');
});

test('a key that is no key: UNSUPPORTED_ALGORITHM', () => {
  const spki = Uint8Array.from(ecKey().spki);
  spki.fill(0xee, 27);
  assert.equal(
    judge(forgedStaff('x', issuing, { key: { ...ecKey(), spki } })),
    'UNSUPPORTED_ALGORITHM',
  );
});

test('two algorithms for one signature: MALFORMED', () => {
  const innerAlgorithm = rsaKey(2048).algorithm;
  assert.equal(judge(forgedStaff('x', issuing, { innerAlgorithm })), 'MALFORMED');
});

test('authorities in a circle, and one that certifies itself: UNTRUSTED', () => {
  const a = forgedAuthority('A');
  const b = forgedAuthority('B', { issuer: a });
  const again = forge({ ...a, issuer: b, extensions: authorityExtensions() });
  assert.equal(judge(forgedStaff('x', b), [b, again]), 'UNTRUSTED');
  assert.equal(judge(forgedStaff('x', a), [a, a]), 'UNTRUSTED');
});

test('a chain of more than eight certificates: UNTRUSTED; of exactly eight: accepted', () => {
  const chain = [root];
  while (chain.length < 8) {
    chain.push(forgedAuthority(`L${chain.length}`, { issuer: chain.at(-1) as Forged }));
  }
  assert.equal(judge(forgedStaff('x', chain[6] as Forged), chain), 'ok');
  assert.equal(judge(forgedStaff('x', chain[7] as Forged), chain), 'UNTRUSTED');
});

test('a certificate of more than 64 KiB: MALFORMED', () => {
  const bulk = extensionOf('1.3.6.1.4.1.55555.8', derSequence(derValue(4, new Uint8Array(66_000))));
  assert.equal(judge(forgedStaff('x', issuing, { extra: [bulk] })), 'MALFORMED');
});

test('a NUL in a name that constraints look at, or among alternative names: refused', () => {
  const nul = utf8String(Uint8Array.of(0x65, 0, 0x76));
  const permitted = [general.directory(commonName('Eve'))];
  const bound = forgedAuthority('B', { issuer: root, extra: [constraintsOf({ permitted })] });
  const hidden = forgedStaff('x', bound, { subject: commonName(nul) });
  assert.equal(judge(hidden, [bound]), 'MALFORMED');
  const names = alternativeNames(general.dns('aurora.example\0.evil.example'));
  assert.equal(judge(forgedStaff('x', issuing, { extra: [names] })), 'MALFORMED');
});

test('a certificate of version 1, 2 or one that does not exist: MALFORMED', () => {
  const version = (...bytes: number[]) =>
    derValue(0xa0, derValue(derTags.integer, Uint8Array.from(bytes)));
  for (const field of [new Uint8Array(0), version(1), version(3), version(2, 0)]) {
    assert.equal(judge(forgedStaff('x', issuing, { version: field })), 'MALFORMED');
  }
});

test('a revoked person, and everyone below a revoked authority: REVOKED', () => {
  const revoke =
    (of: Forged): NonNullable<ChainQuestion['revocation']> =>
    ({ der }) =>
      Buffer.compare(der, of.der) === 0 ? 'REVOKED' : undefined;
  assert.equal(judge(eve, [issuing], { revocation: revoke(eve) }), 'REVOKED');
  assert.equal(judge(eve, [issuing], { revocation: revoke(issuing) }), 'REVOKED');
  assert.equal(judge(forgedStaff('x', issuing), [issuing], { revocation: revoke(eve) }), 'ok');
});
