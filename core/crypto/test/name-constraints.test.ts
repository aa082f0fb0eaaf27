import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCertificate } from '@concordat/crypto';
import { derSequence, derTags, derValue } from '../der.ts';
import { comparableName } from '../distinguished-name.ts';
import { allowsNames } from '../name-constraints.ts';
import {
  alternativeNames,
  constraintsOf,
  extensionOf,
  forgedAuthority,
  forgedStaff,
  general,
  nameOf,
} from './forge.ts';

const root = forgedAuthority('Root');
const { dns, email, uri, ip, directory } = general;

type Trees = Parameters<typeof constraintsOf>[0];

function boundsOf(trees: Trees) {
  const authority = forgedAuthority('Bound', { issuer: root, extra: [constraintsOf(trees)] });
  const { nameConstraints } = parseCertificate(authority.der);
  assert.ok(nameConstraints);
  return nameConstraints;
}

/** Whether a person of these alternative names may be certified under the trees. */
function allowed(trees: Trees, ...names: Uint8Array[]): boolean {
  const extra = names.length > 0 ? [alternativeNames(...names)] : [];
  return allowsNames(boundsOf(trees), parseCertificate(forgedStaff('Eve', root, { extra }).der));
}

const country = '2.5.4.6';
const organization = '2.5.4.10';
const common = '2.5.4.3';
const mail = '1.2.840.113549.1.9.1';

test('DNS names: the host itself and all below it; with a dot before, only those below', () => {
  const permitted = [dns('aurora.example')];
  assert.ok(allowed({ permitted }, dns('aurora.example')));
  assert.ok(allowed({ permitted }, dns('A.B.Aurora.Example')));
  assert.ok(!allowed({ permitted }, dns('notaurora.example')));
  assert.ok(!allowed({ permitted }, dns('aurora.example'), dns('evil.example')));
  assert.ok(allowed({ permitted: [dns('')] }, dns('anything')));
  const below = [dns('.aurora.example')];
  assert.ok(allowed({ permitted: below }, dns('x.aurora.example')));
  assert.ok(!allowed({ permitted: below }, dns('aurora.example')));
});

test('what is excluded is excluded though it is permitted, also inside a wildcard', () => {
  const trees = { permitted: [dns('aurora.example')], excluded: [dns('vault.aurora.example')] };
  assert.ok(allowed(trees, dns('desk.aurora.example')));
  assert.ok(!allowed(trees, dns('vault.aurora.example')));
  assert.ok(!allowed(trees, dns('a.vault.aurora.example')));
  assert.ok(!allowed(trees, dns('*.aurora.example')));
  assert.ok(allowed(trees, dns('*.desk.aurora.example')));
});

test('forms without constraints are free', () => {
  assert.ok(allowed({ permitted: [dns('aurora.example')] }, email('eve@evil.example')));
  assert.ok(allowed({ permitted: [dns('aurora.example')] }));
});

test('mail: one mailbox, one host, or hosts below a domain', () => {
  const one = { permitted: [email('Eve@aurora.example')] };
  assert.ok(allowed(one, email('Eve@AURORA.example')));
  assert.ok(!allowed(one, email('eve@aurora.example')));
  const host = { permitted: [email('aurora.example')] };
  assert.ok(allowed(host, email('anyone@Aurora.Example')));
  assert.ok(!allowed(host, email('anyone@sub.aurora.example')));
  const domain = { permitted: [email('.aurora.example')] };
  assert.ok(allowed(domain, email('anyone@sub.aurora.example')));
  assert.ok(!allowed(domain, email('anyone@aurora.example')));
});

test('a mail address in the subject counts where no alternative name is one', () => {
  const bounds = boundsOf({ permitted: [email('aurora.example')] });
  const ia5 = derValue(derTags.ia5String, Buffer.from('eve@evil.example'));
  const subject = nameOf([common, 'Eve'], [mail, ia5]);
  const bare = forgedStaff('', root, { subject });
  assert.equal(allowsNames(bounds, parseCertificate(bare.der)), false);
  const extra = [alternativeNames(email('eve@aurora.example'))];
  const both = forgedStaff('', root, { subject, extra });
  assert.equal(allowsNames(bounds, parseCertificate(both.der)), true);
});

