import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSigningKey, issueCertificate, type SigningKey, toPem } from '@concordat/crypto';
import { actorForCertificate, parseConstitution } from '@concordat/governance';
import {
  actorArgs,
  genesisJson,
  noon,
  organisation,
  seed,
  validFromMs,
  validToMs,
} from './network.ts';

interface Issued {
  readonly key: SigningKey;
  readonly der: Uint8Array;
}

function issue(name: string, issuer: Issued, changes: object = {}): Issued {
  const key = createSigningKey(seed(70_000 + name.length * 100 + name.charCodeAt(0)));
  const der = issueCertificate({
    subject: { commonName: name },
    publicKeySpki: key.publicKeySpki,
    issuer: { key: issuer.key, certificateDer: issuer.der },
    serial: Uint8Array.of(3),
    notBeforeMs: validFromMs,
    notAfterMs: validToMs,
    isCa: false,
    usages: ['clientAuth'],
    ...changes,
  });
  return { key, der };
}

const authority = { isCa: true, usages: ['keyCertSign'] };
const ada = organisation('ada');
const constitution = parseConstitution(genesisJson(['ada', 'bob']));
const ask = (leaf: Uint8Array, intermediates: Uint8Array[] = [], atMs = noon * 1000) =>
  actorForCertificate(constitution, { leafDer: leaf, intermediates, atMs });

test("an actor's own certificate authenticates as it", () => {
  const answer = ask(ada.der);
  assert.ok(answer.ok);
  assert.equal(answer.actor.name, 'ada');
});

// Paper, Actors and Identity: "An intermediate certificate can be used to uniquely identify the
// organization and all users within it".
test('a certificate issued by the organisation, directly or not, authenticates as it', () => {
  const staff = issue('staff', ada);
  const direct = ask(staff.der);
  assert.ok(direct.ok && direct.actor.name === 'ada' && direct.chain.length === 2);
  const department = issue('department', ada, authority);
  const clerk = issue('clerk', department);
  const indirect = ask(clerk.der, [department.der]);
  assert.ok(indirect.ok && indirect.actor.name === 'ada' && indirect.chain.length === 3);
  assert.deepEqual(ask(clerk.der), { ok: false, code: 'UNKNOWN_ACTOR' });
});

// "different departments that are participating in different consortiums [...] can have different
// certificates".
test('of two actors in one chain the nearest is meant', () => {
  const department = issue('department', ada, authority);
  const entry = { kind: ['participant'], name: 'department', certificate: toPem(department.der) };
  const both = parseConstitution({ ...genesisJson(['ada']), actors: [actorArgs('ada'), entry] });
  const clerk = issue('clerk', department);
  const presented = { intermediates: [department.der], atMs: noon * 1000 };
  const answer = actorForCertificate(both, { leafDer: clerk.der, ...presented });
  assert.ok(answer.ok);
  assert.equal(answer.actor.name, 'department');
  const staff = actorForCertificate(both, { leafDer: issue('staff', ada).der, ...presented });
  assert.ok(staff.ok);
  assert.equal(staff.actor.name, 'ada');
});

test('strangers, expired, early and unsuitable certificates are told apart', () => {
  const code = (der: Uint8Array, atMs?: number) => {
    const answer = ask(der, [], atMs);
    return answer.ok ? 'ok' : answer.code;
  };
  assert.equal(code(organisation('mallory').der), 'UNKNOWN_ACTOR');
  const staff = issue('staff', ada);
  assert.equal(code(staff.der, validToMs + 1000), 'CLIENT_CERTIFICATE_EXPIRED');
  assert.equal(code(staff.der, validFromMs - 1000), 'CLIENT_CERTIFICATE_NOT_YET_VALID');
  const server = issue('server', ada, { usages: ['serverAuth'] });
  assert.equal(code(server.der), 'CLIENT_CERTIFICATE_INVALID');
  assert.equal(code(Uint8Array.of(1, 2, 3)), 'CLIENT_CERTIFICATE_INVALID');
  const staffIssued = issue('sub', issue('department', ada, authority));
  assert.equal(code(staffIssued.der), 'UNKNOWN_ACTOR');
});

test('a certificate longer than one of the membership list may be is refused', () => {
  const named = (count: number) => {
    const dns = Array.from({ length: count }, (_, at) => `${'n'.repeat(60)}${at}.example`);
    return issue('staff', ada, { subjectAltNames: { dns } }).der;
  };
  const [long, longer] = [named(150), named(250)];
  assert.ok(long.length < 12 * 1024 && longer.length > 12 * 1024);
  assert.ok(ask(long).ok);
  const [code, reason] = ['CLIENT_CERTIFICATE_INVALID', 'TOO_LARGE'];
  assert.deepEqual(ask(longer), { ok: false, code, reason });
});

test('a certificate that claims an organisation without its signature is nobody’s', () => {
  const fakeKey = createSigningKey(seed(4242));
  const fake = issueCertificate({
    subject: { commonName: 'ada' },
    publicKeySpki: fakeKey.publicKeySpki,
    issuer: { key: fakeKey },
    serial: Uint8Array.of(1),
    notBeforeMs: validFromMs,
    notAfterMs: validToMs,
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  const leaf = issue('staff', { key: fakeKey, der: fake });
  assert.equal(ask(fake).ok, false);
  assert.equal(ask(leaf.der, [fake]).ok, false);
});
