import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeIdentity } from '@concordat/bridge';
import {
  createSigningKey,
  issueCertificate,
  issueRevocationList,
  parseCertificate,
  serialText,
} from '@concordat/crypto';
import { type Constitution, issuerIdOf, parseConstitution } from '@concordat/governance';
import { toBase64 } from '@concordat/std';
import { judgeAdministrativeClient } from '../administrative-client.ts';
import { acceptsAnonymous, judgeApplicationClient } from '../anonymous-client.ts';
import { type ClientIdentity, judgeCertificate } from '../client-identity.ts';
import { mayBeForwarded } from '../forwarded-identity.ts';
import { IdentityWatch } from '../identity-watch.ts';

const now = Date.UTC(2026, 5, 1);
const day = 86_400_000;

interface Party {
  readonly key: ReturnType<typeof createSigningKey>;
  readonly der: Uint8Array;
}

let count = 0;

function certified(name: string, issuer?: Party, more: object = {}): Party {
  count += 1;
  const key = createSigningKey(new Uint8Array(32).fill(count));
  const der = issueCertificate({
    subject: { commonName: name },
    publicKeySpki: key.publicKeySpki,
    issuer: issuer ? { key: issuer.key, certificateDer: issuer.der } : { key },
    serial: Uint8Array.of(count),
    notBeforeMs: now - day,
    notAfterMs: now + 100 * day,
    isCa: issuer === undefined,
    usages: issuer === undefined ? ['keyCertSign', 'clientAuth'] : ['clientAuth'],
    ...more,
  });
  return { key, der };
}

