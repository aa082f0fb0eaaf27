/**
 * Builds the enclave images twice, from a copy of nothing but the sources' own place and from
 * another working directory, time zone and locale, and compares every byte: a measurement that a
 * member votes on must be one that any member can compute.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('build-images.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'concordat-images-'));

function build(name: string, options: { cwd: string; env: Record<string, string> }) {
  const output = join(directory, name);
  const { status, stderr } = spawnSync(process.execPath, [script, '--output', output], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the build failed: ${stderr}`);
  const files = globSync('**/*.{mjs,json,node}', { cwd: output }).sort();
  return files.map((file) => {
    const digest = createHash('sha256')
      .update(readFileSync(join(output, file)))
      .digest('hex');
    return `${digest}  ${file}`;
  });
}

try {
  const one = build('one', { cwd: process.cwd(), env: { TZ: 'UTC', LC_ALL: 'C' } });
  const two = build('two', { cwd: '/', env: { TZ: 'Asia/Tokyo', LC_ALL: 'C.UTF-8' } });
  process.stdout.write(`${one.join('\n')}\n`);
  if (one.length < 4 || one.join() !== two.join()) {
    process.stdout.write(`the second build differs:\n${two.join('\n')}\n`);
    process.exitCode = 1;
  } else {
    process.stdout.write('Both builds are equal, byte for byte.\n');
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
