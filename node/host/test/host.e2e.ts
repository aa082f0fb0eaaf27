import { strict as assert } from 'node:assert';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { appendFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { rejoinExitStatus } from '@concordat/bridge';
import { BinaryReader } from '@concordat/std';
import { measureImage } from '../measurement.ts';
import { VnFixture } from './vn-fixture.ts';

/** Whether a process runs; one that has ended but was not yet waited for does not. */
function isRunning(pid: unknown): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}

async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!(await is())) {
    assert(performance.now() < deadline, 'it did not come to pass');
    await sleep(20);
  }
}

test('a node starts, tells its enclaves what they need, and ends in order on SIGTERM', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  const worker = await vn.event('test.worker-started');
  assert.deepEqual([worker.index, worker.adapters], [1, ['keyvalue']]);
  const { seen } = (await vn.command({ do: 'seen' })) as { seen: Record<string, unknown>[] };
  const start = seen[0]!.start as Record<string, unknown>;
  assert.deepEqual(
    [start.mode, start.genesis, start.lastHeight, start.restarts],
    ['genesis', { name: 'test' }, 0, 0],
  );
  let later: Record<string, unknown>[] = [];
  const partsOf = (seen: typeof later) =>
    seen.filter(({ genesisData }) => genesisData === 'ethereum');
  const greeting = 'hello from worker 1';
  await until(async () => {
    ({ seen: later } = (await vn.command({ do: 'seen' })) as { seen: typeof later });
    return partsOf(later).at(-1)?.last === true && later.some(({ worker }) => worker === greeting);
  });
  const parts = partsOf(later);
  assert.equal(
    parts.reduce((sum, { bytes }) => sum + Number(bytes), 0),
    2_500_000,
  );
  const { pid } = await vn.event('enclave.launched', { where: { source: 'manager' } });
  assert.equal(await vn.stop(), 0);
  await vn.event('test.shutdown-received');
  assert.equal(isRunning(pid), false);
  assert.equal(vn.lines.at(-1)!.event, 'host.stopped');
});

test('an enclave reads, writes, spawns, evaluates and reaches nothing outside', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start({ SECRET: 'of the host' });
  const { read, write, spawn, evaluate, environment, uid } = await vn.command({
    do: 'probe',
  });
  for (const result of [read, write, spawn]) assert.equal(result, 'ERR_ACCESS_DENIED');
  assert.match(String(evaluate), /Code generation/);
  assert.deepEqual(environment, []);
  const sandbox = vn.lines.find(({ event }) => event.startsWith('sandbox.'))!;
  context.diagnostic(`confinement: ${JSON.stringify(sandbox)}`);
  if (sandbox.separateUsers) assert.notEqual(uid, process.getuid?.());
});

test('in its sandbox an enclave has a loopback of its own', async (context) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const vn = await VnFixture.create(context);
  vn.start();
  const { port } = server.address() as AddressInfo;
  const { network } = await vn.command({ do: 'connect', port });
  const boxed = vn.lines.some(
    ({ event, bubblewrap }) => event.startsWith('sandbox.') && bubblewrap,
  );
  assert.equal(network, boxed ? 'ECONNREFUSED' : 'allowed');
});

test('blocks survive the kill -9 of an enclave, and the manager is told to resume', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  await vn.command({ do: 'append', from: 1, to: 200, bytes: 100 });
  await vn.command({ do: 'committed', to: 190 });
  // The answer to a read proves that the host has taken what was sent before it.
  await vn.command({ do: 'read', from: 1, to: 1 });
  for (const source of ['manager', 'worker-1']) {
    const from = vn.lines.length;
    const launched = vn.lines.findLast(
      (l) => l.event === 'enclave.launched' && l.source === source,
    )!;
    process.kill(Number(launched.pid), 'SIGKILL');
    const ended = await vn.event('enclaves.ended', { from });
    assert.equal(ended.source, source);
    await vn.event('enclaves.restarting', { from });
    const { seen } = (await vn.command({ do: 'seen' }, from)) as {
      seen: Record<string, unknown>[];
    };
    const start = seen[0]!.start as Record<string, unknown>;
    assert.deepEqual([start.mode, start.lastHeight], ['resume', 200]);
    assert.deepEqual(await vn.command({ do: 'read', from: 1, to: 300 }, from), {
      count: 200,
      good: true,
    });
  }
  const names = await readdir(join(vn.directory, 'data/ledger'));
  assert(
    names.some((name) => /^ledger_1-\d+\.committed\.chunk$/.test(name)),
    names.join(),
  );
});

