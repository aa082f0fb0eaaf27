import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessRules, type PathRule, pathFault, segmentsOf } from '../end-users/access-rules.ts';

const accessTo = (rules: readonly PathRule[], path: string, method = 'GET') => {
  const segments = segmentsOf(path);
  return segments && new AccessRules(rules).accessTo(segments, method);
};

test('the first rule for path and method counts, and without one nobody may', () => {
  const rules: PathRule[] = [
    { path: '/accounts/mine', access: 'signed-in' },
    { path: '/accounts/{id}', methods: ['GET'], access: ['auditor'] },
    { path: '/accounts/{id}', methods: ['POST', 'WEBSOCKET'], access: ['teller'] },
    { path: '/public/*', access: 'open' },
    { path: '/accounts/*', access: ['operator'] },
  ];
  const at = (path: string, method?: string) => accessTo(rules, path, method);
  assert.equal(at('/accounts/mine', 'DELETE'), 'signed-in');
  assert.deepEqual(at('/accounts/7'), ['auditor']);
  assert.deepEqual(at('/accounts/7', 'HEAD'), ['auditor']);
  assert.deepEqual(at('/accounts/7', 'POST'), ['teller']);
  assert.deepEqual(at('/accounts/7', 'WEBSOCKET'), ['teller']);
  assert.deepEqual(at('/accounts/7', 'DELETE'), ['operator']);
  assert.deepEqual(at('/accounts/7/more'), ['operator']);
  assert.equal(at('/public/a/b'), 'open');
  assert.equal(at('/public/'), 'open');
  assert.equal(at('/public'), undefined);
  assert.equal(at('/'), undefined);
  assert.equal(accessTo([{ path: '/*', access: 'open' }], '/'), 'open');
});

test('a leading app counts for nothing, on either side, once', () => {
  for (const path of ['/app/x', '/x']) {
    for (const asked of ['/app/x', '/x']) {
      assert.equal(accessTo([{ path, access: 'open' }], asked), 'open', `${path} ${asked}`);
    }
  }
  assert.equal(accessTo([{ path: '/x', access: 'open' }], '/app/app/x'), undefined);
  assert.equal(accessTo([{ path: '/app/app/x', access: 'open' }], '/app/app/x'), 'open');
  assert.equal(accessTo([{ path: '/x', access: 'open' }], '/APP/x'), undefined);
});

test('escapes are read before paths are compared', () => {
  const rules: PathRule[] = [
    { path: '/docs/secret', access: ['keeper'] },
    { path: '/docs/{name}', access: 'open' },
  ];
  assert.deepEqual(accessTo(rules, '/docs/secret'), ['keeper']);
  assert.equal(accessTo(rules, '/docs/a%2Fsecret'), 'open', 'an escaped slash parts nothing');
  assert.deepEqual(accessTo([{ path: '/caf%C3%A9', access: 'open' }], '/caf%c3%a9'), 'open');
});

test('what needs no escape and has one is no path: nodes take it for another', () => {
  // A node looks for `/accounts/{id}` at the second, whose rule is another one.
  const rules: PathRule[] = [
    { path: '/accounts/mine', access: 'signed-in' },
    { path: '/accounts/{id}', access: ['teller'] },
  ];
  assert.equal(accessTo(rules, '/accounts/mine'), 'signed-in');
  for (const path of ['/accounts/%6dine', '/accounts/%6Dine', '/%61pp/accounts/mine']) {
    assert.equal(segmentsOf(path), undefined, path);
  }
  const unreserved = 'ABCXYZabcxyz0189-._~';
  for (const character of unreserved) {
    const escaped = `%${character.charCodeAt(0).toString(16)}`;
    assert.equal(segmentsOf(`/a${escaped}`), undefined, escaped);
    assert.equal(segmentsOf(`/a${escaped.toUpperCase()}`), undefined, escaped);
  }
  for (const character of ' "%+/:;<=>?@[]^`{|}é,!*') {
    assert.deepEqual(segmentsOf(`/a${encodeURIComponent(character)}`), [`a${character}`]);
  }
});

test('paths that can be read in two ways are none', () => {
  for (const path of [
    '',
    'x',
    '//x',
    '/x//y',
    '/x/../y',
    '/./x',
    '/%2e%2E/x',
    '/x%00',
    '/%',
    '/%zz',
    '/%ff',
    '/x y',
    '/x\\y',
    '/{x}',
    '/ü',
    `/${'a/'.repeat(40)}`,
    `/${'a'.repeat(5_000)}`,
  ]) {
    assert.equal(segmentsOf(path), undefined, JSON.stringify(path.slice(0, 50)));
  }
});

test('a rule’s path is checked when it is written', () => {
  for (const path of ['/', '/*', '/a/{b}/c/*', '/app/a%20b', '/a/{b}']) {
    assert.equal(pathFault(path), undefined, path);
  }
  for (const path of [
    'a',
    '/a*',
    '/*/a',
    '/{a b}',
    '/{a',
    '/a?b',
    '/a//b',
    '/a/../b',
    '/{1}',
    '/é',
  ]) {
    assert.notEqual(pathFault(path), undefined, path);
  }
});
