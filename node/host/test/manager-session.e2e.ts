import { strict as assert } from 'node:assert';
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ControlToEnclave,
  type ControlToHost,
  decodeControlToEnclave,
  encodeControlToHost,
  FrameConnection,
} from '@concordat/bridge';
import { LedgerStore } from '../ledger-store.ts';
import { Log } from '../log.ts';
import { ManagerSession } from '../manager-session.ts';
import { PageStore } from '../page-store.ts';
import { RecordStore } from '../record-store.ts';
import { SnapshotStore } from '../snapshot-store.ts';
import { VirtualPlatform } from '../virtual-platform.ts';

/** The manager's end of a session with a real host's stores. */
class Manager {
  readonly directory: string;
  readonly told: ControlToEnclave[] = [];
  readonly #connection: FrameConnection;
  readonly #waiting = new Map<number, (message: ControlToEnclave) => void>();
  #requests = 0;

  private constructor(directory: string, connection: (manager: Manager) => FrameConnection) {
    this.directory = directory;
    this.#connection = connection(this);
  }

  static async create(context: TestContext, chunkBytes = 16 * 1024 * 1024): Promise<Manager> {
    const directory = await mkdtemp(join(tmpdir(), 'session-'));
    const snapshots = await SnapshotStore.open(join(directory, 'snapshots'));
    const pages = await PageStore.open(join(directory, 'history'));
    const records = await RecordStore.open(join(directory, 'records'));
    let session: ManagerSession | undefined;
    const ledger = await LedgerStore.open({
      directory: join(directory, 'ledger'),
      chunkBytes,
      onSynced: (height) => session?.send({ kind: 'synced', height }),
      onEarlierSynced: (height) => session?.send({ kind: 'earlierSynced', height }),
      onTruncated: (after) => session?.send({ kind: 'truncated', after }),
      onFault: (fault) => session?.fault(fault),
      onDrain: () => session?.resume(),
    });
    const [ours, theirs] = duplexPair();
    session = new ManagerSession(theirs, {
      source: 'manager',
      measurement: '',
      platform: await VirtualPlatform.open(join(directory, 'key.pem')),
      log: new Log('test', () => {}),
      ledger,
      records,
      pages,
      snapshots,
      onStatus: () => {},
      onListening: () => {},
      onClose: () => {},
    });
    const manager = new Manager(
      directory,
      (self) =>
        new FrameConnection(ours, {
          onFrame: (frame) => self.#received(decodeControlToEnclave(frame)),
          onClose: () => {},
        }),
    );
    context.after(async () => {
      manager.#connection.close();
      await ledger.close();
      await rm(directory, { recursive: true, force: true });
    });
    return manager;
  }

  send(message: ControlToHost): void {
    this.#connection.send(encodeControlToHost(message));
  }

  ask(make: (request: number) => ControlToHost): Promise<ControlToEnclave> {
    const request = ++this.#requests;
    return new Promise((resolve) => {
      this.#waiting.set(request, resolve);
      this.send(make(request));
    });
  }

  /** Waits until the host has told something of this kind and height. */
  async hear(kind: ControlToEnclave['kind'], height?: number): Promise<void> {
    const heard = (message: ControlToEnclave): boolean =>
      message.kind === kind &&
      (height === undefined || ('height' in message && message.height === height));
    while (!this.told.some(heard)) await sleep(2);
  }

  #received(message: ControlToEnclave): void {
    this.told.push(message);
    if (!('request' in message)) return;
    if (message.kind === 'entries' && !message.last) return;
    this.#waiting.get(message.request)?.(message);
  }
}

const done = (answer: ControlToEnclave): void => {
  assert(answer.kind === 'done' && answer.error === undefined, JSON.stringify(answer));
};

const errorOf = (answer: ControlToEnclave): string | undefined =>
  answer.kind === 'done' ? answer.error : undefined;

test('pages and snapshots are stored and given back by the manager’s session', async (context) => {
  const manager = await Manager.create(context);
  const page = Buffer.alloc(200_000, 5);
  done(await manager.ask((request) => ({ kind: 'putPage', request, page: 3, bytes: page })));
  const given = await manager.ask((request) => ({ kind: 'getPage', request, page: 3 }));
  assert(given.kind === 'record' && page.equals(given.bytes as Buffer));
  const absent = await manager.ask((request) => ({ kind: 'getPage', request, page: 4 }));
  assert(absent.kind === 'record' && absent.bytes === undefined);

  const height = 10_000;
  manager.send({ kind: 'snapshotBegin', height });
  const chunks = [0, 1, 2].map((index) => Buffer.alloc(1_000_000 + index, index + 1));
  await Promise.all(
    chunks.map(async (bytes, index) => {
      const chunk = { kind: 'snapshotChunk', height, index, bytes } as const;
      done(await manager.ask((request) => ({ ...chunk, request })));
    }),
  );
  done(await manager.ask((request) => ({ kind: 'snapshotFinish', request, height, chunks: 3 })));
  for (const [index, bytes] of chunks.entries()) {
    const read = await manager.ask((request) => ({ kind: 'snapshotRead', request, height, index }));
    assert(read.kind === 'record' && bytes.equals(read.bytes as Buffer));
  }
  manager.send({ kind: 'snapshotDrop', height });
  const late = { kind: 'snapshotFinish', height, chunks: 3 } as const;
  const refused = await manager.ask((request) => ({ ...late, request }));
  assert.match(errorOf(refused) ?? '', /^INVALID_SNAPSHOT/);
  const read = { kind: 'snapshotRead', height, index: 0 } as const;
  const gone = await manager.ask((request) => ({ ...read, request }));
  assert(gone.kind === 'record' && gone.bytes === undefined);
  assert(!manager.told.some(({ kind }) => kind === 'hostFault'));
});

