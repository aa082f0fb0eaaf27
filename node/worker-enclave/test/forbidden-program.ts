/**
 * Tries to run code without the flags of its own process, as code within an enclave would that is not
 * ours. Prints what it could read.
 */
import modules, { createRequire, register } from 'node:module';
import { Worker } from 'node:worker_threads';
import { forbidThreads } from '../thread-start.ts';

forbidThreads();

const breakOut = `require('node:fs').readFileSync('/etc/hostname'); process._rawDebug('escaped')`;
const options = { eval: true, execArgv: [], env: {} };
type ThreadClass = new (code: string, options: object) => object;

const ways: Readonly<Record<string, () => Promise<ThreadClass>>> = {
  'import before': async () => Worker,
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

const hooks = `new (process.getBuiltinModule('node:worker_threads').Worker)(
  ${JSON.stringify(breakOut)}, ${JSON.stringify(options)})`;
const loaders: Readonly<Record<string, () => Promise<typeof register>>> = {
  'hooks, imported before': async () => register,
  'hooks of the default': async () => modules.register,
  'hooks, builtin': async () => process.getBuiltinModule('node:module').register,
  'hooks, require': async () => createRequire(import.meta.url)('module').register,
};
for (const [way, find] of Object.entries(loaders)) {
  try {
    (await find())(`data:text/javascript,${encodeURIComponent(hooks)}`);
    console.log(`${way}: a thread`);
  } catch (error) {
    console.log(`${way}: ${(error as Error).message}`);
  }
}
