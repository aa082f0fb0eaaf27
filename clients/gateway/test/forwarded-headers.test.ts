import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endUserHeader } from '@concordat/api';
import { answerHeaders, handshakeHeaders, requestHeaders } from '../forwarded-headers.ts';

const given = {
  host: 'front.example',
  cookie: 'a=b',
  origin: 'https://front.example',
  authorization: 'Bearer t',
  'concordat-session': '1',
  [endUserHeader]: 'forged',
  'concordat-idempotency-key': 'k',
  'content-type': 'application/json',
};

test('a claim that comes along is dropped always, credentials where end users are known', () => {
  assert.deepEqual(requestHeaders(given), {
    authorization: 'Bearer t',
    'concordat-session': '1',
    'concordat-idempotency-key': 'k',
    'content-type': 'application/json',
  });
  const own = { 'concordat-idempotency-key': 'k', 'content-type': 'application/json' };
  assert.deepEqual(requestHeaders(given, 'committed', {}), own, 'nobody is signed in');
  assert.deepEqual(requestHeaders(given, 'committed', { claim: 'c' }), {
    ...own,
    [endUserHeader]: 'c',
  });
  const both = { claim: 'c', token: 'checked' };
  assert.equal(requestHeaders(given, 'committed', both).authorization, 'Bearer checked');
});

test('no header that the client calls one of the connection takes the claim away', () => {
  const naming = { ...given, connection: `close, ${endUserHeader}, authorization` };
  const forwarded = requestHeaders(naming, 'committed', { claim: 'c', token: 't' });
  assert.equal(forwarded[endUserHeader], 'c');
  assert.equal(forwarded.authorization, 'Bearer t');
  const shaken = handshakeHeaders(naming, 'committed', { claim: 'c' });
  assert.equal(shaken[endUserHeader], 'c');
  assert.equal(handshakeHeaders(naming)[endUserHeader], undefined);
});

test('answers leave the browser’s state of the gateway alone where there is any', () => {
  const answered = {
    'set-cookie': ['a=b'],
    'clear-site-data': '"*"',
    'access-control-allow-origin': '*',
    etag: 'e',
  };
  assert.deepEqual(answerHeaders(answered, {}), { etag: 'e' });
  assert.deepEqual(answerHeaders(answered), {
    'set-cookie': ['a=b'],
    'clear-site-data': '"*"',
    etag: 'e',
  });
});

test('the length of a body goes on even if the client calls it one of the connection', () => {
  const naming = { connection: 'Content-Length, X-Own', 'content-length': '3', 'x-own': 'a' };
  assert.deepEqual(requestHeaders(naming), { 'content-length': '3' });
});