test('a ledger goes on after a base and is filled in below it over the session', async (context) => {
  const manager = await Manager.create(context);
  const block = (height: number): Buffer => Buffer.alloc(100, height);
  manager.send({ kind: 'append', height: 1, block: block(1) });
  done(await manager.ask((request) => ({ kind: 'ledgerBase', request, height: 5 })));
  manager.send({ kind: 'append', height: 6, block: block(6) });
  await manager.hear('synced', 6);
  for (let height = 2; height <= 5; height++) {
    manager.send({ kind: 'appendEarlier', height, block: block(height) });
  }
  await manager.hear('earlierSynced', 5);
  const range = { kind: 'read', from: 1, to: 9, maxBytes: 1e6 } as const;
  const last = await manager.ask((request) => ({ ...range, request }));
  assert(last.kind === 'entries' && last.last);
  const blocks = manager.told.flatMap((told) => (told.kind === 'entries' ? told.blocks : []));
  assert.deepEqual(
    blocks.map((bytes) => bytes[0]),
    [1, 2, 3, 4, 5, 6],
  );
});

test('more reads than can wait are answered BUSY, and the others in order', async (context) => {
  const manager = await Manager.create(context);
  const bytes = Buffer.alloc(1_000_000, 1);
  done(await manager.ask((request) => ({ kind: 'putPage', request, page: 0, bytes })));
  const answers = await Promise.all(
    Array.from({ length: 100 }, () =>
      manager.ask((request) => ({ kind: 'getPage', request, page: 0 })),
    ),
  );
  const busy = answers.filter((answer) => /^BUSY/.test(errorOf(answer) ?? ''));
  assert(busy.length > 0 && busy.length <= 36, `${busy.length} were refused`);
  assert.equal(answers.filter(({ kind }) => kind === 'record').length, 100 - busy.length);
});

test('a disk that fails under snapshots, pages or a base is told as a fault by its code', async (context) => {
  const height = 5;
  const bytes = Buffer.alloc(10);
  const asked: ((request: number) => ControlToHost)[] = [
    (request) => ({ kind: 'putPage', request, page: 1, bytes }),
    (request) => ({ kind: 'snapshotChunk', request, height, index: 0, bytes }),
    (request) => ({ kind: 'ledgerBase', request, height }),
  ];
  for (const make of asked) {
    const manager = await Manager.create(context);
    for (const name of ['snapshots', 'history', 'ledger']) {
      await rm(join(manager.directory, name), { recursive: true });
    }
    manager.send({ kind: 'snapshotBegin', height });
    assert.match(errorOf(await manager.ask(make)) ?? '', /^DISK_ERROR/);
    await manager.hear('hostFault');
    await sleep(10);
    assert.equal(manager.told.filter(({ kind }) => kind === 'hostFault').length, 1);
  }
});

test('a damaged committed chunk is named, set aside and brought back, and is no fault of the host', async (context) => {
  const manager = await Manager.create(context, 1_000);
  const block = Buffer.alloc(100, 7);
  for (let height = 1; height <= 15; height++) manager.send({ kind: 'append', height, block });
  await manager.hear('synced', 15);
  manager.send({ kind: 'committed', height: 15 });
  const ledger = join(manager.directory, 'ledger');
  const name = 'ledger_1-10.committed.chunk';
  while (!(await readdir(ledger)).includes(name)) await sleep(2);
  await truncate(join(ledger, name), 500);
  const read = await manager.ask((request) => ({
    kind: 'read',
    request,
    from: 2,
    to: 15,
    maxBytes: 1e6,
  }));
  assert.match(errorOf(read) ?? '', /^CHUNK_DAMAGED/);
  const at = await manager.ask((request) => ({ kind: 'chunkAt', request, height: 4 }));
  assert(at.kind === 'chunk');
  assert.deepEqual([at.from, at.to], [1, 10]);
  const open = await manager.ask((request) => ({ kind: 'chunkAt', request, height: 12 }));
  assert.match(errorOf(open) ?? '', /^NOT_STORED/);
  const newest = await manager.ask((request) => ({ kind: 'setAside', request, from: 11, to: 15 }));
  assert.match(errorOf(newest) ?? '', /^CHUNK_NEEDED/);
  assert.equal(
    errorOf(await manager.ask((request) => ({ kind: 'setAside', request, from: 1, to: 10 }))),
    undefined,
  );
  for (let height = 1; height <= 10; height++) {
    manager.send({ kind: 'appendEarlier', height, block });
  }
  await manager.hear('earlierSynced', 10);
  assert.equal(manager.told.filter(({ kind }) => kind === 'hostFault').length, 0);
});
