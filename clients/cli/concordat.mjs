#!/usr/bin/env node
// The command `concordat`, as npm links it. It is JavaScript that old runtimes read as well: the
// sources are TypeScript for the pinned runtime, which this finds and hands over to.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const pinned = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
const [major] = process.versions.node.split('.').map(Number);

if (major >= 24) {
  await import('./main.ts');
} else if (!existsSync(pinned)) {
  process.stderr.write(
    `error USAGE: this is Node ${process.versions.node}, and Concordat needs 24: run "npm ci" in its repository\n`,
  );
  process.exitCode = 2;
} else {
  const child = spawn(pinned, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A Ctrl-C at a terminal reaches both; a signal sent to this process alone is passed on.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 1 : 130);
  });
}
