import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const program = fileURLToPath(new URL('forbidden-program.ts', import.meta.url));

describe('a worker enclave that may have threads', () => {
  it('has none but those that prepare requests, however they are asked for', async () => {
    const flags = ['--permission', `--allow-fs-read=${repository}`, '--allow-worker'];
    const run = promisify(execFile)(process.execPath, [...flags, program], { env: {} });
    const { stdout, stderr } = await run;
    const refused = 'no threads but those that prepare requests';
    assert.deepEqual(stdout.trim().split('\n'), [
      `import before: ${refused}`,
      `import: ${refused}`,
      `import of the default: ${refused}`,
      `builtin: ${refused}`,
      `require: ${refused}`,
      `hooks, imported before: ${refused}`,
      `hooks of the default: ${refused}`,
      `hooks, builtin: ${refused}`,
      `hooks, require: ${refused}`,
    ]);
    assert.doesNotMatch(stderr, /escaped/);
  });
});
