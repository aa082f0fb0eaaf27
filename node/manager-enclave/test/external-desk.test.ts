import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BridgeError, type ExternalToWorker } from '@concordat/bridge';
import type { Constitution, ExternalSystem } from '@concordat/governance';
import { ManagerError } from '../errors.ts';
import { type ExternalCaller, ExternalDesk } from '../external-desk.ts';

const rates: ExternalSystem = {
  name: 'rates',
  origin: 'https://rates.example:8443',
  adapters: ['javascript'],
  certificates: [],
  timeoutMs: 200,
  maxRequestBytes: 1_000,
  maxAnswerBytes: 1_000,
  maxCalls: 2,
};

/** The host's end of a connection, in the hands of the test. */
class HostSocket extends Duplex {
  readonly written: Buffer[] = [];
  hasEnded = false;

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    done();
  }
  override _final(done: () => void): void {
    this.hasEnded = true;
    done();
  }
}

class World {
  readonly dialled: string[] = [];
  readonly sockets: HostSocket[] = [];
  readonly heard: ExternalToWorker[] = [];
  readonly logged: string[] = [];
  refusal: BridgeError | undefined;
  /** Answers of the host wait for this. */
  held: Promise<void> | undefined;
  readonly desk = new ExternalDesk({
    dial: async (address) => {
      this.dialled.push(address);
      await this.held;
      if (this.refusal) throw this.refusal;
      const socket = new HostSocket();
      this.sockets.push(socket);
      return socket;
    },
    adaptersOf: (worker) => (worker === 1 ? ['javascript'] : ['ethereum']),
    log: (event) => this.logged.push(event),
  });
  readonly worker = this.caller(1);

  caller(index: number): ExternalCaller {
    return { index, waitingBytes: 0, send: (message) => this.heard.push(message) };
  }

  list(...externalSystems: ExternalSystem[]): void {
    this.desk.configure({ externalSystems } as unknown as Constitution);
  }

  async open(id: number, system = 'rates', caller = this.worker): Promise<void> {
    this.desk.received(caller, { kind: 'external', id, step: 'open', system });
    await sleep(1);
  }

  get last(): ExternalToWorker | undefined {
    return this.heard.at(-1);
  }

  get code(): string | undefined {
    return this.last?.step === 'closed' ? this.last.code : undefined;
  }
}

function worldOf(t: { after(end: () => void): void }): World {
  const world = new World();
  t.after(() => world.desk.stop());
  world.list(rates);
  return world;
}

test('a worker gets a connection to what is listed for its adapter, and the bytes both ways', async (t) => {
  const world = worldOf(t);
  await world.open(1);
  assert.deepEqual(world.dialled, ['rates.example:8443']);
  assert.deepEqual(world.last, { kind: 'external', id: 1, step: 'opened' });
  const [socket] = world.sockets;
  world.desk.received(world.worker, {
    ...{ kind: 'external', id: 1, step: 'data', data: Buffer.from('ask') },
  });
  socket?.push('answer');
  await sleep(1);
  assert.equal(Buffer.concat(socket?.written ?? []).toString(), 'ask');
  assert.deepEqual(world.last, {
    ...{ kind: 'external', id: 1, step: 'data', data: Buffer.from('answer') },
  });
  world.desk.received(world.worker, { kind: 'external', id: 1, step: 'end' });
  await sleep(1);
  assert.equal(socket?.hasEnded, true);
  socket?.push(null);
  await sleep(5);
  assert.deepEqual(
    world.heard.slice(-2).map(({ step }) => step),
    ['end', 'closed'],
  );
  assert.equal(world.desk.open, 0);
});

test('what the constitution does not list for a worker is dialled by nobody, whatever the worker says', async (t) => {
  const world = worldOf(t);
  for (const [system, caller] of [
    ['other', world.worker],
    ['rates.example:8443', world.worker],
    ['__proto__', world.worker],
    ['rates', world.caller(2)],
    ['rates', world.caller(99)],
  ] as const) {
    await world.open(1, system, caller);
    assert.equal(world.code, 'EXTERNAL_SYSTEM_NOT_LISTED', system);
  }
  world.list();
  await world.open(1);
  assert.equal(world.code, 'EXTERNAL_SYSTEM_NOT_LISTED');
  assert.deepEqual(world.dialled, []);
});

