import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import { encodeEndUser, endUserHeader } from '@concordat/api';
import {
  actorIdOf,
  type CborKey,
  type CborValue,
  coseHeaders,
  createSigningKey,
  issueCertificate,
  type SigningKey,
  signCose,
  toPem,
} from '@concordat/crypto';
import { toHex, utf8 } from '@concordat/std';
import type { NetworkTrust, TrustedActor } from '@concordat/worker-enclave';
import { Authenticator } from '../authentication.ts';
import type { Policy, Presented } from '../policies.ts';
import { tokenLeewaySeconds } from '../token-policy.ts';
import { Trust } from '../trust.ts';

const now = 1_800_000_000;
const issuer = 'https://issuer.example';
const entra = 'https://login.microsoftonline.com/{tenantid}/v2.0';

function actor(name: string, number: number, ...kinds: string[]) {
  const key = createSigningKey(new Uint8Array(32).fill(number));
  const der = issueCertificate({
    subject: { commonName: name },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(number),
    notBeforeMs: 0,
    notAfterMs: now * 2_000,
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  const actorId = actorIdOf(der);
  const known: TrustedActor = { actorId, name, kinds, roles: ['r'], certificate: toPem(der) };
  return { key, known };
}

const [ada, bob] = [actor('ada', 1, 'member'), actor('bob', 2, 'participant')];
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = ({ publicKey }: { publicKey: KeyObject }): string =>
  toHex(publicKey.export({ format: 'der', type: 'spki' }));

const trust: NetworkTrust = {
  actors: [ada.known, bob.known],
  tokenIssuers: [
    { issuer, keys: [{ kid: 'r', key: spki(rsa), constraint: issuer }] },
    {
      issuer: 'https://other.example',
      keys: [
        { kid: 'e', key: spki(other), constraint: 'https://other.example' },
        { kid: 'r', key: spki(other), constraint: 'https://other.example' },
      ],
    },
    { issuer: 'https://third.example', keys: [{ kid: 'e', key: spki(ec), constraint: issuer }] },
    { issuer: entra, keys: [{ kid: 'm', key: spki(ec), constraint: entra }] },
  ],
};

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = { iss: issuer, exp: now + 60, nbf: now - 60, sub: 'someone' };

function token(
  payload: object = claims,
  header: object = { alg: 'RS256', kid: 'r' },
  key: KeyObject = rsa.privateKey,
): string {
  const text = `${part(header)}.${part(payload)}`;
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

const authenticator = new Authenticator();
authenticator.trust(new Trust(trust));

const presented = (more: Partial<Presented> & { bearer?: string } = {}): Presented => ({
  actor: bob.known,
  header: (name) =>
    name === 'authorization' && more.bearer !== undefined ? `Bearer ${more.bearer}` : undefined,
  body: new Uint8Array(0),
  timeMs: now * 1_000,
  ...more,
});

function outcome(policies: readonly Policy[], given: Presented): string {
  const result = authenticator.authenticate(policies, given);
  if (result.ok) return 'accepted';
  if (!('refusals' in result)) return result.code;
  return result.refusals.map(({ code }) => code).join(' ');
}

const jwt = (bearer: string, timeMs = now * 1_000): string =>
  outcome(['jwt'], presented({ bearer, timeMs }));

function callerOf(policies: readonly Policy[], given: Presented): Record<string, unknown> {
  const result = authenticator.authenticate(policies, given);
  assert.ok(result.ok, JSON.stringify(result));
  return JSON.parse(result.callerJson);
}

test('certificate policies look at the kind of the actor and show the certificate', () => {
  assert.equal(outcome(['user_cert'], presented()), 'accepted');
  assert.equal(outcome(['member_cert'], presented()), 'ACTOR_KIND_MISSING');
  const { actorId: id, name, kinds, roles, certificate: cert } = bob.known;
  assert.deepEqual(callerOf(['member_cert', 'any_cert'], presented()), {
    policy: 'any_cert',
    ...{ id, cert, data: { name, kinds, roles } },
  });
  assert.deepEqual(callerOf(['no_auth'], presented()), { policy: 'no_auth' });
  const nobody = authenticator.authenticate([], presented());
  assert.deepEqual(nobody, { ok: true, callerJson: '' });
});

test('a token of a trusted issuer is a caller, with its header, payload and issuer', () => {
  const bearer = token();
  const caller = callerOf(['jwt'], presented({ bearer }));
  const header = { alg: 'RS256', kid: 'r' };
  assert.deepEqual(caller, { policy: 'jwt', jwt: { keyIssuer: issuer, header, payload: claims } });
  assert.deepEqual(callerOf(['jwt'], presented({ bearer })), caller, 'and again, remembered');
  assert.equal(jwt(token(claims, { alg: 'ES256', kid: 'e' }, ec.privateKey)), 'accepted');
});

test('the same kid may be of several issuers, whose key signed is what counts', () => {
  const theirs = { ...claims, iss: 'https://other.example' };
  const header = { alg: 'ES256', kid: 'r' };
  const caller = callerOf(['jwt'], presented({ bearer: token(theirs, header, other.privateKey) }));
  assert.equal((caller.jwt as { keyIssuer: string }).keyIssuer, 'https://other.example');
  assert.equal(jwt(token(claims, header, other.privateKey)), 'TOKEN_ISSUER_WRONG');
});

test('each way in which a token can be wrong has its code', () => {
  assert.equal(outcome(['jwt'], presented()), 'TOKEN_MISSING');
  const basic = presented({
    header: (name) => (name === 'authorization' ? 'Basic abc' : undefined),
  });
  assert.equal(outcome(['jwt'], basic), 'TOKEN_MISSING');
  assert.equal(jwt('a.b'), 'TOKEN_MALFORMED');
  assert.equal(jwt(token(claims, { alg: 'RS256' })), 'TOKEN_KEY_UNKNOWN');
  assert.equal(jwt(token(claims, { alg: 'RS256', kid: 'x' })), 'TOKEN_KEY_UNKNOWN');
  assert.equal(jwt(`${token().slice(0, -4)}AAAA`), 'TOKEN_SIGNATURE_INVALID');
  assert.equal(jwt(token(claims, { alg: 'none', kid: 'r' })), 'TOKEN_SIGNATURE_INVALID');
  assert.equal(jwt(token({ ...claims, iss: 'https://issuer.example/' })), 'TOKEN_ISSUER_WRONG');
  assert.equal(jwt(token({ ...claims, iss: 7 })), 'TOKEN_ISSUER_WRONG');
  assert.equal(jwt(token({ ...claims, tid: 't' })), 'TOKEN_ISSUER_WRONG');
  for (const name of ['exp', 'nbf']) {
    assert.equal(jwt(token({ ...claims, [name]: undefined })), 'TOKEN_CLAIMS_INVALID');
    assert.equal(jwt(token({ ...claims, [name]: String(now) })), 'TOKEN_CLAIMS_INVALID');
  }
});

test('a token counts from its nbf to its exp, within the leeway, also once remembered', () => {
  const bearer = token();
  const at = (seconds: number): string => jwt(bearer, seconds * 1_000);
  assert.equal(at(claims.exp + tokenLeewaySeconds - 1), 'accepted');
  assert.equal(at(claims.exp + tokenLeewaySeconds), 'TOKEN_EXPIRED');
  assert.equal(at(claims.nbf - tokenLeewaySeconds), 'accepted');
  assert.equal(at(claims.nbf - tokenLeewaySeconds - 1), 'TOKEN_NOT_YET_VALID');
});

test('a tenant of Microsoft Entra speaks for itself alone', () => {
  const header = { alg: 'ES256', kid: 'm' };
  const tid = '11111111-2222-3333-4444-555555555555';
  const of = (more: object): string =>
    jwt(
      token(
        { ...claims, iss: entra.replace('{tenantid}', tid), tid, ...more },
        header,
        ec.privateKey,
      ),
    );
  assert.equal(of({}), 'accepted');
  assert.equal(of({ tid: undefined }), 'TOKEN_ISSUER_WRONG');
  assert.equal(of({ tid: '66666666-2222-3333-4444-555555555555' }), 'TOKEN_ISSUER_WRONG');
  assert.equal(of({ tid: '{tenantid}', iss: entra }), 'TOKEN_ISSUER_WRONG');
  assert.equal(of({ iss: 'https://login.microsoftonline.com/x/v2.0' }), 'TOKEN_ISSUER_WRONG');
});

test('a token is refused from when its issuer is trusted no more', () => {
  const bearer = token();
  const changing = new Authenticator();
  changing.trust(new Trust(trust));
  assert.equal(changing.authenticate(['jwt'], presented({ bearer })).ok, true);
  changing.trust(new Trust({ ...trust, tokenIssuers: [] }));
  assert.equal(changing.authenticate(['jwt'], presented({ bearer })).ok, false);
});

function signedBody(key: SigningKey, kid: string, content = 'content'): Uint8Array {
  const protectedHeaders = new Map<CborKey, CborValue>([[coseHeaders.kid, utf8(kid)]]);
  return signCose({ protectedHeaders, payload: utf8(content), key });
}

const cose = (policy: 'user_cose_sign1' | 'member_cose_sign1', body: Uint8Array): string =>
  outcome([policy], presented({ body }));

test('whoever signed the body is the caller, whoever sent it', () => {
  const body = signedBody(ada.key, ada.known.actorId);
  const caller = callerOf(['member_cose_sign1'], presented({ body }));
  assert.equal(caller.id, ada.known.actorId);
  assert.equal(caller.cert, ada.known.certificate);
  const { content } = caller.cose as { content: { from: number; to: number } };
  assert.equal(Buffer.from(body.subarray(content.from, content.to)).toString(), 'content');
  assert.equal(cose('user_cose_sign1', body), 'ACTOR_KIND_MISSING');
  assert.equal(cose('user_cose_sign1', signedBody(bob.key, bob.known.actorId)), 'accepted');
});

test('a signer counts while its certificate is valid, to the second', () => {
  const body = signedBody(bob.key, bob.known.actorId);
  const at = (timeMs: number) => outcome(['user_cose_sign1'], presented({ body, timeMs }));
  const lastMs = now * 2_000 + 999;
  assert.equal(at(lastMs), 'accepted');
  assert.equal(at(lastMs + 1), 'SIGNER_CERTIFICATE_EXPIRED');
  assert.equal(at(0), 'accepted');
  assert.equal(at(-1), 'SIGNER_CERTIFICATE_NOT_YET_VALID');
});

test('a signer may go on with an earlier certificate as long as the network lets it', () => {
  const later = actor('bob', 9, 'participant');
  const { actorId, certificate: before } = bob.known;
  const judge = (untilSeconds: number | undefined, kid: string, key = bob.key): string => {
    const earlier = [{ certificate: before, ...(untilSeconds !== undefined && { untilSeconds }) }];
    const renewed = { ...bob.known, certificate: later.known.certificate, earlier };
    const renewing = new Authenticator();
    renewing.trust(new Trust({ actors: [renewed], tokenIssuers: [] }));
    const body = signedBody(key, kid);
    const result = renewing.authenticate(['user_cose_sign1'], presented({ body }));
    if (result.ok) return (JSON.parse(result.callerJson) as { id: string }).id;
    return 'refusals' in result ? result.refusals.map(({ code }) => code).join() : result.code;
  };
  assert.equal(judge(undefined, later.known.actorId, later.key), actorId);
  assert.equal(judge(undefined, actorId), actorId);
  assert.equal(judge(now, actorId), actorId);
  assert.equal(judge(now - 1, actorId), 'SIGNER_UNKNOWN');
  assert.equal(judge(undefined, later.known.actorId), 'BODY_SIGNATURE_INVALID');
});

test('staff is shown with the name and serial number of its certificate', () => {
  const staff = { name: 'Eve', serial: '0a' };
  const { data } = callerOf(['user_cert'], presented({ actor: { ...bob.known, staff } }));
  assert.deepEqual((data as { staff: unknown }).staff, staff);
  const own = callerOf(['user_cert'], presented()).data as object;
  assert.ok(!('staff' in own));
});

test('a body with any bit turned, by another key, or unsigned, is refused by code', () => {
  const body = signedBody(bob.key, bob.known.actorId);
  const met = new Set<string>();
  for (let at = 0; at < body.length; at++) {
    for (const bit of [1, 0x10, 0x80]) {
      const changed = Uint8Array.from(body);
      changed[at] = (changed[at] as number) ^ bit;
      met.add(cose('user_cose_sign1', changed));
    }
  }
  assert.deepEqual(
    [...met].sort(),
    [
      'ACTOR_KIND_MISSING',
      'BODY_SIGNATURE_INVALID',
      'SIGNED_BODY_MALFORMED',
      'SIGNER_UNKNOWN',
    ].filter((code) => met.has(code)),
  );
  assert.equal(met.has('BODY_SIGNATURE_INVALID') && met.has('SIGNED_BODY_MALFORMED'), true);
  const forged = signedBody(ada.key, bob.known.actorId);
  assert.equal(cose('user_cose_sign1', forged), 'BODY_SIGNATURE_INVALID');
  assert.equal(cose('user_cose_sign1', signedBody(bob.key, 'bob')), 'SIGNER_UNKNOWN');
  for (const bytes of [new Uint8Array(0), utf8('{}'), body.subarray(1)]) {
    assert.equal(cose('user_cose_sign1', bytes), 'SIGNED_BODY_MALFORMED');
  }
});

test('all_of shows every identity, and names the policy that does not hold', () => {
  const policies: Policy[] = [{ all_of: ['user_cert', 'jwt'] }];
  const caller = callerOf(policies, presented({ bearer: token() }));
  assert.deepEqual(caller.policy, ['user_cert', 'jwt']);
  assert.equal((caller.user_cert as { id: string }).id, bob.known.actorId);
  assert.equal((caller.jwt as { policy: string }).policy, 'jwt');
  const refused = authenticator.authenticate([...policies, 'member_cert'], presented());
  assert.deepEqual(refused, {
    ok: false,
    refusals: [
      {
        auth_policy: 'all_of(user_cert, jwt)',
        code: 'TOKEN_MISSING',
        message: 'jwt: there is no bearer token',
      },
      {
        auth_policy: 'member_cert',
        code: 'ACTOR_KIND_MISSING',
        message: 'the actor of the connection is no member',
      },
    ],
  });
});

const endUser = { issuer: 'https://users.example', subject: 'u-1', name: 'Úna', roles: ['teller'] };
const naming = (value: string, more: Parameters<typeof presented>[0] = {}): Presented => {
  const given = presented(more);
  return { ...given, header: (name) => (name === endUserHeader ? value : given.header(name)) };
};

test('an end user is a claim beside the actor of the connection, and nowhere else', () => {
  const given = naming(encodeEndUser(endUser));
  for (let again = 0; again < 2; again++) {
    const caller = callerOf(['user_cert'], given);
    assert.equal(caller.id, bob.known.actorId);
    assert.deepEqual(caller.endUser, endUser);
    const without = callerOf(['user_cert'], presented());
    assert.equal('endUser' in without, false, 'what one request claims is not remembered');
  }
  assert.deepEqual(callerOf(['no_auth'], given), { policy: 'no_auth' });
  const policies: Policy[] = [{ all_of: ['user_cert', 'jwt'] }];
  const both = callerOf(policies, naming(encodeEndUser(endUser), { bearer: token() }));
  assert.deepEqual((both.user_cert as { endUser: unknown }).endUser, endUser);
  assert.equal('endUser' in (both.jwt as object), false);
  const body = signedBody(ada.key, ada.known.actorId);
  const signed = callerOf(['member_cose_sign1'], naming(encodeEndUser(endUser), { body }));
  assert.equal('endUser' in signed, false, 'the signer vouches for nobody behind the connection');
});

test('a malformed end user is refused, whatever the policies are', () => {
  for (const policies of [['user_cert'], ['no_auth'], []] as Policy[][]) {
    for (const value of ['', 'x', 'e30', `${encodeEndUser(endUser)}, ${encodeEndUser(endUser)}`]) {
      assert.equal(outcome(policies, naming(value)), 'END_USER_MALFORMED', value);
    }
  }
});
