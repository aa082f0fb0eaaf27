import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { relative } from 'node:path';
import type { Command } from '../command.ts';
import { CliError } from '../errors.ts';
import { devCommand } from './dev-command.ts';
import { linkFramework } from './framework-links.ts';
import { newProject, templates } from './new-project.ts';
import { readProject } from './project.ts';

const newCommand: Command = {
  name: 'app new',
  summary: 'make the directory of a new application, ready to run and to edit',
  usage: `<directory> [--template ${templates.join(' | ')}]`,
  positionals: 1,
  options: { template: { type: 'string', default: 'counter' } },
  examples: ['app new ~/counter', 'app new bank --template bank'],
  run: async ({ options, positionals, terminal }) => {
    const [directory] = positionals;
    if (directory === undefined) throw new CliError('USAGE', 'name the directory to make');
    const files = await newProject(directory, String(options.template));
    const place = relative('', directory) || '.';
    terminal.write(
      [
        `Made ${place}: ${files.filter((file) => file.endsWith('.ts')).join(', ')}.`,
        '',
        ...(place === '.' ? [] : [`  cd ${quoted(place)}`]),
        '  npx concordat app test   runs its tests, no network needed',
        '  npx concordat app dev    starts a network with it and follows your edits',
        '',
      ].join('\n'),
    );
    return 0;
  },
};

const testCommand: Command = {
  name: 'app test',
  summary: 'run the tests (*.test.ts) of the application in this directory',
  usage: '[directory] [--watch]',
  positionals: 1,
  options: { watch: { type: 'boolean', default: false } },
  examples: ['app test', 'app test . --watch'],
  run: async ({ options, positionals }) => {
    const { directory } = await readProject(positionals[0] ?? '.');
    await linkFramework(directory);
    const files = globSync('**/*.test.ts', {
      cwd: directory,
      exclude: (path) => /(?:^|\/)(?:node_modules|\.concordat)(?:\/|$)/.test(path),
    }).sort();
    if (files.length === 0) {
      throw new CliError(
        'NOT_AN_APPLICATION',
        `${directory} has no tests: write one in a file that ends with .test.ts`,
      );
    }
    const watch = options.watch === true ? ['--watch'] : [];
    const child = spawn(process.execPath, ['--test', ...watch, ...files], {
      cwd: directory,
      stdio: 'inherit',
    });
    // A Ctrl-C reaches the tests as well: they end first.
    process.on('SIGINT', () => {});
    return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 130)));
  },
};

/** A path as a shell takes it. */
const quoted = (path: string): string =>
  /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;

/** Commands of the developer of an application. */
export const appCommands: readonly Command[] = [newCommand, devCommand, testCommand];