test('blocks survive the kill -9 of the host, whose enclaves end with it; a torn tail is cut', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  await vn.command({ do: 'append', from: 1, to: 10, bytes: 100 });
  const pids = vn.lines.filter(({ event }) => event === 'enclave.launched').map(({ pid }) => pid);
  assert.equal(pids.length, 2);
  await vn.kill();
  await until(() => !pids.some(isRunning));
  const chunk = join(vn.directory, 'data/ledger/ledger_1.chunk');
  await truncate(chunk, (await stat(chunk)).size - 30);
  vn.start();
  const torn = await vn.event('ledger.torn-tail-cut');
  assert.equal(torn.height, 10);
  assert.deepEqual(await vn.command({ do: 'read', from: 1, to: 99 }), { count: 9, good: true });
  await vn.command({ do: 'append', from: 10, to: 12, bytes: 100 });
  assert.equal(await vn.stop(), 0);
});

test('a hole in the ledger is named and the host refuses to start', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  await vn.command({ do: 'append', from: 1, to: 100, bytes: 100 });
  assert.equal(await vn.stop(), 0);
  const ledger = join(vn.directory, 'data/ledger');
  const [first] = (await readdir(ledger)).filter((name) => name.startsWith('ledger_1.'));
  await truncate(join(ledger, first!), 300);
  vn.start();
  assert.equal((await vn.event('host.refused')).code, 'LEDGER_HOLE');
  assert.equal(await vn.exit(), 1);
});

test('records are stored, and names that lead elsewhere are refused', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  assert.deepEqual(await vn.command({ do: 'put', name: 'node.key', bytes: 100_000 }), {
    kind: 'done',
    request: 1,
  });
  await vn.command({ do: 'put', name: 'node.key', bytes: 5000 });
  await vn.kill();
  await writeFile(join(vn.directory, 'data/records/node.key.sealed.tmp'), 'interrupted');
  vn.start();
  assert.deepEqual(await vn.command({ do: 'get', name: 'node.key' }), { length: 5000 });
  assert.deepEqual(await vn.command({ do: 'get', name: 'other' }), {});
  const refusal = await vn.command({ do: 'get', name: '../platform-key.pem' });
  assert.match(String(refusal.error), /INVALID_RECORD/);
  assert.deepEqual(await readdir(join(vn.directory, 'data/records')), ['node.key.sealed']);
});

test('evidence carries the measured image and verifies under the platform key', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  const { evidence } = await vn.command({ do: 'attest' });
  const envelope = new BinaryReader(Buffer.from(String(evidence), 'hex'));
  assert.deepEqual([envelope.u8(), envelope.text()], [1, 'virtual']);
  const body = new BinaryReader(envelope.bytes());
  envelope.end();
  assert.equal(body.u8(), 1);
  const [measurement, reportData, spki, signature] = [
    body.raw(32),
    body.raw(32),
    body.bytes(),
    body.bytes(),
  ];
  body.end();
  const image = await measureImage(join(vn.directory, 'manager'), process.execPath);
  assert.equal(measurement.toString('hex'), image.measurement);
  assert.deepEqual(reportData, Buffer.alloc(32, 9));
  const signed = Buffer.concat([
    Buffer.from('concordat virtual evidence v1\0'),
    measurement,
    reportData,
  ]);
  const key = createPublicKey({ key: spki, type: 'spki', format: 'der' });
  assert(verify('sha256', signed, key, signature));
  const started = await vn.event('host.started');
  assert.equal(started.platformKey, createHash('sha256').update(spki).digest('hex'));
  const { mode } = await stat(join(vn.directory, 'data/platform-key.pem'));
  assert.equal(mode & 0o777, 0o600);
});

