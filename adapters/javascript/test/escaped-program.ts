/**
 * Stands for an application that has escaped its realm altogether: the runtime's own modules are
 * in its hands. It tries everything and writes to its pipe what came of it.
 */
import { readFileSync, writeFileSync, writeSync } from 'node:fs';

const tries: Readonly<Record<string, () => unknown>> = {
  readFile: () => readFileSync('/etc/passwd'),
  readMemory: () => readFileSync(`/proc/${process.ppid}/mem`),
  readEnvironment: () => readFileSync(`/proc/${process.ppid}/environ`),
  writeFile: () => writeFileSync('/tmp/concordat-escaped', 'x'),
  startProcess: () => process.getBuiltinModule('node:child_process').execFileSync('/bin/true'),
  loadLibrary: () =>
    process.dlopen({ exports: {} } as NodeJS.Module, '/lib/x86_64-linux-gnu/libc.so.6'),
  inspector: () => process.getBuiltinModule('node:inspector').open(0),
  internals: () => (process as unknown as { binding(name: string): unknown }).binding('spawn_sync'),
  evaluate: () => new Function('return 1')(),
  environment: () => {
    if (Object.keys(process.env).length === 0) throw new Error('EMPTY');
  },
};

const results = Object.entries(tries).map(([name, action]) => {
  try {
    action();
    return [name, 'DONE'];
  } catch (error) {
    const { code, message, name: kind } = error as NodeJS.ErrnoException;
    return [name, code ?? (message === 'EMPTY' ? message : kind)];
  }
});
writeSync(3, JSON.stringify(Object.fromEntries(results)));
