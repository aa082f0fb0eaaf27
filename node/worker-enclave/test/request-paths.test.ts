import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EndpointDeclaration } from '../index.ts';
import { WorkerError } from '../index.ts';
import { isRepeated, readTarget } from '../path-guard.ts';
import type { KeyedHost } from '../request-key.ts';
import { Router } from '../router.ts';

const host = {} as KeyedHost;
const http = (path: string): EndpointDeclaration => ({
  kind: 'http',
  path,
  methods: ['GET'],
  handle: () => ({ status: 200 }),
});

describe('request targets', () => {
  for (const target of ['/', '/a', '/a/', '/a.b/..c', '/a/...', '/%7Euser/%2F', '/a:b@c;d=e,f']) {
    it(`takes ${target}`, () => assert.equal(readTarget(target)?.path, target));
  }

  for (const target of [
    '',
    '*',
    'a',
    'http://host/a',
    'host:443',
    '//host/a',
    '/a//b',
    '/.',
    '/..',
    '/../a',
    '/a/./b',
    '/a/%2e/b',
    '/a/.%2E',
    '/a/%2E%2e/b',
    '/a\\b',
    '/a%',
    '/a%0g',
    '/a%00b',
    '/ä',
    '/a b',
    '/a\t',
    '/a?b#c',
    `/${'a'.repeat(5_000)}`,
  ]) {
    it(`refuses ${JSON.stringify(target.slice(0, 20))}`, () => {
      assert.equal(readTarget(target), undefined);
    });
  }

  it('reads the query', () => {
    assert.equal(readTarget('/a?b=c%20d&e=f')?.query.get('b'), 'c d');
  });

  it('finds repeated headers in any case', () => {
    assert.equal(isRepeated(['Host', 'a', 'HOST', 'b'], 'host'), true);
    assert.equal(isRepeated(['Host', 'host', 'x', 'host'], 'host'), false);
  });
});

describe('router', () => {
  const router = new Router([
    { host, endpoints: [http('/kv'), http('/kv/*'), http('/kv/special/*'), http('/kv/exact')] },
    { host, endpoints: [{ kind: 'stream', path: '/kv/stream', open: () => {} }, http('/')] },
  ]);

  it('prefers the exact path, then the longest prefix', () => {
    const found = (path: string) => router.find('http', path)?.endpoint.path;
    assert.equal(found('/kv'), '/kv');
    assert.equal(found('/kv/a'), '/kv/*');
    assert.equal(found('/kv/special/a'), '/kv/special/*');
    assert.equal(found('/kv/exact'), '/kv/exact');
    assert.equal(found('/'), '/');
    assert.equal(found('/kvx'), undefined);
  });

  it('keeps kinds of endpoints apart', () => {
    assert.equal(router.find('stream', '/kv/stream')?.endpoint.kind, 'stream');
    assert.equal(router.find('websocket', '/kv/stream'), undefined);
  });

  for (const paths of [['/a', '/a'], ['/a/*', '/a/*'], ['/app/x'], ['a'], ['/a/../b'], ['/*/b']]) {
    it(`refuses ${paths.join(' and ')}`, () => {
      assert.throws(
        () => new Router([{ host, endpoints: paths.map(http) }]),
        (error) => error instanceof WorkerError && error.code === 'INVALID_ADAPTERS',
      );
    });
  }
});
