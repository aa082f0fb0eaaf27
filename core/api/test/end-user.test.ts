import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEndUser, type EndUser, encodeEndUser } from '@concordat/api';

const endUser: EndUser = {
  issuer: 'https://users.example',
  subject: 'ü|1',
  name: 'Zoë "Z" Ångström',
  roles: ['auditor', 'teller'],
};

const textOf = (json: string): string => Buffer.from(json).toString('base64url');
const malformed = { code: 'END_USER_MALFORMED' };

test('an end user is read back as it was written, roles in order and once', () => {
  assert.deepEqual(decodeEndUser(encodeEndUser(endUser)), endUser);
  const roles = ['teller', 'auditor', 'teller'];
  assert.equal(encodeEndUser({ ...endUser, roles }), encodeEndUser(endUser));
  const nameless = { issuer: 'i', subject: 's', roles: [] };
  assert.deepEqual(decodeEndUser(encodeEndUser(nameless)), nameless);
  const json = Buffer.from(encodeEndUser(nameless), 'base64url').toString();
  assert.equal(json, '{"issuer":"i","roles":[],"subject":"s"}');
});

test('there is one spelling: anything else is refused', () => {
  const plain = '{"issuer":"i","roles":["a","b"],"subject":"s"}';
  assert.ok(decodeEndUser(textOf(plain)));
  for (const json of [
    '{"roles":["a","b"],"issuer":"i","subject":"s"}',
    '{"issuer":"i","roles":["b","a"],"subject":"s"}',
    '{"issuer":"i","roles":["a","a"],"subject":"s"}',
    '{"issuer":"i","roles":["a","b"],"subject":"s","more":1}',
    '{"issuer":"i","roles":["a","b"],"subject":"t","subject":"s"}',
    '{"__proto__":{"name":"x"},"issuer":"i","roles":["a","b"],"subject":"s"}',
    ` ${plain}`,
    '{"issuer":"\\u0069","roles":["a","b"],"subject":"s"}',
    '{"issuer":"i","name":null,"roles":[],"subject":"s"}',
    '{"issuer":"i","name":"","roles":[],"subject":"s"}',
    '{"issuer":"i","roles":[],"subject":""}',
    '{"issuer":"i","roles":{},"subject":"s"}',
    '{"issuer":"i","roles":[1],"subject":"s"}',
    '{"issuer":1,"roles":[],"subject":"s"}',
    '{"issuer":"i","roles":[],"subject":"a\\u0000b"}',
    '{"issuer":"i","roles":[],"subject":"\\ud800"}',
    '{"issuer":"i","roles":[]}',
    '[]',
    'null',
    '',
    '{',
  ]) {
    assert.throws(() => decodeEndUser(textOf(json)), malformed, json);
  }
});

test('what is truncated, extended or flipped anywhere is refused or another end user', () => {
  const text = encodeEndUser(endUser);
  for (let length = 0; length < text.length; length++) {
    assert.throws(() => decodeEndUser(text.slice(0, length)), malformed);
  }
  for (const end of ['A', '=', ' ', `, ${text}`, text]) {
    assert.throws(() => decodeEndUser(text + end), malformed);
  }
  for (let at = 0; at < text.length; at++) {
    const other = `${text.slice(0, at)}${text[at] === 'B' ? 'C' : 'B'}${text.slice(at + 1)}`;
    try {
      assert.equal(encodeEndUser(decodeEndUser(other)), other);
    } catch (error) {
      assert.equal((error as { code?: string }).code, malformed.code);
    }
  }
  assert.throws(() => decodeEndUser(Buffer.from([0xff, 0xfe]).toString('base64url')), malformed);
});

test('every part has a bound', () => {
  const most = (bytes: number) => 'x'.repeat(bytes);
  assert.ok(encodeEndUser({ ...endUser, subject: most(255) }));
  const roles = Array.from({ length: 65 }, (_, at) => `role-${at}`);
  for (const wrong of [
    { subject: most(256) },
    { issuer: most(513) },
    { name: most(257) },
    { roles: [most(129)] },
    { roles },
    { roles: roles.slice(0, 64).map((role) => `${role}${most(100)}`) },
    { name: 'a\nb' },
    { subject: 'ü'.repeat(128) },
  ]) {
    assert.throws(() => encodeEndUser({ ...endUser, ...wrong }), malformed, JSON.stringify(wrong));
  }
  assert.throws(() => decodeEndUser('A'.repeat(1_000_000)), malformed);
});