test('the sealing key stays with platform and code, and changes with the code', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  const { key } = await vn.command({ do: 'sealing-key' });
  assert.match(String(key), /^[0-9a-f]{64}$/);
  await vn.stop();
  vn.start();
  assert.equal((await vn.command({ do: 'sealing-key' })).key, key);
  await vn.stop();
  await appendFile(join(vn.directory, 'manager/bundle.mjs'), '// changed\n');
  vn.start();
  assert.notEqual((await vn.command({ do: 'sealing-key' })).key, key);
});

test('garbage on the control socket ends that launch and the enclaves start anew', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  await vn.command({ do: 'append', from: 1, to: 3, bytes: 100 });
  const from = vn.lines.length;
  await vn.command({ do: 'garbage' }).catch(() => {});
  assert.equal((await vn.event('enclaves.ended', { from })).code, 'FRAME_TOO_LARGE');
  assert.deepEqual(await vn.command({ do: 'read', from: 1, to: 9 }, from), {
    count: 3,
    good: true,
  });
});

test('each failure is waited for longer than the one before; a rejoin is no failure', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  await vn.command({ do: 'seen' });
  const delays: unknown[] = [];
  const levels: unknown[] = [];
  for (const status of [1, rejoinExitStatus, rejoinExitStatus, 1, rejoinExitStatus, 1]) {
    const from = vn.lines.length;
    await vn.command({ do: 'exit', status }).catch(() => {});
    const ended = await vn.event('enclaves.ended', { from, where: { exitCode: status } });
    levels.push(ended.level);
    delays.push((await vn.event('enclaves.restarting', { from })).delayMs);
    await vn.command({ do: 'seen' }, from);
  }
  assert.deepEqual(delays, [20, 20, 20, 40, 20, 80]);
  assert.deepEqual(levels, ['error', 'info', 'info', 'error', 'info', 'error']);
});

test('an append out of order ends that launch', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  await vn.command({ do: 'append', from: 1, to: 3, bytes: 100 });
  // By its code, and as often as it takes: on a busy machine a launch may end for want of time first.
  const append = (): void => {
    vn.command({ do: 'append-unsynced', from: 9, bytes: 10 }).catch(() => {});
  };
  append();
  const again = setInterval(append, 3_000);
  try {
    await vn.event('enclaves.ended', { where: { code: 'OUT_OF_ORDER' } });
  } finally {
    clearInterval(again);
  }
});

test('a truncation is carried out and answered', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  await vn.command({ do: 'append', from: 1, to: 90, bytes: 100 });
  await vn.command({ do: 'truncate', to: 42 });
  await vn.command({ do: 'append', from: 43, to: 50, bytes: 80 });
  assert.deepEqual(await vn.command({ do: 'read', from: 1, to: 99 }), { count: 50, good: true });
});

test('bytes pass through both ways with half-close, however many', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  const socket = await vn.connect('app-1');
  const sent = createHash('sha256');
  const received = createHash('sha256');
  let bytes = 0;
  socket.on('data', (data) => {
    received.update(data);
    bytes += data.length;
  });
  for (let round = 0; round < 200; round++) {
    const part = Buffer.alloc(100_000, round);
    sent.update(part);
    if (!socket.write(part)) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'end');
  assert.equal(bytes, 20_000_000);
  assert.equal(received.digest('hex'), sent.digest('hex'));
});

test('connections above the limit are closed, a half-open one when it stays idle', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  const sockets = [];
  for (let count = 0; count < 21; count++) sockets.push(await vn.connect('node'));
  await once(sockets[20]!.resume(), 'end');
  for (const socket of sockets.slice(0, 20)) {
    socket.resume();
    assert.equal(socket.readableEnded, false);
  }
  const endedMs = performance.now();
  sockets[0]!.end();
  await once(sockets[0]!, 'end');
  const waitedMs = performance.now() - endedMs;
  assert(waitedMs >= 400, `closed after ${waitedMs} ms`);
  assert.equal(sockets[1]!.readableEnded, false);
  for (const socket of sockets) socket.destroy();
});

