import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeInnerReply,
  decodeInnerRequest,
  decodeSealedRequest,
  encodeInnerReply,
  encodeInnerRequest,
  encodeSealedRequest,
  type InnerRequest,
} from '@concordat/api';
import { DecodeError, utf8 } from '@concordat/std';

const inner: InnerRequest = {
  method: 'POST',
  target: '/kv/a?b=c',
  headers: [
    ['content-type', 'text/plain; charset=utf-8'],
    ['x-empty', ''],
  ],
  body: utf8('body'),
};
const plain = (request: InnerRequest) => ({ ...request, body: Buffer.from(request.body) });
const refused = (act: () => unknown, what = ''): void => assert.throws(act, DecodeError, what);

test('requests and replies read as they were written', () => {
  assert.deepEqual(plain(decodeInnerRequest(encodeInnerRequest(inner))), plain(inner));
  const reply = { status: 404, headers: inner.headers, body: Buffer.from('x') };
  assert.deepEqual(decodeInnerReply(encodeInnerReply(reply)), reply);
  const sealed = {
    epoch: 2 ** 40,
    ephemeral: Buffer.alloc(65, 4),
    ciphertext: Buffer.alloc(16, 7),
  };
  assert.deepEqual(decodeSealedRequest(encodeSealedRequest(sealed)), sealed);
});

test('cut short anywhere before the body they are refused, or of a body that is shorter', () => {
  const bytes = encodeInnerRequest({ ...inner, body: new Uint8Array(0) });
  for (let at = 0; at < bytes.length; at += 1)
    refused(() => decodeInnerRequest(bytes.subarray(0, at)));
  const reply = encodeInnerReply({ status: 200, headers: inner.headers, body: new Uint8Array(0) });
  for (let at = 0; at < reply.length; at += 1)
    refused(() => decodeInnerReply(reply.subarray(0, at)));
  for (let at = 0; at < 90; at += 1) refused(() => decodeSealedRequest(new Uint8Array(at).fill(1)));
});

test('another version, method or status is refused', () => {
  for (const bytes of [encodeInnerRequest(inner), encodeInnerReply({ ...inner, status: 200 })]) {
    const other = Uint8Array.from(bytes).fill(2, 0, 1);
    refused(() => decodeInnerRequest(other));
    refused(() => decodeInnerReply(other));
  }
  refused(() => decodeSealedRequest(new Uint8Array(200).fill(2)));
  for (const method of ['', 'get', 'GET ', 'G\r\nT', 'TOOLONGMETHOD']) {
    refused(() => decodeInnerRequest(encodeInnerRequest({ ...inner, method })), method);
  }
  for (const status of [0, 199, 600]) {
    refused(() => decodeInnerReply(encodeInnerReply({ ...inner, status })));
  }
});

test('headers that mean something else to somebody else are refused', () => {
  for (const header of [
    ['Host', 'x'],
    ['host', 'x'],
    ['transfer-encoding', 'chunked'],
    ['content-length', '5'],
    ['connection', 'close'],
    ['a b', 'x'],
    ['', 'x'],
    ['x-y', 'a\r\nb: c'],
    ['x-y', ' led by a space'],
    ['x-y', 'not ascii ü'],
    ['x-y', 'v'.repeat(17_000)],
  ] as [string, string][]) {
    const request = { ...inner, headers: [header] };
    refused(() => decodeInnerRequest(encodeInnerRequest(request)), header.join(': ').slice(0, 40));
  }
  const twice = { ...inner, headers: [...inner.headers, ['x-empty', 'again'] as const] };
  refused(() => decodeInnerRequest(encodeInnerRequest(twice)));
  const many = Array.from({ length: 101 }, (_, at) => [`x-${at}`, ''] as const);
  refused(() => decodeInnerRequest(encodeInnerRequest({ ...inner, headers: many })));
});
