import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ChainQuestion, toPem, verifyCertificateChain } from '@concordat/crypto';
import { toHex, utf8 } from '@concordat/std';
import { authority, endEntity, keyOf, now, type Party, patch, resign } from './authorities.ts';

const root = authority('Root', 1);
const middle = authority('Middle', 2, root);
const leaf = endEntity('Leaf', 3, middle);

function judge(
  of: Uint8Array,
  intermediates: readonly Party[],
  roots: readonly Party[],
  more: Partial<ChainQuestion> = {},
): string {
  const verdict = verifyCertificateChain({
    leaf: of,
    intermediates: intermediates.map(({ der }) => der),
    roots: roots.map(({ der }) => der),
    atMs: now,
    usage: 'clientAuth',
    ...more,
  });
  return verdict.ok ? `ok ${verdict.chain.length}` : verdict.code;
}

test('a chain through intermediates in any order ends at a root', () => {
  const low = authority('Low', 4, middle);
  const deep = endEntity('Deep', 5, low);
  assert.equal(judge(leaf.der, [middle], [root]), 'ok 3');
  assert.equal(judge(deep.der, [low, middle], [root]), 'ok 4');
  assert.equal(judge(deep.der, [middle, low], [authority('Other', 9), root]), 'ok 4');
  const verdict = verifyCertificateChain({
    leaf: leaf.der,
    intermediates: [middle.der],
    roots: [root.der],
    atMs: now,
    usage: 'serverAuth',
  });
  assert.ok(verdict.ok);
  assert.deepEqual(
    verdict.chain.map(toHex),
    [leaf, middle, root].map(({ der }) => toHex(der)),
  );
});

test('an intermediate authority can itself be a root', () => {
  assert.equal(judge(leaf.der, [], [middle]), 'ok 2');
});

test('a certificate equal to a root is its own chain, authority or not', () => {
  assert.equal(judge(root.der, [], [root]), 'ok 1');
  const alone = endEntity('Alone', 6);
  assert.equal(judge(alone.der, [], [alone]), 'ok 1');
  assert.equal(judge(alone.der, [], [alone], { atMs: Date.UTC(2030, 0) }), 'EXPIRED');
  assert.equal(judge(alone.der, [], [root]), 'UNTRUSTED');
});

test('another certificate on the same key and name is not the root', () => {
  const alone = endEntity('Alone', 6);
  const twin = endEntity('Alone', 6);
  assert.equal(judge(twin.der, [], [alone]), 'NOT_CA');
});

test('without the root, or without a link, nothing is trusted', () => {
  assert.equal(judge(leaf.der, [middle], []), 'UNTRUSTED');
  assert.equal(judge(leaf.der, [], [root]), 'UNTRUSTED');
  assert.equal(judge(leaf.der, [middle, root], [authority('Other', 9)]), 'UNTRUSTED');
});

test('a namesake with another key did not sign', () => {
  assert.equal(judge(leaf.der, [authority('Middle', 7, root)], [root]), 'UNTRUSTED');
  // The same without key identifiers to tell them apart.
  const anonymous = resign(leaf.der, middle.key, (tbs) => {
    patch(tbs, '0603551d23', '0603551d63');
  });
  assert.equal(judge(anonymous, [middle], [root]), 'ok 3');
  assert.equal(judge(anonymous, [authority('Middle', 7, root)], [root]), 'BAD_SIGNATURE');
});

test('every certificate of the chain must be valid at the instant, its bounds included', () => {
  const year = (y: number): number => Date.UTC(y, 0);
  const until = (y: number): { notAfterMs: number } => ({ notAfterMs: year(y) });
  const from = (y: number): { notBeforeMs: number } => ({ notBeforeMs: year(y) });
  const long = authority('Long', 1, undefined, until(2040));
  const brief = authority('Brief', 2, long, until(2028));
  const late = authority('Late', 2, long, { ...from(2030), ...until(2040) });
  const under = (above: Party): Uint8Array => endEntity('x', 3, above, until(2040)).der;
  assert.equal(judge(under(brief), [brief], [long]), 'ok 3');
  assert.equal(judge(under(brief), [brief], [long], { atMs: year(2029) }), 'EXPIRED');
  assert.equal(judge(under(late), [late], [long], { atMs: year(2029) }), 'NOT_YET_VALID');
  assert.equal(judge(under(long), [], [long], { atMs: year(2041) }), 'EXPIRED');
  const short = endEntity('y', 3, long, { ...from(2027), ...until(2028) }).der;
  assert.equal(judge(short, [], [long], { atMs: year(2027) - 1 }), 'NOT_YET_VALID');
  assert.equal(judge(short, [], [long], { atMs: year(2027) }), 'ok 2');
  assert.equal(judge(short, [], [long], { atMs: year(2028) + 999 }), 'ok 2');
  assert.equal(judge(short, [], [long], { atMs: year(2028) + 1000 }), 'EXPIRED');
  assert.equal(judge(short, [], [long], { atMs: Number.NaN }), 'EXPIRED');
});

test('an expired root is refused even for a valid leaf', () => {
  const old = authority('Old', 1, undefined, { notAfterMs: Date.UTC(2026, 3) });
  const young = endEntity('Young', 3, old);
  assert.equal(judge(young.der, [], [old]), 'EXPIRED');
});

test('what is not an authority cannot issue', () => {
  const impostor = endEntity('Middle', 2, root);
  assert.equal(judge(leaf.der, [impostor], [root]), 'NOT_CA');
});

