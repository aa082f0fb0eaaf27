import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';

const repository = resolve(import.meta.dirname, '../../..');
const directory = mkdtempSync(join(tmpdir(), 'concordat-newcomer-'));
const clone = join(directory, 'clone');

after(() => rmSync(directory, { recursive: true, force: true }));

/** A person's own environment: an empty home, but the package registry this machine is told of. */
const environment = {
  ...process.env,
  HOME: join(directory, 'home'),
  npm_config_userconfig: process.env.npm_config_userconfig ?? join(homedir(), '.npmrc'),
  npm_config_cache: join(directory, 'cache'),
  // The commands must find the pinned runtime by themselves.
  PATH: (process.env.PATH ?? '')
    .split(':')
    .filter((entry) => !entry.includes('node_modules'))
    .join(':'),
};

async function command(line: string): Promise<{ status: number | null; output: string }> {
  const child = spawn('sh', ['-c', line], { cwd: clone, env: environment });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  const status = await new Promise<number | null>((done) => child.once('close', done));
  return { status, output };
}

test('two commands bring up a network from a clean clone under an empty home', async () => {
  mkdirSync(environment.HOME, { recursive: true });
  const cloned = spawnSync('git', ['clone', '--quiet', repository, clone], { encoding: 'utf8' });
  assert.equal(cloned.status, 0, cloned.stderr);

  const installed = await command('npm ci --no-progress');
  assert.equal(installed.status, 0, installed.output);

  const started = await command('npm start --silent -- --once --json');
  assert.equal(started.status, 0, started.output);
  const last = started.output.trim().split('\n').at(-1) as string;
  const ready = JSON.parse(last) as { ready: boolean; transactionId: string };
  assert.equal(ready.ready, true, started.output);
  assert.match(ready.transactionId, /^\d+\.\d+$/);

  const verified = await command('npm run --silent concordat -- ledger verify vn2 --json');
  assert.equal(verified.status, 0, verified.output);
  assert.equal((JSON.parse(verified.output) as { ok: boolean }).ok, true, verified.output);
});
