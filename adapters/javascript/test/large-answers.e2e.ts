import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeNode } from '@concordat/conformance';
import { createJavascriptAdapter } from '../index.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const mebibyte = 1024 * 1024;
const source = `
let runs = 0;
export const put = () => {
  runs += 1;
  ccf.kv.m.set(ccf.strToBuf('k'), ccf.strToBuf('v'));
  return { body: new Uint8Array(15 * ${mebibyte}) };
};
export const count = () => ({ body: { runs } });
`;
const endpoint = (js_function: string, mode: string) => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: ['no_auth'],
  interpreter_reuse: { key: 'all' },
});
const bundle = bytesOfBundle({
  metadata: {
    endpoints: { '/m': { put: endpoint('put', 'readwrite'), get: endpoint('count', 'readonly') } },
  },
  modules: [{ name: 'main.js', module: source }],
});

test('a batch with more to answer than a frame holds does not end the application', async (t) => {
  const config = { ...patientLimits, maxAnswerBytes: 16 * mebibyte, maxMemoryMebibytes: 4_096 };
  const node = await createFakeNode(createJavascriptAdapter(), { genesisData: bundle, config });
  t.after(() => node.close());
  const put = async (): Promise<number> => {
    const response = await fetch(`${node.url}/m`, { method: 'PUT' });
    assert.equal(response.status, 200);
    return (await response.arrayBuffer()).byteLength;
  };
  await put();
  const sizes = await Promise.all(Array.from({ length: 24 }, put));
  assert.ok(sizes.every((size) => size === 15 * mebibyte));
  const response = await fetch(`${node.url}/m`);
  const { runs } = (await response.json()) as { runs: number };
  assert.ok(runs >= 25, `the process that counted ${runs} is another one`);
});