test('an authority without the right to sign certificates cannot issue', () => {
  const der = resign(middle.der, root.key, (tbs) => patch(tbs, '03020186', '03020182'));
  assert.equal(judge(leaf.der, [{ ...middle, der }], [root]), 'KEY_USAGE');
});

test('path lengths bound how many authorities follow', () => {
  const tight = authority('Root', 1, undefined, { pathLength: 0 });
  assert.equal(judge(endEntity('x', 3, tight).der, [], [tight]), 'ok 2');
  assert.equal(judge(leaf.der, [middle], [tight]), 'PATH_LENGTH');
  const one = authority('Root', 1, undefined, { pathLength: 1 });
  assert.equal(judge(leaf.der, [middle], [one]), 'ok 3');
  const low = authority('Low', 4, middle);
  assert.equal(judge(endEntity('x', 5, low).der, [middle, low], [one]), 'PATH_LENGTH');
});

test('purposes of leaf and authorities must include the one asked for', () => {
  const client = endEntity('c', 3, middle, { usages: ['clientAuth'] }).der;
  assert.equal(judge(client, [middle], [root]), 'ok 3');
  assert.equal(judge(client, [middle], [root], { usage: 'serverAuth' }), 'KEY_USAGE');
  const any = endEntity('a', 3, middle, { usages: [] }).der;
  assert.equal(judge(any, [middle], [root], { usage: 'serverAuth' }), 'ok 3');
  const clients = authority('Clients', 4, root, { usages: ['clientAuth', 'keyCertSign'] });
  const below = endEntity('b', 5, clients).der;
  assert.equal(judge(below, [clients], [root]), 'ok 3');
  assert.equal(judge(below, [clients], [root], { usage: 'serverAuth' }), 'KEY_USAGE');
});

test('a leaf whose key may not sign is refused', () => {
  const der = resign(leaf.der, middle.key, (tbs) => patch(tbs, '03020780', '03020520'));
  assert.equal(judge(der, [middle], [root]), 'KEY_USAGE');
});

test('a critical extension nobody here understands is refused wherever it stands', () => {
  const strange = (party: Party, key = party.key): Uint8Array =>
    resign(party.der, key, (tbs) => patch(tbs, '0603551d0f0101ff', '0603551d240101ff'));
  assert.equal(judge(strange(leaf, middle.key), [middle], [root]), 'UNKNOWN_CRITICAL_EXTENSION');
  const der = strange(middle, root.key);
  assert.equal(judge(leaf.der, [{ ...middle, der }], [root]), 'UNKNOWN_CRITICAL_EXTENSION');
});

test('no flipped bit of a leaf or intermediate keeps the chain', () => {
  for (const place of ['leaf', 'middle'] as const) {
    const whole = place === 'leaf' ? leaf.der : middle.der;
    for (let byte = 0; byte < whole.length; byte += 1) {
      const der = Uint8Array.from(whole);
      der[byte] = (der[byte] as number) ^ (1 << (byte & 7));
      const [one, two] = place === 'leaf' ? [der, middle] : [leaf.der, { ...middle, der }];
      assert.doesNotMatch(judge(one, [two], [root]), /^ok/, `${place}, byte ${byte}`);
    }
  }
});

test('bytes that are no certificate are MALFORMED in every place', () => {
  const junk = { key: root.key, der: utf8('junk') };
  assert.equal(judge(junk.der, [middle], [root]), 'MALFORMED');
  assert.equal(judge(leaf.der, [junk, middle], [root]), 'MALFORMED');
  assert.equal(judge(leaf.der, [middle], [junk]), 'MALFORMED');
  assert.equal(judge(utf8(toPem(leaf.der)), [middle], [root]), 'MALFORMED');
  const many = Array.from({ length: 17 }, () => middle);
  assert.equal(judge(leaf.der, many, [root]), 'MALFORMED');
});

test('authorities that certify each other end the search', () => {
  const [a, b] = [authority('A', 10), authority('B', 11)];
  const [ab, ba] = [authority('A', 10, b), authority('B', 11, a)];
  assert.equal(judge(endEntity('x', 3, a).der, [ab, ba, a, b], [root]), 'UNTRUSTED');
});

test('a maze of namesakes that certify each other is left soon', { timeout: 10_000 }, () => {
  const twins = Array.from({ length: 16 }, () => authority('T', 12, undefined));
  const bottom = endEntity('x', 3, twins[0]);
  assert.equal(judge(bottom.der, twins, [root]), 'UNTRUSTED');
});

test('a second root of the same name is found behind an expired one', () => {
  const old = authority('Root', 1, undefined, { notAfterMs: Date.UTC(2026, 3) });
  assert.equal(judge(leaf.der, [middle], [old, root]), 'ok 3');
  assert.equal(judge(leaf.der, [middle], [old]), 'EXPIRED');
});

test('a chain longer than eight certificates is not followed', () => {
  let above = root;
  const between: Party[] = [];
  for (let i = 0; i < 7; i += 1) {
    above = authority(`L${i}`, 20 + i, above);
    between.push(above);
  }
  assert.equal(judge(endEntity('x', 3, between[5]).der, between, [root]), 'ok 8');
  assert.equal(judge(endEntity('x', 3, between[6]).der, between, [root]), 'UNTRUSTED');
});

test("a leaf signed by itself under an authority's name is refused", () => {
  const forged = resign(leaf.der, keyOf(3), () => {});
  assert.equal(judge(forged, [middle], [root]), 'BAD_SIGNATURE');
});