test('URIs: by host; one without a host that is a name is refused', () => {
  const trees = { permitted: [uri('aurora.example')] };
  assert.ok(allowed(trees, uri('https://user@Aurora.example:8443/a?b#c')));
  assert.ok(!allowed(trees, uri('https://x.aurora.example/')));
  assert.ok(allowed({ permitted: [uri('.aurora.example')] }, uri('spiffe://x.aurora.example/a')));
  for (const odd of ['urn:uuid:1', 'https://10.0.0.1/', 'https://[::1]/', 'mailto:a@b', '']) {
    assert.ok(!allowed(trees, uri(odd)), odd);
    assert.ok(!allowed({ excluded: [uri('evil.example')] }, uri(odd)), odd);
  }
  assert.ok(!allowed(trees, uri('https://aurora.example@evil.example/')));
});

test('IP addresses: by network and mask, each family for itself', () => {
  const trees = { permitted: [ip(10, 1, 0, 0, 255, 255, 0, 0)] };
  assert.ok(allowed(trees, ip(10, 1, 200, 3)));
  assert.ok(!allowed(trees, ip(10, 2, 0, 1)));
  assert.ok(!allowed(trees, ip(...new Array<number>(16).fill(0))));
});

test('directory names: the subject lies below the tree, whatever case, spaces and string type', () => {
  const printable = (text: string) => derValue(derTags.printableString, Buffer.from(text));
  const tree = nameOf([country, printable('DE')], [organization, 'Aurora  Bank']);
  const bounds = boundsOf({ permitted: [directory(tree)] });
  const judge = (...parts: [string, string][]) =>
    allowsNames(bounds, parseCertificate(forgedStaff('', root, { subject: nameOf(...parts) }).der));
  assert.ok(judge([country, 'de'], [organization, ' aurora bank'], [common, 'Eve']));
  assert.ok(!judge([organization, 'Aurora Bank'], [country, 'DE']));
  assert.ok(!judge([country, 'DE'], [organization, 'Aurora Bank 2'], [common, 'Eve']));
  assert.ok(!judge([country, 'DE']));
  const extra = [alternativeNames(directory(nameOf([country, 'FR'])))];
  const subject = nameOf([country, 'DE'], [organization, 'Aurora Bank']);
  const other = forgedStaff('', root, { subject, extra });
  assert.equal(allowsNames(bounds, parseCertificate(other.der)), false);
});

test('no text of one attribute reads as two', () => {
  const one = comparableName(nameOf([common, "a'+2.5.4.10='b"]));
  const two = derSequence(
    derValue(
      derTags.set,
      ...[
        [common, 'a'],
        [organization, 'b'],
      ].map(([oid, text]) => nameOf([oid as string, text as string]).subarray(4)),
    ),
  );
  assert.notDeepEqual(one, comparableName(two));
});

test('constraints that break the rules of their form are refused', () => {
  const read = (value: Uint8Array) =>
    parseCertificate(forgedAuthority('x', { extra: [extensionOf('2.5.29.30', value, true)] }).der);
  const tree = (...of: Uint8Array[]) => derSequence(...of);
  const bad = [
    derSequence(),
    derSequence(derValue(0xa0)),
    derSequence(derValue(0xa0, tree(ip(10, 0, 0, 1)))),
    derSequence(derValue(0xa0, tree(derValue(0x99, Uint8Array.of(1))))),
    derSequence(derValue(0xa1, tree(dns('a'))), derValue(0xa0, tree(dns('a')))),
    derSequence(derValue(0xa0, tree(dns('a'), derValue(0x82, Uint8Array.of(1))))),
    derSequence(derValue(0xa0, ...new Array<Uint8Array>(300).fill(tree(dns('a'))))),
  ];
  for (const value of bad) assert.throws(() => read(value), { code: 'INVALID_CERTIFICATE' });
  const bounded = derSequence(derValue(0xa0, tree(dns('a'), derValue(0x80, Uint8Array.of(1)))));
  assert.deepEqual(read(bounded).unknownCritical, ['2.5.29.30']);
});

test('names are bounded, so that comparing them all with all constraints stays quick', () => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => dns(`h${n}.example`));
  const bounds = boundsOf({ excluded: many(256).map((_, n) => dns(`x${n}.evil.example`)) });
  const under = (names: Uint8Array[]) =>
    parseCertificate(forgedStaff('x', root, { extra: [alternativeNames(...names)] }).der);
  const startedMs = performance.now();
  assert.ok(allowsNames(bounds, under(many(1_024))));
  assert.ok(performance.now() - startedMs < 5_000);
  assert.throws(() => under(many(1_025)), { code: 'INVALID_CERTIFICATE' });
});
