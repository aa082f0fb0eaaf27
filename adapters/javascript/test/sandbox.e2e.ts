import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createFakeNode, type FakeNode } from '@concordat/conformance';
import { createJavascriptAdapter } from '../index.ts';
import { hostileBundle } from './hostile-application.ts';
import { bytesOfBundle } from './logging-application.ts';

suite('a hostile application', { concurrency: false }, () => {
  let node: FakeNode;
  let impatient: FakeNode;
  let patient: FakeNode;

  before(async () => {
    const start = (maxRequestMs: number) =>
      createFakeNode(createJavascriptAdapter(), {
        config: { maxRequestMs, maxMemoryMebibytes: 200 },
        genesisData: bytesOfBundle(hostileBundle),
      });
    impatient = await start(400);
    patient = await start(4_000);
    node = impatient;
  });
  after(() => Promise.all([impatient.close(), patient.close()]));

  /** The answer to an attack by both ways; the application serves the next request all the same. */
  async function attack(name: string, method = 'GET') {
    const response = await fetch(`${node.url}/${name}`, { method });
    const { status, headers } = response;
    const text = await response.text();
    // What little time a request has here may be over before it began, on a machine that is busy.
    let ok = '';
    for (let tries = 0; tries < 10 && !ok.startsWith('200'); tries++) {
      const next = await fetch(`${node.url}/ok`);
      ok = `${next.status} ${await next.text()}`;
      if (!ok.includes('APPLICATION_TIMEOUT')) break;
    }
    assert.equal(ok, '200 ok', `after ${name}: ${text}`);
    const json = headers.get('content-type') === 'application/json' ? JSON.parse(text) : undefined;
    return { status, text, json, code: json?.error?.code as string | undefined };
  }

  /** @param codes any of which is right, as the application meets several limits at once */
  async function refused(name: string, ...codes: string[]): Promise<void> {
    for (const method of ['GET', 'POST']) {
      const state = node.dumpHead();
      const answer = await attack(name, method);
      const { code = 'none', status, text } = answer;
      assert.ok(codes.includes(code), `${method} ${name}: ${status} ${text}`);
      assert.equal(answer.status, 500);
      assert.deepEqual(node.dumpHead(), state, 'nothing was written');
    }
  }

  /** What is not about time has plenty of it, whatever else the machine does. */
  async function patiently(act: () => Promise<void>): Promise<void> {
    node = patient;
    await act().finally(() => {
      node = impatient;
    });
  }

  test('finds none of the runtime’s globals', () =>
    patiently(async () => {
      assert.deepEqual((await attack('globals')).json, []);
    }));

  test('cannot make code from text, whichever constructor it takes', () =>
    patiently(async () => {
      const { json } = await attack('codeFromText');
      assert.deepEqual(new Set(json), new Set(['EvalError']));
    }));

  test('reaches no object of the process around it', () =>
    patiently(async () => {
      const { json } = await attack('foreignObjects');
      assert.ok(json.seen > 500, JSON.stringify(json));
      assert.deepEqual([json.foreignRoots, json.foreignFunctions], [0, 0]);
      assert.equal((await attack('stackFrames')).text, 'frozen TypeError');
    }));

  test('changes nothing for later requests, and overrides what is its own', () =>
    patiently(async () => {
      const { json } = await attack('tamper');
      assert.deepEqual(new Set(json), new Set(['TypeError']), JSON.stringify(json));
      const { json: own } = await attack('ownOverrides');
      assert.deepEqual(own, ['point', 'Mine: b', 'own', 'old', '[object Object]']);
    }));

  test('keeps no module state between requests, unless it asks for it', () =>
    patiently(async () => {
      assert.equal((await attack('counter')).text, '1');
      assert.equal((await attack('counter')).text, '1');
      assert.equal((await attack('shared/counter')).text, '1');
      assert.equal((await attack('shared/counter')).text, '2');
    }));

  for (const name of ['loop', 'loopOverState', 'regex', 'microtasks', 'garbage', 'throwsTrap']) {
    test(`is interrupted: ${name}`, () => refused(name, 'APPLICATION_TIMEOUT'));
  }

  test('meets its time or its memory first: a chain of promises that each hold the last', () =>
    refused('promiseChain', 'APPLICATION_TIMEOUT', 'APPLICATION_STOPPED'));

  test('does not answer for what earlier requests left in memory', () =>
    patiently(async () => {
      for (let at = 0; at < 10; at++) assert.equal((await attack('litter')).text, 'littered');
    }));

  for (const name of ['heap', 'buffers', 'hugeArray']) {
    test(`loses its process, and no other: ${name}`, () =>
      patiently(() => refused(name, 'APPLICATION_STOPPED')));
  }

  for (const name of ['recursion', 'recursionIntoHost', 'never', 'nothing', 'oddAnswer']) {
    test(`is answered for by code: ${name}`, () =>
      patiently(() => refused(name, 'APPLICATION_FAILED')));
  }

  for (const name of ['oddStatus', 'splitHeader', 'framing', 'cyclic', 'throwsText']) {
    test(`is answered for by code: ${name}`, () =>
      patiently(() => refused(name, 'APPLICATION_FAILED')));
  }

  for (const name of ['asyncThrow', 'answerGetter']) {
    test(`is answered for by code: ${name}`, () =>
      patiently(() => refused(name, 'APPLICATION_FAILED')));
  }

  test('writes nothing when it is interrupted', async () => {
    const state = node.dumpHead();
    assert.equal((await attack('loopAfterWrite', 'POST')).code, 'APPLICATION_TIMEOUT');
    assert.deepEqual(node.dumpHead(), state);
  });

  test('is held to its limits of answers and writes', async () => {
    await patiently(async () => {
      await refused('hugeAnswer', 'APPLICATION_LIMIT');
      await refused('hugeWrite', 'APPLICATION_FAILED');
    });
  });

  test('may be asynchronous as long as nothing outside has to happen', () =>
    patiently(async () => {
      const { status, text } = await attack('asyncOk');
      assert.equal(`${status} ${text}`, '200 later');
    }));

  test('takes nothing from others that run in the same batch', () =>
    patiently(async () => {
      const paths = Array.from({ length: 40 }, (_, at) => (at % 10 === 3 ? 'buffers' : 'ok'));
      for (const method of ['GET', 'POST']) {
        const answers = await Promise.all(
          paths.map(async (path) => (await fetch(`${node.url}/${path}`, { method })).status),
        );
        assert.deepEqual(
          answers,
          paths.map((path) => (path === 'ok' ? 200 : 500)),
        );
      }
    }));
});
