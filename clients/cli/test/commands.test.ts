import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { selectCommand } from '../command.ts';
import { commandGroups, groupOf } from '../command-groups.ts';
import { commands } from '../commands.ts';
import { renderCommandsPage } from '../commands-page.ts';
import { shortUsage } from '../common-options.ts';
import { commandText, groupText, optionRows, overviewText } from '../help.ts';
import { jsonShapes } from '../json-shapes.ts';

/** Words of a line as a shell makes them, for the quotes that examples use. */
function wordsOf(line: string): string[] {
  const words = line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return words.map((word) => word.replace(/^'(.*)'$|^"(.*)"$/, '$1$2'));
}

test('no two commands have one name, and every one stands under a noun that is explained', () => {
  const names = commands.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.length > 40, `${names.length} commands`);
  for (const name of names) assert.match(name, /^[a-z]+( [a-z-]+)?$/);
  const groups = commandGroups.map(([name]) => name);
  assert.deepEqual([...new Set(names.map(groupOf))], groups);
});

test('every command has an example, and every example is a command line that is understood', () => {
  for (const { name, examples = [] } of commands) {
    assert.ok(examples.length > 0, `${name} has no example`);
    for (const example of examples) {
      const words = wordsOf(example.split(/ [>|] /)[0] as string);
      const selected = selectCommand(commands, words);
      assert.equal(selected?.command.name, name, example);
      const { options, positionals = 0 } = selected.command;
      const parsed = parseArgs({
        args: selected.rest as string[],
        options,
        allowPositionals: true,
      });
      assert.ok(parsed.positionals.length <= positionals, example);
    }
  }
});

test('every option of every command says what it is for', () => {
  for (const command of commands) {
    for (const [option, text] of optionRows(command)) {
      assert.ok(text.replace(/^[;(].*/, '') !== '', `${command.name} ${option} is not explained`);
    }
  }
});

/** Commands that print nothing a program would read: they write a file, run something, or serve. */
const withoutJson = new Set([
  'app dev',
  'app new',
  'app test',
  'completion',
  // It prints JSON and nothing else.
  'constitution schema',
  'gateway',
  'key organisation',
  'key renew',
  'key revoke',
  'key renew',
  'key staff',
  'node tuple',
  'recover start',
  'sandbox down',
  'sandbox restart',
  'sandbox epoch-keys',
  'token generate',
  'token organisation',
]);

test('every command that prints data prints it as JSON when asked', () => {
  const without = commands.filter(({ options }) => !('json' in options)).map(({ name }) => name);
  assert.deepEqual(
    without.filter((name) => !withoutJson.has(name)),
    [],
  );
});

test('what is printed as JSON is told for every such command, and for no other', () => {
  const printing = commands.filter(({ options }) => 'json' in options).map(({ name }) => name);
  assert.deepEqual(Object.keys(jsonShapes).sort(), printing.sort());
});

test('the page of commands is that of the table', () => {
  const page = new URL('../../../docs/operate/commands.md', import.meta.url);
  const how = 'node scripts/write-commands-page.ts writes it';
  assert.equal(readFileSync(page, 'utf8'), renderCommandsPage(commands), how);
});

test('every command can be asked for, with its usage, options and examples', () => {
  for (const command of commands) {
    const text = commandText(command);
    assert.ok(text.includes(shortUsage(command)), command.name);
    for (const option of Object.keys(command.options)) assert.ok(text.includes(`--${option}`));
  }
  const plain = { write: () => {}, interactive: false };
  for (const [group] of commandGroups) {
    assert.ok(overviewText(plain, commands).includes(`  ${group}`));
    assert.ok(groupText(group, commands).startsWith(`concordat ${group}: `));
  }
});

async function completionScript(shell: string): Promise<string> {
  const selected = selectCommand(commands, ['completion', shell]);
  let script = '';
  const terminal = { write: (text: string) => (script += text), interactive: false };
  await selected?.command.run({ options: {}, positionals: [shell], terminal });
  return script;
}

test('bash completes nouns, verbs, options and files', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'concordat-completion-'));
  try {
    const file = join(directory, 'concordat.bash');
    writeFileSync(file, await completionScript('bash'));
    writeFileSync(join(directory, 'proposal.json'), '');
    const complete = (...words: string[]): string[] => {
      const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _concordat; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const args = ['--norc', '-c', script, 'bash', file, 'concordat', ...words];
      const said = execFileSync('bash', args, { encoding: 'utf8', cwd: directory });
      return said.split('\n').filter((word) => word !== '');
    };
    assert.deepEqual(complete('prop'), ['proposal']);
    assert.deepEqual(complete('vote', ''), ['accept', 'reject']);
    assert.deepEqual(complete('proposal', 's'), ['show', 'sign', 'submit']);
    assert.deepEqual(complete('proposal', 'submit', '--sig'), ['--signature']);
    assert.deepEqual(complete('proposal', 'create', 'prop'), ['proposal.json']);
    assert.deepEqual(complete('help', 'vo'), ['vote']);
    assert.deepEqual(complete('help', 'vote', 'a'), ['accept']);
    assert.deepEqual(complete('start', '--fr'), ['--fresh']);
    assert.ok(complete('').includes('constitution'));
    assert.deepEqual(complete('nosuch', 'x'), []);
    const defined = execFileSync('bash', [
      '--norc',
      '-c',
      'source "$1"; complete -p concordat',
      'bash',
      file,
    ]);
    assert.match(defined.toString(), /-F _concordat concordat/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('the scripts for zsh and fish name every command', async () => {
  const [zsh, fish] = await Promise.all(['zsh', 'fish'].map(completionScript));
  for (const { name } of commands) {
    assert.ok(zsh?.includes(`'${name}'`), `zsh: ${name}`);
    const [noun = '', verb = noun] = name.split(' ');
    assert.ok(fish?.includes(`-a ${verb} `), `fish: ${name}`);
  }
});

const has = (program: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
};

for (const [shell, flag] of [
  ['zsh', '-n'],
  ['fish', '--no-execute'],
] as const) {
  test(`${shell} reads its script`, { skip: !has(shell) && `there is no ${shell}` }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'concordat-completion-'));
    try {
      const file = join(directory, 'script');
      writeFileSync(file, await completionScript(shell));
      execFileSync(shell, [flag, file]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