test('the manager reaches a peer through the host, and hears why it cannot', async (context) => {
  const peer = createServer((socket) => {
    socket.on('data', (data) => socket.end(`pong after ${data}`));
  }).listen(0, '127.0.0.1');
  await once(peer, 'listening');
  context.after(() => peer.close());
  const vn = await VnFixture.create(context);
  vn.start();
  const { port } = peer.address() as AddressInfo;
  assert.deepEqual(await vn.command({ do: 'dial', name: `127.0.0.1:${port}` }), {
    text: 'pong after ping',
  });
  assert.deepEqual(await vn.command({ do: 'dial', name: '127.0.0.1:1' }), {
    error: 'ECONNREFUSED',
  });
  assert.deepEqual(await vn.command({ do: 'dial', name: '/etc/passwd' }), {
    error: 'not an address',
  });
});

test('a disk that fails becomes a host fault, and nothing more is acknowledged', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  await vn.command({ do: 'append', from: 1, to: 3, bytes: 100 });
  // The next chunk cannot be created: its name is taken by something else.
  await vn.command({ do: 'append', from: 4, to: 4, bytes: 5000 });
  await writeFile(join(vn.directory, 'data/ledger/ledger_5.chunk'), '');
  await vn.command({ do: 'append-unsynced', from: 5, bytes: 10 });
  assert.equal((await vn.event('host.fault')).code, 'DISK_ERROR');
  const { seen } = (await vn.command({ do: 'seen' })) as { seen: Record<string, unknown>[] };
  assert(seen.some(({ hostFault }) => hostFault === 'DISK_ERROR'));
});

test('log lines of an enclave are framed by the host, output is cut, status is kept', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  const forged = JSON.stringify({
    event: 'x.y',
    level: 'warn',
    node: 'other',
    time: 'never',
    a: 1,
  });
  await vn.command({ do: 'log', name: forged });
  const line = await vn.event('x.y');
  assert.deepEqual([line.node, line.source, line.level, line.a], ['alpha-1', 'manager', 'warn', 1]);
  assert.notEqual(line.time, 'never');
  await vn.command({ do: 'log', name: 'not json' });
  await vn.event('enclave.malformed-log');
  await vn.command({ do: 'print', name: `${'y'.repeat(100_000)}\n` });
  const output = await vn.event('enclave.output', { where: { stream: 'stdout' } });
  assert.equal(String(output.line).length, 4096);
  await vn.command({ do: 'status', name: '{"role":"leader"}' });
  await until(async () => {
    const text = await readFile(join(vn.directory, 'data/status.json'), 'utf8').catch(() => '{}');
    return JSON.parse(text).manager?.role === 'leader';
  });
});

test('a second host on the same directory is refused', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start();
  await vn.event('enclaves.launched');
  const { ValidatingNode, loadConfig, Log } = await import('../index.ts');
  const config = await loadConfig(join(vn.directory, 'vn.json'), {});
  const start = ValidatingNode.start(config, new Log('second', () => {}));
  await assert.rejects(start, { code: 'ALREADY_RUNNING' });
});

test('without a sandbox the host says so loudly, and refuses when one is required', async (context) => {
  const vn = await VnFixture.create(context);
  vn.start({ PATH: '/nowhere' });
  const { message, level } = await vn.event('sandbox.missing');
  assert.equal(level, 'warn');
  assert.match(String(message), /install bubblewrap/);
  const { read, spawn } = await vn.command({ do: 'probe' });
  assert.deepEqual([read, spawn], ['ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED']);
  assert.equal(await vn.stop(), 0);
  vn.start({ PATH: '/nowhere', CONCORDAT_VN_SANDBOX: 'required' });
  assert.equal((await vn.event('host.refused')).code, 'SANDBOX_UNAVAILABLE');
  assert.equal(await vn.exit(), 1);
});