test('what is listed no longer, or elsewhere, is cut off; what is changed otherwise goes on', async (t) => {
  const world = worldOf(t);
  for (const [changed, isCut] of [
    [[{ ...rates, maxCalls: 7 }], false],
    [[{ ...rates, origin: 'https://rates.example:1' }], true],
    [[{ ...rates, adapters: ['ethereum'] }], true],
    [[], true],
  ] as const) {
    world.list(rates);
    await world.open(1);
    world.list(...changed);
    assert.equal(world.code, isCut ? 'EXTERNAL_SYSTEM_NOT_LISTED' : undefined);
    assert.equal(world.sockets.at(-1)?.destroyed, isCut);
    world.desk.received(world.worker, { kind: 'external', id: 1, step: 'close' });
  }
});

test('one that is removed while the host still dials never opens', async (t) => {
  const world = worldOf(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  world.held = promise;
  await world.open(1);
  world.list();
  assert.equal(world.code, 'EXTERNAL_SYSTEM_NOT_LISTED');
  resolve();
  await sleep(5);
  assert.equal(world.sockets[0]?.destroyed, true);
  assert.equal(world.heard.length, 1);
});

test('what the host still dials for keeps its place, though the worker wants it no more', async (t) => {
  const world = worldOf(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  world.held = promise;
  for (let id = 1; id <= 70; id++) {
    world.desk.received(world.worker, { kind: 'external', id, step: 'open', system: 'rates' });
    world.desk.received(world.worker, { kind: 'external', id, step: 'close' });
  }
  assert.equal(world.dialled.length, 64);
  assert.equal(world.code, 'EXTERNAL_OVERLOADED');
  resolve();
  await sleep(5);
  assert.ok(world.sockets.every(({ destroyed }) => destroyed));
  await world.open(71);
  assert.equal(world.last?.step, 'opened');
  world.desk.received(world.worker, { kind: 'external', id: 71, step: 'close' });
  assert.equal(world.desk.open, 0);
});

test('a host that does not connect, and one that takes too long, are told apart', async (t) => {
  const world = worldOf(t);
  world.refusal = new BridgeError('DIAL_FAILED', 'ECONNREFUSED');
  await world.open(1);
  assert.deepEqual(world.last, {
    ...{ kind: 'external', id: 1, step: 'closed' },
    ...{ code: 'EXTERNAL_UNREACHABLE', message: 'ECONNREFUSED' },
  });
  await world.open(1);
  assert.deepEqual(world.logged, ['external.unreachable'], 'said once');
  world.refusal = undefined;
  await world.open(2);
  assert.deepEqual(world.logged, ['external.unreachable', 'external.reached']);
  await sleep(1_400);
  assert.equal(world.code, 'EXTERNAL_TIMEOUT');
  assert.equal(world.sockets[0]?.destroyed, true);
});

test('a system that sends without end, and a worker that does, are cut off', async (t) => {
  const world = worldOf(t);
  await world.open(1);
  const [socket] = world.sockets;
  for (let at = 0; at < 20 && world.code === undefined; at++) {
    socket?.push(Buffer.alloc(100_000));
    await sleep(1);
  }
  assert.equal(world.code, 'EXTERNAL_ANSWER_TOO_LARGE');
  await world.open(2);
  for (let at = 0; at < 20; at++) {
    const data = Buffer.alloc(100_000);
    world.desk.received(world.worker, { kind: 'external', id: 2, step: 'data', data });
  }
  assert.equal(world.code, 'EXTERNAL_REQUEST_INVALID');
  assert.equal(world.desk.open, 0);
});

test('connections have a number, and each worker numbers of its own', async (t) => {
  const world = worldOf(t);
  world.list(rates, { ...rates, name: 'chain', adapters: ['ethereum'] });
  for (let id = 1; id <= 63; id++) await world.open(id);
  await world.open(1, 'chain', world.caller(2));
  assert.equal(world.last?.step, 'opened');
  await world.open(64);
  assert.equal(world.code, 'EXTERNAL_OVERLOADED');
  assert.equal(world.desk.open, 64);
  world.desk.stop();
  assert.equal(world.desk.open, 0);
});

test('a worker that breaks the rules is one that cannot be relied on', async (t) => {
  const world = worldOf(t);
  await world.open(1);
  assert.throws(
    () =>
      world.desk.received(world.worker, { kind: 'external', id: 1, step: 'open', system: 'rates' }),
    ManagerError,
  );
  world.held = new Promise(() => {});
  await world.open(2);
  const data = Buffer.from('too early');
  assert.throws(
    () => world.desk.received(world.worker, { kind: 'external', id: 2, step: 'data', data }),
    ManagerError,
  );
  // What was closed here may still be used there.
  world.desk.received(world.worker, { kind: 'external', id: 99, step: 'data', data });
  world.desk.received(world.worker, { kind: 'external', id: 99, step: 'close' });
});
