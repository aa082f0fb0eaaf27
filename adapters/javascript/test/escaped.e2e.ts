import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startProcess } from '../program.ts';

test('code that has escaped its realm has no files, processes, addons, inspector or environment', async () => {
  const file = fileURLToPath(new URL('escaped-program.ts', import.meta.url));
  const child = startProcess({ file, args: [], readable: [file] }, { maxMemoryMebibytes: 200 });
  let text = '';
  const pipe = child.stdio[3] as Readable;
  pipe.on('data', (data: Buffer) => {
    text += data.toString();
  });
  await once(child, 'close');
  const { evaluate, environment, ...denied } = JSON.parse(text) as Record<string, string>;
  assert.equal(Object.keys(denied).length, 8);
  for (const [name, result] of Object.entries(denied)) {
    assert.match(result, /^ERR_(ACCESS_DENIED|DLOPEN_DISABLED)$/, name);
  }
  assert.deepEqual({ evaluate, environment }, { evaluate: 'EvalError', environment: 'EMPTY' });
});
