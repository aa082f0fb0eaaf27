/**
 * Tries to run code without the flags of its own process, as code within an enclave would that is not
 * ours. Prints what it could read.
 */
import { createRequire } from 'node:module';
import { forbidThreads } from '../thread-start.ts';

forbidThreads();

const breakOut = `require('node:fs').readFileSync('/etc/hostname'); process._rawDebug('escaped')`;
const options = { eval: true, execArgv: [], env: {} };
type ThreadClass = new (code: string, options: object) => object;

const ways: Readonly<Record<string, () => Promise<ThreadClass>>> = {
  import: async () => (await import('node:worker_threads')).Worker,
  'import of the default': async () => (await import('node:worker_threads')).default.Worker,
  builtin: async () => process.getBuiltinModule('node:worker_threads').Worker,
  require: async () => createRequire(import.meta.url)('worker_threads').Worker,
};
for (const [way, find] of Object.entries(ways)) {
  try {
    new (await find())(breakOut, options);
    console.log(`${way}: a thread`);
  } catch (error) {
    console.log(`${way}: ${(error as Error).message}`);
  }
}
