import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFakeNode, type FakeNode, type FakeNodeOptions } from '@concordat/conformance';
import { parseBundle, readBundle } from '../bundle.ts';
import { createJavascriptAdapter } from '../index.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const source = (version: string) => `
const m = ccf.kv.m;
export const put = (request) => {
  const key = ccf.strToBuf(request.query);
  if (m.has(key)) return { statusCode: 409, body: { version: '${version}' } };
  m.set(key, ccf.strToBuf('${version}'));
  return { body: { version: '${version}' } };
};
export const get = () => ({ body: { version: '${version}', size: m.size } });
`;

const endpoint = (js_function: string, mode = 'readwrite') => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: ['no_auth'],
});

const bundle = (version: string, paths: Record<string, unknown> = {}) =>
  bytesOfBundle({
    metadata: {
      endpoints: { '/m': { put: endpoint('put'), get: endpoint('get', 'readonly') }, ...paths },
    },
    modules: [{ name: 'main.js', module: source(version) }],
  });

const digestOf = (program: Uint8Array) => createHash('sha256').update(program).digest('hex');

async function nodeOf(t: TestContext, options: FakeNodeOptions = {}): Promise<FakeNode> {
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    ...options,
  });
  t.after(() => node.close());
  return node;
}

const put = async (node: FakeNode, key: string) => {
  const response = await fetch(`${node.url}/m?${key}`, { method: 'PUT' });
  const id = response.headers.get('x-ms-ccf-transaction-id') ?? '0.0';
  const { version } = (await response.json()) as { version?: string };
  return { status: response.status, version, seqno: Number(id.split('.')[1]) };
};

const get = async (node: FakeNode) => {
  const response = await fetch(`${node.url}/m`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

async function until(ask: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + 120_000; performance.now() < deadline; ) {
    if (await ask()) return;
    await sleep(10);
  }
  assert.fail(`waited for ${what}`);
}

const state = (node: FakeNode) => node.programStates.at(-1);

test('a worker without an application takes one, then another, and ends it', async (t) => {
  const node = await nodeOf(t);
  assert.equal((await get(node)).status, 404);
  assert.deepEqual(state(node), { adapter: 'javascript', state: 'none' });
  for (const version of ['one', 'two']) {
    node.deploy('javascript', bundle(version));
    assert.equal((await put(node, version)).version, version);
    assert.equal((await get(node)).body.version, version);
    await until(() => state(node)?.state === 'running', 'a running process');
    assert.equal(state(node)?.digest, digestOf(bundle(version)));
  }
  assert.equal((await get(node)).body.size, 2, 'records stay');
  node.deploy('javascript', undefined);
  assert.equal((await get(node)).status, 404);
  assert.equal((await put(node, 'three')).status, 404);
  assert.deepEqual(state(node), { adapter: 'javascript', state: 'none' });
});

test('under load every request runs once, under the application of its place in the order', async (t) => {
  const node = await nodeOf(t, { genesisData: bundle('0') });
  const answers: Awaited<ReturnType<typeof put>>[] = [];
  let number = 0;
  let isOver = false;
  const lanes = Array.from({ length: 16 }, async () => {
    while (!isOver) answers.push(await put(node, `key${number++}`));
  });
  await until(() => answers.length > 20, 'answers of the first one');
  for (let version = 1; version <= 6; version++) {
    const program = bundle(String(version));
    if (version % 2 === 0) await node.askProgram('prepare', 'javascript', program);
    node.deploy('javascript', program);
    const before = answers.length;
    await until(() => answers.length > before + 50, 'answers');
  }
  isOver = true;
  await Promise.all(lanes);
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  answers.sort((a, b) => a.seqno - b.seqno);
  const versions = answers.map(({ version }) => Number(version));
  assert.deepEqual(
    versions,
    [...versions].sort((a, b) => a - b),
  );
  assert.deepEqual([...new Set(versions)], [0, 1, 2, 3, 4, 5, 6]);
  assert.equal((await get(node)).body.size, answers.length);
});

test('reads run under what is committed, writes under what was ordered', async (t) => {
  const node = await nodeOf(t, { genesisData: bundle('old'), commit: 'on-demand' });
  await get(node);
  node.deploy('javascript', bundle('new'));
  assert.equal((await get(node)).body.version, 'old');
  const writing = put(node, 'a');
  await node.settled();
  await until(() => node.ledger.blocks.length === 3, 'a block of the new one');
  assert.equal((await get(node)).body.version, 'old');
  node.ledger.commit();
  assert.equal((await writing).version, 'new');
  assert.deepEqual((await get(node)).body, { version: 'new', size: 1 });
});

test('a block that is taken back takes its application with it', async (t) => {
  const node = await nodeOf(t, { genesisData: bundle('old'), commit: 'on-demand' });
  const before = node.ledger.blocks.length;
  const program = bundle('new');
  await node.askProgram('prepare', 'javascript', program);
  node.deploy('javascript', program);
  const writing = put(node, 'a');
  await until(() => node.ledger.blocks.length === before + 2, 'a block of the new one');
  node.ledger.rollback(before);
  // Nothing else is ever at the same height in the same view.
  node.ledger.role(true);
  const again = put(node, 'b');
  await until(() => node.ledger.blocks.length > before, 'a block of the old one');
  const third = put(node, 'c');
  await until(() => node.ledger.blocks.length > before + 1, 'another in the place of the other');
  node.ledger.commit();
  for (const one of [again, third]) assert.equal((await one).version, 'old');
  assert.equal((await writing).status, 503, 'its block was committed nowhere');
  assert.equal((await get(node)).body.version, 'old');
  node.deploy('javascript', program);
  node.ledger.commit();
  assert.equal((await get(node)).body.version, 'new');
});

test('what cannot be run leaves everything else going, says so, and can be replaced', async (t) => {
  const node = await nodeOf(t, { genesisData: bundle('good') });
  const syntax = bytesOfBundle({
    metadata: { endpoints: { '/m': { put: endpoint('put') } } },
    modules: [{ name: 'main.js', module: 'export const put = () => { ;;; ) };' }],
  });
  for (const [bad, reason] of [
    [Buffer.from('no bundle'), /BUNDLE_MALFORMED/],
    [syntax, /./],
  ] as const) {
    node.deploy('javascript', bad);
    await until(() => state(node)?.state === 'failing', 'a report');
    assert.match(String(state(node)?.reason), reason);
    assert.equal(state(node)?.digest, digestOf(bad));
    const told = await fetch(`${node.url}/app/commit`);
    assert.equal(told.status, 200, 'the worker serves what is its own');
    const refused = await fetch(`${node.url}/m?k`, { method: 'PUT' });
    assert.ok(refused.status >= 500, `${refused.status}`);
    node.deploy('javascript', bundle('better'));
    await until(async () => (await get(node)).body.version === 'better', 'another in its place');
  }
});

test('a program is checked beside the worker: refused with code, file and line, or not at all', async (t) => {
  const node = await nodeOf(t);
  const check = (program: Uint8Array) => node.askProgram('check', 'javascript', program);
  assert.deepEqual(await check(bundle('fine')), {});
  const wrong = `${source('x')}\nexport const y = ;`;
  const broken = bytesOfBundle({
    metadata: { endpoints: { '/m': { put: endpoint('put') } } },
    modules: [{ name: 'main.js', module: wrong }],
  });
  const { code, message, details } = await check(broken);
  assert.equal(code, 'SYNTAX_ERROR');
  assert.match(String(message), /^main\.js:\d+: /);
  assert.deepEqual(details, { file: 'main.js', line: wrong.split('\n').length });
  const good = bundle('fine');
  for (let at = 0; at < good.length; at += Math.ceil(good.length / 3)) {
    const flipped = Uint8Array.from(good);
    flipped[at] = (flipped[at] as number) ^ 0x80;
    assert.match(String((await check(flipped)).code), /^[A-Z_]+$/);
  }
  assert.equal((await check(new Uint8Array(0))).code, 'BUNDLE_MALFORMED');
  assert.equal((await check(Buffer.alloc(9e6, ' '))).code, 'BUNDLE_TOO_LARGE');
  assert.equal((await node.askProgram('check', 'nobody', good)).code, 'NO_PROGRAMS');
  assert.match(String((await node.askProgram('prepare', 'javascript', broken)).code), /^[A-Z_]+$/);
  assert.equal((await get(node)).status, 404, 'nothing of it is in force');
});

test('a follower, and whoever begins from a snapshot, run what the leader runs', async (t) => {
  const leader = await nodeOf(t, { genesisData: bundle('old') });
  await put(leader, 'a');
  leader.deploy('javascript', bundle('new'));
  await put(leader, 'b');
  await leader.settled();
  const snapshot = await leader.ledger.takeSnapshot();
  await put(leader, 'c');
  await leader.settled();
  const blocks = leader.ledger.committedBlocks;
  const nodes = [await nodeOf(t, { blocks }), await nodeOf(t, { blocks, snapshot })];
  const follower = await nodeOf(t, { follows: leader });
  for (const node of [...nodes, follower]) {
    assert.deepEqual((await get(node)).body, { version: 'new', size: 3 });
    assert.deepEqual(node.dump(), leader.dump());
  }
  leader.deploy('javascript', bundle('newest'));
  await until(async () => (await get(follower)).body.version === 'newest', 'the follower');
  assert.equal((await put(follower, 'd')).version, 'newest');
});

test('a state that is replaced brings its own application', async (t) => {
  const leader = await nodeOf(t, { genesisData: bundle('old') });
  leader.deploy('javascript', bundle('new'));
  await put(leader, 'a');
  await leader.settled();
  const snapshot = await leader.ledger.takeSnapshot();
  const blocks = leader.ledger.committedBlocks;
  const late = await nodeOf(t, { blocks: blocks.slice(0, 1) });
  assert.equal((await get(late)).body.version, 'old');
  late.ledger.restore(snapshot, blocks);
  late.worker.receive({ kind: 'start' });
  assert.deepEqual((await get(late)).body, { version: 'new', size: 1 });
  assert.deepEqual(late.dump(), leader.dump());
});

test('a bundle is checked within the memory that is in force, as it will be run', async (t) => {
  // Parsing it takes much more than the 32 MiB of heap that 128 MiB leave.
  const list = `export const list = [${'[1,{a:[2]}],'.repeat(60_000)}];\n`;
  const heavy = bytesOfBundle({
    metadata: { endpoints: { '/m': { get: endpoint('get', 'readonly') } } },
    modules: [
      {
        name: 'main.js',
        module: `${list}export const get = () => ({ body: list.length });\n`,
      },
    ],
  });
  const verdictUnder = async (maxMemoryMebibytes: number) => {
    const node = await nodeOf(t, { config: { ...patientLimits, maxMemoryMebibytes } });
    return node.askProgram('check', 'javascript', heavy);
  };
  assert.equal((await verdictUnder(1_024)).code, undefined);
  const { code, message } = await verdictUnder(128);
  assert.equal(code, 'SYNTAX_ERROR');
  assert.match(String(message), /128 MiB/);
});

test('a program that cannot be made ready says so at once', async (t) => {
  const node = await nodeOf(t);
  const broken = bytesOfBundle({
    metadata: { endpoints: { '/m': { get: endpoint('get', 'readonly') } } },
    modules: [{ name: 'main.js', module: 'export const get = ) => 1;' }],
  });
  const { code, message } = await node.askProgram('prepare', 'javascript', broken);
  assert.equal(code, 'ENDED', message);
  assert.match(String(message), /before it was ready: EXIT/);
});

test('the description of an application is that of the one in force', async (t) => {
  const node = await nodeOf(t);
  for (const version of ['one', 'two', 'one']) {
    node.deploy('javascript', bundle(version, { [`/${version}`]: { get: endpoint('get') } }));
    assert.equal((await put(node, `${version}-${Math.random()}`)).version, version);
    for (let again = 0; again < 2; again++) {
      const { paths } = (await (await fetch(`${node.url}/app/api`)).json()) as {
        paths: Record<string, unknown>;
      };
      const own = Object.keys(paths).filter((path) => /one|two/.test(path));
      assert.deepEqual(own, [`/${version}`]);
    }
  }
});

/** As large as a program may be, and of nothing but code. */
const largeBundle = (): Uint8Array => {
  const line = 'export const f$ = (a) => { const b = { x: a, y: [1, 2] }; return b.x + a; };\n';
  const count = Math.floor(7_000_000 / 40 / line.length);
  const large = Array.from({ length: 40 }, (_, module) => ({
    name: `large${module}.js`,
    module: Array.from({ length: count }, (_, at) => line.replace('$', `${at}`)).join(''),
  }));
  return bytesOfBundle({
    metadata: { endpoints: { '/m': { get: endpoint('get', 'readonly') } } },
    modules: [{ name: 'main.js', module: source('large') }, ...large],
  });
};

test('a program as large as may be is read by its process, at leisure, not by the worker', async (t) => {
  const program = largeBundle();
  const took = (work: () => unknown): number => {
    const startedMs = performance.now();
    work();
    return performance.now() - startedMs;
  };
  const wholeMs = took(() => parseBundle(program));
  // The shortest of some: this process was not kept from running meanwhile.
  const readMs = Math.min(...Array.from({ length: 5 }, () => took(() => readBundle(program))));
  assert.ok(readMs * 4 < wholeMs, `${readMs} ms of ${wholeMs} ms`);
  // Reading it takes longer than the 3 s after which a request would be held to be stuck.
  const node = await nodeOf(t, { config: { maxRequestMs: 500, maxBatchMs: 10 } });
  let [longestMs, lastMs] = [0, performance.now()];
  const heart = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 5);
  t.after(() => clearInterval(heart));
  assert.equal((await node.askProgram('prepare', 'javascript', program)).code, undefined);
  assert.ok(longestMs < wholeMs, `the worker did nothing else for ${longestMs} ms`);
  node.deploy('javascript', program);
  assert.equal((await get(node)).body.version, 'large');
});
