import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  ApiError,
  catalogueEntry,
  type ErrorCode,
  errorAnswer,
  errorBody,
  errorCatalogue,
  isErrorCode,
  parseErrorBody,
  receiptFormOf,
  renderCatalogueMarkdown,
} from '@concordat/api';
import { CodedError } from '@concordat/std';
import { catalogueParts } from '../error-catalogue.ts';

const codes = Object.keys(errorCatalogue) as ErrorCode[];

test('docs/errors.md is what the catalogue renders', () => {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  assert.equal(page, renderCatalogueMarkdown(), 'run: node scripts/write-error-page.ts');
});

test('every code is upper case, has a possible status, a meaning and a remedy', () => {
  for (const code of codes) {
    const { status, meaning, remedy } = catalogueEntry(code);
    assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
    assert.ok(status === 0 || status === 202 || (status >= 400 && status < 600), code);
    assert.match(meaning, /^[A-Z].*\.$/, code);
    assert.match(remedy, /^[A-Z].*\.$/, code);
  }
});

test('no code is in two parts of the catalogue', () => {
  const all = catalogueParts.flatMap(([, entries]) => Object.keys(entries));
  assert.equal(new Set(all).size, all.length);
  assert.deepEqual([...all].sort(), [...codes].sort());
});

test('what is worth sending again unchanged is never the fault of the request', () => {
  for (const code of codes) {
    const { status, retryable } = catalogueEntry(code);
    if (retryable) assert.ok([202, 403, 404, 408, 500, 502, 503, 504].includes(status), code);
  }
  assert.ok(catalogueEntry('TRANSACTION_LOST').retryable);
  assert.ok(!catalogueEntry('TRANSACTION_UNKNOWN').retryable);
});

test('the page has one row for every code', () => {
  const page = renderCatalogueMarkdown();
  for (const code of codes) assert.equal(page.split(`| \`${code}\` |`).length, 2, code);
});

test('an error body carries code, message and details, and reads back', () => {
  const body = errorBody('PAYLOAD_TOO_LARGE', 'too much', { maxBytes: 10 });
  assert.deepEqual(parseErrorBody(JSON.parse(JSON.stringify(body))), body);
  assert.deepEqual(errorBody('NOT_FOUND', 'nothing', {}), {
    error: { code: 'NOT_FOUND', message: 'nothing' },
  });
});

test('what is not an error body reads as undefined', () => {
  for (const value of [null, undefined, 1, 'x', {}, { error: 1 }, { error: { code: 1 } }]) {
    assert.equal(parseErrorBody(value), undefined);
  }
  assert.equal(parseErrorBody({ error: { code: 'A', message: 'b', details: 'c' } }), undefined);
});

test('details that are a list, as CCF has them, are read as one', () => {
  const details = [{ auth_policy: 'jwt', code: 'TOKEN_MISSING', message: 'none' }];
  const read = parseErrorBody({ error: { code: 'POLICY_NOT_MET', message: 'b', details } });
  assert.deepEqual(read?.error.details, { list: details });
});

test('the form of a receipt is what the parameter says, else what the header takes', () => {
  const cases: [string | null, string | undefined, string][] = [
    [null, undefined, 'json'],
    [null, '*/*', 'json'],
    [null, 'application/json, application/cose; q=0.1', 'cose'],
    ['json', 'application/cose', 'json'],
    ['cose', undefined, 'cose'],
  ];
  for (const [format, accept, form] of cases) assert.equal(receiptFormOf(format, accept), form);
  for (const format of ['', 'COSE', 'xml']) {
    assert.throws(() => receiptFormOf(format, undefined), { code: 'INVALID_PARAMETER' });
  }
});

test('a coded error of any room answers with the status of its code', () => {
  class Refusal extends CodedError<'NOT_A_MEMBER'> {}
  const answer = errorAnswer(new Refusal('NOT_A_MEMBER', 'no', { actorId: 'x' }));
  assert.equal(answer.status, 403);
  assert.deepEqual(answer.body.error.details, { actorId: 'x' });
  assert.equal(answer.retryAfterSeconds, undefined);
});

test('an overloaded node answers 503 with seconds to wait', () => {
  const answer = errorAnswer(new ApiError('OVERLOADED', 'queue full'));
  assert.deepEqual([answer.status, answer.retryAfterSeconds], [503, 1]);
});

test('an unexpected error answers INTERNAL_ERROR and keeps its message to itself', () => {
  for (const error of [new Error('secret'), new CodedError('NO_SUCH_CODE', 'secret'), 'secret']) {
    const answer = errorAnswer(error);
    assert.equal(answer.status, 500);
    assert.ok(!JSON.stringify(answer.body).includes('secret'));
  }
});

test('names of object methods are no codes', () => {
  assert.ok(isErrorCode('NOT_LEADER'));
  for (const name of ['toString', '__proto__', 'constructor', '']) assert.ok(!isErrorCode(name));
});
