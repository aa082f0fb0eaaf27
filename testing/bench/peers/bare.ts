import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BareAnswer, BareJob } from './bare-process.ts';

const script = fileURLToPath(new URL('bare-process.ts', import.meta.url));

/** Runs one process that does nothing but decode, recover and execute. */
export async function runBare(job: BareJob): Promise<BareAnswer> {
  // The worker image's own heap flag, so that both collect garbage alike.
  const args = ['--max-semi-space-size=64', script, JSON.stringify(job)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as BareAnswer;
}
