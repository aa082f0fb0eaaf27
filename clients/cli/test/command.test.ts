import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Command,
  type Invocation,
  required,
  runCommand,
  selectCommand,
  usageOf,
  wholeNumber,
} from '../command.ts';
import { CliError } from '../errors.ts';

const silent = { write: () => {}, interactive: false };

function command(name: string, seen: Invocation[] = []): Command {
  return {
    name,
    summary: 'for tests',
    usage: '<what> [--count 3]',
    positionals: 1,
    options: { count: { type: 'string' }, quick: { type: 'boolean', default: false } },
    run: async (invocation) => {
      seen.push(invocation);
      return 7;
    },
  };
}

const isUsage = (pattern: RegExp) => (error: unknown) =>
  error instanceof CliError && error.code === 'USAGE' && pattern.test(error.message);

test('a command of two words is found before one of its first word', () => {
  const commands = [command('sandbox'), command('sandbox up')];
  const found = selectCommand(commands, ['sandbox', 'up', '--quick']);
  assert.equal(found?.command.name, 'sandbox up');
  assert.deepEqual(found?.rest, ['--quick']);
  assert.equal(selectCommand(commands, ['sandbox', 'down'])?.command.name, 'sandbox');
});

test('words that name no command select none', () => {
  assert.equal(selectCommand([command('sandbox up')], ['sandbox']), undefined);
  assert.equal(selectCommand([command('sandbox up')], []), undefined);
});

test('options and positionals reach the command, and its exit status comes back', async () => {
  const seen: Invocation[] = [];
  const status = await runCommand(command('count', seen), ['here', '--count', '4'], silent);
  assert.equal(status, 7);
  assert.deepEqual({ ...seen[0]?.options }, { count: '4', quick: false });
  assert.deepEqual(seen[0]?.positionals, ['here']);
});

test('an unknown option is refused with the usage line and nothing about hyphens', async () => {
  const run = runCommand(command('count'), ['--cuont', '4'], silent);
  await assert.rejects(
    run,
    isUsage(/^Unknown option '--cuont'\n {2}usage: concordat count <what>/),
  );
});

test('an option without its value is refused', async () => {
  await assert.rejects(runCommand(command('count'), ['--count'], silent), isUsage(/--count/));
});

test('an argument too many is refused rather than ignored', async () => {
  const seen: Invocation[] = [];
  const run = runCommand(command('count', seen), ['one', 'two'], silent);
  await assert.rejects(run, isUsage(/"two" is one argument too many/));
  assert.equal(seen.length, 0);
});

test('a usage error from inside a command shows the usage line, other errors do not', async () => {
  const failing = (code: 'USAGE' | 'TIMEOUT'): Command => ({
    ...command('fail'),
    run: async () => {
      throw new CliError(code, 'no');
    },
  });
  await assert.rejects(runCommand(failing('USAGE'), [], silent), isUsage(/^no\n {2}usage: /));
  await assert.rejects(runCommand(failing('TIMEOUT'), [], silent), { message: 'no' });
});

const invocation = (options: Invocation['options']): Invocation => ({
  options,
  positionals: [],
  terminal: silent,
});

test('a required option is named when it is missing or empty', () => {
  assert.equal(required(invocation({ key: 'k.pem' }), 'key'), 'k.pem');
  assert.throws(() => required(invocation({}), 'key'), isUsage(/^--key is missing$/));
  assert.throws(() => required(invocation({ key: '' }), 'key'), isUsage(/--key/));
});

test('a whole number is taken within its bounds and has a default', () => {
  const bounds = { least: 1, most: 9, otherwise: 3 };
  const read = (nodes?: string) => wholeNumber(invocation({ nodes }), 'nodes', bounds);
  assert.equal(read(), 3);
  assert.equal(read('1'), 1);
  assert.equal(read('9'), 9);
  for (const wrong of ['0', '10', '2.5', 'x', '', ' ', '-1']) {
    assert.throws(() => read(wrong), isUsage(/--nodes must be a whole number from 1 to 9/));
  }
});

test('the usage line of a command without arguments has no trailing space', () => {
  assert.equal(usageOf({ ...command('network'), usage: '' }), 'concordat network');
});