const pemOf = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${toBase64(der)}\n-----END CERTIFICATE-----\n`;

const [aurora, borealis] = [certified('aurora'), certified('borealis')];
const desk = certified('desk', aurora, { isCa: true, usages: ['keyCertSign'] });
const eve = certified('Eve', aurora, {
  subject: { commonName: 'Eve', organizationalUnits: ['role:auditor', 'Trading', 'role:judge'] },
});
const finn = certified('Finn', desk);

const entry = (name: string, { der }: Party, roles: string[] = []) => ({
  kind: ['member', 'participant'],
  name,
  certificate: pemOf(der),
  roles,
});

function constitutionOf(changes: object = {}): Constitution {
  return parseConstitution({
    version: 1,
    name: 'Test',
    actors: [entry('aurora', aurora, ['auditor', 'clerk']), entry('borealis', borealis)],
    codeManifest: [{ measurement: 'aa'.repeat(32), role: 'manager', name: 'm', version: '1' }],
    teeManifest: [{ platform: 'virtual', rank: 0 }],
    votingPolicies: { default: { kind: 'majority' } },
    ...changes,
  });
}

function listOf(by: Party, revoked: readonly Party[], number = 1n, nextUpdateMs = now + day) {
  const der = issueRevocationList({
    issuer: { key: by.key, certificateDer: by.der },
    number,
    thisUpdateMs: now,
    nextUpdateMs,
    revoked: revoked.map((one) => ({
      serial: serialText(parseCertificate(one.der).serial),
      atMs: now,
    })),
  });
  return {
    issuer: issuerIdOf(parseCertificate(by.der)),
    actorId: '11'.repeat(32),
    authority: 'x',
    number: String(number),
    thisUpdateMs: now,
    nextUpdateMs,
    revoked: revoked.length,
    list: toBase64(der),
  };
}

const first = constitutionOf();

function identityOf(of: Party, between: readonly Party[] = []): ClientIdentity {
  const intermediates = between.map(({ der }) => der);
  const verdict = judgeCertificate(first, { leafDer: of.der, intermediates, atMs: now });
  assert.ok(verdict.ok);
  return verdict.identity;
}

/** A watch over connections of these identities, and whose were cut. */
function watched(...identities: ClientIdentity[]) {
  const state = { constitution: first, nowMs: now };
  const cut: ClientIdentity[] = [];
  const logged: string[] = [];
  const watch = new IdentityWatch({
    constitution: () => state.constitution,
    cutOff: (gone) => {
      for (const identity of identities) if (gone(identity)) cut.push(identity);
    },
    log: (event, fields) => logged.push(`${event} ${fields.number}`),
    nowMs: () => state.nowMs,
  });
  watch.start();
  watch.stop();
  const turn = (constitution: Constitution): void => {
    state.constitution = constitution;
    watch.constitutionChanged();
  };
  return { state, cut, logged, watch, turn };
}

test('an identity record says who of the organisation it is, with the roles its certificate names', () => {
  const record = decodeIdentity(identityOf(eve).record);
  assert.deepEqual([record.name, record.subject, record.isStaff], ['aurora', 'Eve', true]);
  assert.equal(record.serial, serialText(parseCertificate(eve.der).serial));
  // A role the constitution does not give the organisation is nobody's to share out.
  assert.deepEqual(record.roles, ['auditor']);
  const own = decodeIdentity(identityOf(aurora).record);
  assert.deepEqual([own.roles, own.isStaff], [['auditor', 'clerk'], false]);
  assert.deepEqual(decodeIdentity(identityOf(finn, [desk]).record).roles, []);
  const all = certified('Gwen', aurora, {
    subject: { commonName: 'Gwen', organizationalUnits: ['role:*'] },
  });
  assert.deepEqual(decodeIdentity(identityOf(all).record).roles, ['auditor', 'clerk']);
  const plain = certified('Hal', aurora, {
    subject: { commonName: 'Hal', organizationalUnits: ['clerk'] },
  });
  assert.deepEqual(decodeIdentity(identityOf(plain).record).roles, ['clerk']);
});

test('who is revoked is cut off by the vote, directly and below a revoked authority; others stay', () => {
  const [e, f, a, b] = [
    identityOf(eve),
    identityOf(finn, [desk]),
    identityOf(aurora),
    identityOf(borealis),
  ];
  const world = watched(e, f, a, b);
  world.turn(constitutionOf({ revocationLists: [listOf(aurora, [eve])] }));
  assert.deepEqual(world.cut, [e]);
  world.turn(constitutionOf({ revocationLists: [listOf(aurora, [desk], 2n)] }));
  assert.deepEqual(world.cut, [e, f]);
});

test('who is removed, retired or has other roles now is cut off; a vote about other things cuts nobody', () => {
  const [e, a, b] = [identityOf(eve), identityOf(aurora), identityOf(borealis)];
  const world = watched(e, a, b);
  world.turn(constitutionOf({ policies: { maxBatchDelayMs: 9 } }));
  assert.deepEqual(world.cut, []);
  const less = [entry('aurora', aurora, ['clerk']), entry('borealis', borealis)];
  world.turn(constitutionOf({ actors: less }));
  assert.deepEqual(world.cut, [e, a]);
  const gone = watched(e, a, b);
  gone.turn(constitutionOf({ actors: [entry('aurora', aurora, ['auditor', 'clerk'])] }));
  assert.deepEqual(gone.cut, [b]);
  const later = certified('aurora');
  const renewed = { ...entry('aurora', later, ['auditor', 'clerk']), actorId: a.actorId };
  const retired = watched(e, a, b);
  retired.turn(
    constitutionOf({ actors: [{ ...renewed, revision: 2 }, entry('borealis', borealis)] }),
  );
  assert.deepEqual(retired.cut, [e, a]);
  const both = watched(e, a, b);
  const earlier = [{ certificate: pemOf(aurora.der) }];
  both.turn(
    constitutionOf({ actors: [{ ...renewed, earlier, revision: 1 }, entry('borealis', borealis)] }),
  );
  assert.deepEqual(both.cut, []);
});

test('whose department becomes an actor of its own is somebody else now, and cut off', () => {
  const [e, f, b] = [identityOf(eve), identityOf(finn, [desk]), identityOf(borealis)];
  const world = watched(e, f, b);
  const before = first.actors.map(({ kind, name, certificate, roles }) => {
    return { kind, name, certificate, roles };
  });
  world.turn(constitutionOf({ actors: [...before, entry('desk', desk)] }));
  assert.deepEqual(world.cut, [f]);
});

test('a vote that concerns few judges few, however many are connected', () => {
  const crowd = Array.from({ length: 200 }, () => identityOf(eve)).map((identity, n) => ({
    ...identity,
    record: Buffer.concat([identity.record, Buffer.alloc(n)]),
  }));
  // Their records are none the judge would give, so whoever is judged is cut.
  const world = watched(...crowd);
  world.turn(constitutionOf({ revocationLists: [listOf(aurora, [finn])] }));
  assert.equal(world.cut.length, 0);
  world.turn(constitutionOf({ revocationLists: [listOf(aurora, [eve], 2n)] }));
  assert.equal(world.cut.length, crowd.length);
});

test('a connection ends with the certificate that opened it, or with the time it was left', () => {
  const brief = certified('Brief', aurora, { notAfterMs: now + 5_000 });
  const [one, a] = [identityOf(brief), identityOf(aurora)];
  const world = watched(one, a);
  world.state.nowMs = now + 5_999;
  world.watch.sweep();
  assert.deepEqual(world.cut, []);
  world.state.nowMs = now + 6_000;
  world.watch.sweep();
  assert.deepEqual(world.cut, [one]);
});

test('an overdue list is told once; it cuts off only where the policy says so', () => {
  const lists = { revocationLists: [listOf(aurora, [], 7n)] };
  const e = identityOf(eve);
  const lax = watched(e);
  lax.turn(constitutionOf(lists));
  lax.state.nowMs = now + 2 * day;
  for (let i = 0; i < 3; i += 1) lax.watch.sweep();
  assert.deepEqual(lax.logged, ['revocation-list.overdue 7']);
  assert.deepEqual(lax.cut, []);
  const strict = watched(e, identityOf(aurora));
  strict.turn(constitutionOf({ ...lists, policies: { overdueRevocationLists: 'refuse' } }));
  assert.deepEqual(strict.cut, []);
  strict.state.nowMs = now + 2 * day;
  strict.watch.sweep();
  assert.deepEqual(strict.cut, [e]);
});

test('strangers are cut off when the network takes none any more', () => {
  const verdict = judgeApplicationClient(
    { ok: false, code: 'CLIENT_CERTIFICATE_REQUIRED', message: '' },
    constitutionOf({ policies: { anonymousConnections: 'accept' } }),
  );
  assert.ok(verdict.ok);
  const world = watched(verdict.identity);
  const open = constitutionOf({ policies: { anonymousConnections: 'accept' } });
  assert.ok(acceptsAnonymous(open));
  world.turn(open);
  assert.deepEqual(world.cut, []);
  world.turn(first);
  assert.deepEqual(world.cut, [verdict.identity]);
});

test('a request that another node forwards for somebody revoked or retired is refused', () => {
  const who = (of: Party, between: readonly Party[] = []) =>
    decodeIdentity(identityOf(of, between).record);
  const revoking = constitutionOf({ revocationLists: [listOf(aurora, [eve])] });
  assert.equal(mayBeForwarded(who(eve), first, now), true);
  assert.equal(mayBeForwarded(who(eve), revoking, now), false);
  assert.equal(mayBeForwarded(who(finn, [desk]), revoking, now), true);
  assert.equal(mayBeForwarded(who(aurora), revoking, now), true);
  assert.equal(mayBeForwarded({ ...who(eve), certificate: 'PEM' }, revoking, now), false);
  const renewed = {
    ...entry('aurora', certified('aurora')),
    actorId: identityOf(aurora).actorId,
    revision: 2,
  };
  const without = constitutionOf({ actors: [renewed, entry('borealis', borealis)] });
  assert.equal(mayBeForwarded(who(aurora), without, now), false);
  const nobody = constitutionOf({ actors: [entry('borealis', borealis)] });
  assert.equal(mayBeForwarded(who(eve), nobody, now), false);
});

test('another organisation’s list revokes nobody, however its authority is called', () => {
  const eves = decodeIdentity(identityOf(eve).record);
  // A registered certificate may have any subject and key id, so the list is as if it were aurora's.
  const namesake = { ...listOf(aurora, [eve, aurora]), issuer: 'ab'.repeat(32) };
  const theirs = identityOf(borealis).actorId;
  const forged = constitutionOf({ revocationLists: [{ ...namesake, actorId: theirs }] });
  assert.equal(mayBeForwarded(eves, forged, now), true);
  const { actorId } = eves;
  const own = constitutionOf({ revocationLists: [{ ...namesake, actorId }] });
  assert.equal(mayBeForwarded(eves, own, now), false);
  assert.equal(mayBeForwarded(decodeIdentity(identityOf(aurora).record), own, now), true);
});

test('once all certificates have run out those of members still reach the administrative port', () => {
  const ask = (of: Party, atMs: number, constitution = first) => {
    const presented = { leafDer: of.der, intermediates: [], atMs };
    const judged = judgeCertificate(constitution, presented);
    return judgeAdministrativeClient(judged, of.der, { constitution, atMs });
  };
  const code = (verdict: ReturnType<typeof ask>): string => (verdict.ok ? 'ok' : verdict.code);
  const late = now + 101 * day;
  const verdict = ask(aurora, late);
  assert.ok(verdict.ok);
  assert.deepEqual({ ...verdict.identity, untilMs: 0 }, { ...identityOf(aurora), untilMs: 0 });
  assert.equal(verdict.identity.untilMs, late + 60_000);
  assert.equal(code(ask(aurora, now)), 'ok');
  assert.equal(code(ask(eve, late)), 'CLIENT_CERTIFICATE_EXPIRED');
  assert.equal(code(ask(certified('stranger'), late)), 'CLIENT_CERTIFICATE_EXPIRED');
  const participant = { ...entry('aurora', aurora), kind: ['participant'] };
  const demoted = constitutionOf({ actors: [participant, entry('borealis', borealis)] });
  assert.equal(code(ask(aurora, late, demoted)), 'CLIENT_CERTIFICATE_EXPIRED');
  const longer = certified('corner shop', undefined, { notAfterMs: now + 200 * day });
  const shop = { ...entry('corner shop', longer), kind: ['participant'] };
  const other = constitutionOf({
    actors: [entry('aurora', aurora), entry('borealis', borealis), shop],
  });
  assert.equal(code(ask(aurora, late, other)), 'CLIENT_CERTIFICATE_EXPIRED');
});
