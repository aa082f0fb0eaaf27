import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endUserOf, hasTooManyGroups } from '../end-users/end-user-claims.ts';
import { providerSettings } from './front-end.ts';

const settings = providerSettings('https://users.example');
const of = (claims: object, more: Partial<typeof settings> = {}) =>
  endUserOf(claims as Record<string, unknown>, { ...settings, ...more }, 'SIGN_IN_REFUSED');
const refused = { code: 'SIGN_IN_REFUSED' };

test('roles are those of the groups, and everyone’s, each once and in order', () => {
  const groups = ['Tellers', 'Auditors', 'Tellers', 'Unknown', 7, null, ['Tellers']];
  assert.deepEqual(of({ sub: 'a', groups }).roles, ['auditor', 'customer', 'teller']);
  assert.deepEqual(of({ sub: 'a' }).roles, ['customer']);
  assert.deepEqual(of({ sub: 'a', groups: ['tellers'] }).roles, ['customer'], 'exactly');
});

test('claims are found by name or by a path of names, own members alone', () => {
  const claims = {
    subject: ['oid'] as const,
    name: ['given name'] as const,
    groups: ['realm_access', 'roles'] as const,
  };
  const nested = { oid: 'o', sub: 's', 'given name': 'N', realm_access: { roles: ['Tellers'] } };
  const endUser = of(nested, { claims });
  assert.deepEqual(endUser, {
    issuer: 'https://users.example',
    subject: 'o',
    name: 'N',
    roles: ['customer', 'teller'],
  });
  const inherited = { ...claims, groups: ['constructor', 'name'] };
  assert.deepEqual(of(nested, { claims: inherited }).roles, ['customer']);
  for (const realm_access of [null, 'x', [], { roles: null }]) {
    assert.deepEqual(of({ oid: 'o', realm_access }, { claims }).roles, ['customer']);
  }
});

test('without a subject that is a text there is nobody', () => {
  for (const sub of [undefined, null, 7, '', ['a'], {}, 'x'.repeat(256), 'a\u0000b']) {
    assert.throws(() => of({ sub }), refused, JSON.stringify(sub));
  }
});

test('a name is made to fit: it is for people', () => {
  assert.equal(of({ sub: 'a', name: 'x'.repeat(1_000) }).name?.length, 256);
  assert.equal(Buffer.byteLength(of({ sub: 'a', name: '🐘'.repeat(1_000) }).name ?? ''), 256);
  assert.equal(of({ sub: 'a', name: 'a\r\nb' }).name, 'a  b');
  assert.equal(of({ sub: 'a', name: '\ud800' }).name, '\ufffd');
  for (const name of ['', 7, null, {}]) assert.equal('name' in of({ sub: 'a', name }), false);
});

test('groups that a provider left out because they are many are noticed', () => {
  assert.equal(hasTooManyGroups({ _claim_names: { groups: 'src1' } }, settings), true);
  for (const names of [undefined, null, 'groups', {}, { other: 'x' }]) {
    assert.equal(hasTooManyGroups({ _claim_names: names }, settings), false);
  }
});
