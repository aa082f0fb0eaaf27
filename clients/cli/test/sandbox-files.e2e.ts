import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CliError, type CliErrorCode } from '../errors.ts';
import { SandboxLayout } from '../sandbox/layout.ts';
import { isSame, lastFault, processRecord, waitForStatus } from '../sandbox/node-process.ts';
import { freePorts, isFree, requireFreePorts } from '../sandbox/ports.ts';
import {
  claim,
  endSandbox,
  recordProcess,
  refuseRunning,
  releaseStarter,
  runningProcesses,
} from '../sandbox/sandbox-processes.ts';

const root = await mkdtemp(join(tmpdir(), 'concordat cli '));
after(() => rm(root, { recursive: true }));

let count = 0;
async function layoutWith(files: Readonly<Record<string, string>> = {}): Promise<SandboxLayout> {
  const layout = new SandboxLayout(join(root, `sandbox ${++count}`));
  await mkdir(layout.nodeData('vn1'), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(layout.directory, name), text);
  }
  return layout;
}

const hasCode =
  (code: CliErrorCode, pattern = /./) =>
  (error: unknown) =>
    error instanceof CliError && error.code === code && pattern.test(error.message);

async function listening(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address ? address.port : 0 };
}

test('a directory without a record is no sandbox, and a broken record is damage', async () => {
  assert.equal(await (await layoutWith()).read(), undefined);
  const broken = await layoutWith({ 'sandbox.json': '{"version":' });
  await assert.rejects(broken.read(), hasCode('SANDBOX_DAMAGED', /--fresh/));
  const processes = await layoutWith({ 'processes.json': 'x' });
  await assert.rejects(processes.readProcesses(), hasCode('SANDBOX_DAMAGED', /remove it/));
});

test('removing a sandbox leaves what is not its own', async () => {
  const layout = await layoutWith({ 'sandbox.json': '{}', 'network.pem': '', 'notes.txt': 'keep' });
  await layout.remove();
  assert.deepEqual(await readdir(layout.directory), ['notes.txt']);
});

test('a directory that holds other files and no sandbox is not touched', async () => {
  const layout = await layoutWith({ 'thesis.tex': 'years' });
  await assert.rejects(layout.remove(), hasCode('NOT_A_SANDBOX'));
  assert.deepEqual((await readdir(layout.directory)).sort(), ['nodes', 'thesis.tex']);
});

test('a removed sandbox leaves nothing that would pass for somebody else’s', async () => {
  const layout = await layoutWith({ 'sandbox.json': '{}' });
  await mkdir(layout.image('manager'), { recursive: true });
  await layout.remove();
  assert.deepEqual(await readdir(layout.directory), []);
  await layout.remove();
});

test('the rest of a sandbox that never came up is removed', async () => {
  const layout = await layoutWith({ 'genesis.json': '{}' });
  await layout.remove();
  assert.deepEqual(await readdir(layout.directory), []);
});

test('taken ports are passed over, and the free ones are given in order', async () => {
  const { server, port } = await listening();
  assert.equal(await isFree(port), false);
  const ports = await freePorts(2, port);
  assert.equal(ports.includes(port), false);
  assert.ok((ports[0] as number) > port && (ports[1] as number) > (ports[0] as number));
  server.close();
});

test('a taken port of a node or of the gateway is named before anything starts', async () => {
  const { server, port } = await listening();
  const [a, b, c, d] = (await freePorts(4, port + 1)) as [number, number, number, number];
  const node = (application: number) => [
    { name: 'vn1', organisation: 'o', ports: { node: a, admin: b, application } },
  ];
  const taken = (who: string) => hasCode('PORT_TAKEN', new RegExp(`${port} of ${who}`));
  await requireFreePorts({ nodes: node(c), gatewayPort: d });
  await assert.rejects(requireFreePorts({ nodes: node(port), gatewayPort: d }), taken('vn1'));
  await assert.rejects(
    requireFreePorts({ nodes: node(c), gatewayPort: port }),
    taken('the gateway'),
  );
  server.close();
});

test('a process number that was given out again is another process', () => {
  const own = processRecord('starter', process.pid);
  assert.equal(isSame(own), true);
  assert.equal(isSame({ ...own, pid: 2 ** 22 + 1 }), false);
  if (own.began !== undefined) assert.equal(isSame({ ...own, began: '1' }), false);
});

test('one sandbox is brought up by one program at a time', async () => {
  const layout = await layoutWith();
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(other, 'spawn');
  const record = processRecord('starter', other.pid as number);
  await writeFile(layout.processes, JSON.stringify({ processes: [record] }));
  await assert.rejects(claim(layout), hasCode('SANDBOX_RUNNING', /another command is starting/));
  other.kill('SIGKILL');
  await once(other, 'exit');
  await claim(layout);
  assert.deepEqual(await runningProcesses(layout), [processRecord('starter', process.pid)]);
  await refuseRunning(layout);
});

test('stopping a sandbox ends its processes, but neither itself nor strangers', async () => {
  const layout = await layoutWith();
  const host = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(host, 'spawn');
  await claim(layout);
  await recordProcess(layout, { name: 'vn1', pid: host.pid as number });
  const parent = { name: 'vn2', pid: process.ppid, began: '1' };
  const kept = JSON.parse(await readFile(layout.processes, 'utf8')) as { processes: unknown[] };
  kept.processes.push(parent);
  await writeFile(layout.processes, JSON.stringify(kept));
  await releaseStarter(layout);
  await recordProcess(layout, { name: 'gateway', pid: process.pid });
  const exited = once(host, 'exit');
  assert.deepEqual(await endSandbox(layout), ['vn1']);
  await exited;
  assert.deepEqual(await endSandbox(layout), []);
});

const logLine = (level: string, time: string, rest: object) =>
  JSON.stringify({ time, level, ...rest });

test('the last error of a host is told by its code and message, not one of an earlier start', async () => {
  const layout = await layoutWith();
  const lines = [
    logLine('error', '2026-01-01T00:00:00Z', { event: 'host.refused', code: 'OLD', message: 'o' }),
    'no JSON',
    logLine('error', '2026-01-02T00:00:00Z', { event: 'host.refused', code: 'NEW', message: 'n' }),
    logLine('info', '2026-01-02T00:00:01Z', { event: 'host.stopped' }),
  ];
  await writeFile(layout.nodeLog('vn1'), `${lines.join('\n')}\n`);
  const since = (time: string) => lastFault(layout, 'vn1', Date.parse(time));
  assert.equal(await since('2026-01-01T12:00:00Z'), 'host.refused: NEW: n');
  assert.equal(await since('2026-01-03T00:00:00Z'), undefined);
  assert.equal(await lastFault(layout, 'vn2', 0), undefined);
});

test('nobody waits for a node whose host has ended', async () => {
  const layout = await layoutWith();
  const host = spawn(process.execPath, ['-e', '']);
  await once(host, 'exit');
  const waiting = waitForStatus(layout, 'vn1', {
    until: () => false,
    afterMs: 0,
    timeoutMs: 60_000,
    host: host.pid as number,
  });
  await assert.rejects(waiting, hasCode('NODE_FAILED', /its host ended/));
});

test('an interrupt ends the wait for a node', async () => {
  const controller = new AbortController();
  const waiting = waitForStatus(await layoutWith(), 'vn1', {
    until: () => false,
    afterMs: 0,
    timeoutMs: 60_000,
    signal: controller.signal,
  });
  controller.abort();
  await assert.rejects(waiting, hasCode('INTERRUPTED'));
});
