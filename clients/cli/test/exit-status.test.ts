import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SdkError } from '@concordat/sdk';
import { CliError, explainAsJson } from '../errors.ts';
import { exitStatus, exitStatusTexts, statusOfError } from '../exit-status.ts';

test('each kind of failure has its exit status', () => {
  assert.equal(statusOfError(new CliError('USAGE', 'no')), exitStatus.usage);
  assert.equal(statusOfError(new CliError('INTERRUPTED', 'no')), exitStatus.interrupted);
  assert.equal(statusOfError(new CliError('VERIFICATION_FAILED', 'no')), exitStatus.failed);
  assert.equal(statusOfError(new CliError('TIMEOUT', 'no')), exitStatus.unavailable);
  assert.equal(statusOfError(new SdkError('UNREACHABLE', 'no')), exitStatus.unavailable);
  const answered = (code: 'NOT_A_MEMBER' | 'LEADER_UNKNOWN', status: number) =>
    statusOfError(new SdkError(code, 'no', { status }));
  assert.equal(answered('NOT_A_MEMBER', 403), exitStatus.refused);
  assert.equal(answered('LEADER_UNKNOWN', 503), exitStatus.unavailable);
  assert.equal(statusOfError(new SdkError('INVALID_IDENTITY', 'no')), exitStatus.failed);
  assert.equal(statusOfError(new TypeError('a fault')), exitStatus.failed);
});

test('every status is explained once', () => {
  const explained = exitStatusTexts.map(([status]) => status);
  assert.deepEqual(explained, Object.values(exitStatus));
});

test('programs are told code, message, remedy and details of a failure', () => {
  const told = JSON.parse(explainAsJson(new SdkError('LEADER_UNKNOWN', 'none', { status: 503 })));
  assert.equal(told.error.code, 'LEADER_UNKNOWN');
  assert.equal(told.error.details.status, 503);
  assert.ok(told.error.remedy.length > 10);
  assert.equal(JSON.parse(explainAsJson(new TypeError('x'))).error.code, 'INTERNAL_ERROR');
});
