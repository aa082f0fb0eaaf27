import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { catalogueEntry } from '@concordat/api';
import { AuditorError } from '@concordat/auditor';
import { SdkError } from '@concordat/sdk';
import { CliError, explain } from '../errors.ts';

test('a code of the catalogue is explained with its remedy', () => {
  const said = explain(new SdkError('LEADER_UNKNOWN', 'there is no leader at present'));
  assert.equal(
    said,
    `LEADER_UNKNOWN: there is no leader at present\n  ${catalogueEntry('LEADER_UNKNOWN').remedy}`,
  );
});

test('a remedy that the message holds already is not said twice', () => {
  const { remedy } = catalogueEntry('UNKNOWN_ACTOR');
  const said = explain(new SdkError('UNKNOWN_ACTOR', `No actor. ${remedy}`));
  assert.equal(said, `UNKNOWN_ACTOR: No actor. ${remedy}`);
});

test('a node that cannot be reached is explained with where to look', () => {
  const said = explain(new SdkError('UNREACHABLE', '127.0.0.1:1: nothing listens there'));
  assert.match(said, /nothing listens there\n {2}.*sandbox status/);
});

test('a failure of the command line is its code and message', () => {
  assert.equal(explain(new CliError('NODE_FAILED', 'vn2 ended')), 'NODE_FAILED: vn2 ended');
});

test('a file that is not there is named without a stack', async () => {
  const error = await readFile('/no/such/file').catch((reason: unknown) => reason);
  assert.equal(explain(error), 'ENOENT: there is no /no/such/file');
});

test('a file in the place of a directory, and a directory in that of a file, are told', async () => {
  const own = new URL(import.meta.url).pathname;
  const below = await readFile(`${own}/x`).catch((reason: unknown) => reason);
  assert.match(explain(below), /^ENOTDIR: .*does not lie in a directory/);
  const directory = await readFile('/').catch((reason: unknown) => reason);
  assert.match(explain(directory), /^EISDIR: /);
});

test('what nobody foresaw keeps its stack and asks for a report', () => {
  assert.match(
    explain(new TypeError('x is no function')),
    /report it\nTypeError: x is no function\n +at /,
  );
  assert.match(explain('thrown'), /thrown$/);
});

test('what others wrote steers no terminal from an error', () => {
  const actor = '\u001b]0;owned\u0007\u009b2J\u202e';
  const error = new AuditorError('UNKNOWN_SHARING', `no sharing with ${actor}\nin this\tledger`);
  const told = explain(error);
  assert.match(
    told,
    /no sharing with \\u\{1b\}\]0;owned\\u\{7\}\\u\{9b\}2J\\u\{202e\}\nin this\tledger/,
  );
});
