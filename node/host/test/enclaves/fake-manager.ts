/**
 * A manager enclave for the host's tests. It speaks the control protocol and does what the test
 * asks on its admin socket: one JSON command a line, one JSON answer a line.
 */
import { connect, createServer, type Socket } from 'node:net';
import {
  type ControlToEnclave,
  type ControlToHost,
  controlSocket,
  decodeControlToEnclave,
  decodeManagerStart,
  dialSocket,
  dialThroughHost,
  encodeControlToHost,
  FrameConnection,
  listenerSocket,
  parseEnclaveArguments,
  workerSocket,
} from '@concordat/bridge';

const { bridgeDirectory } = parseEnclaveArguments(process.argv.slice(2));
const seen: Record<string, unknown>[] = [];
const waiting = new Map<number, (message: ControlToEnclave) => void>();
const blocks = new Map<number, Uint8Array[]>();
let syncedHeight = 0;
let onSynced = (): void => {};
let requests = 0;

const control = new FrameConnection(connect(controlSocket(bridgeDirectory)), {
  onFrame: (frame) => received(decodeControlToEnclave(frame)),
  onClose: () => process.exit(7),
});
const send = (message: ControlToHost): boolean => control.send(encodeControlToHost(message));

function received(message: ControlToEnclave): void {
  switch (message.kind) {
    case 'start':
      seen.push({ start: decodeManagerStart(message.json) });
      createServer(serveCommands).listen(listenerSocket(bridgeDirectory, 'admin'), () => {
        send({ kind: 'listening', which: 'admin' });
      });
      createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(
        listenerSocket(bridgeDirectory, 'app-1'),
        () => send({ kind: 'listening', which: 'app-1' }),
      );
      // Takes everything, says nothing, never ends.
      createServer({ allowHalfOpen: true }, (socket) =>
        socket.resume().on('error', () => {}),
      ).listen(listenerSocket(bridgeDirectory, 'node'), () =>
        send({ kind: 'listening', which: 'node' }),
      );
      createServer((socket) =>
        socket.on('data', (data) => seen.push({ worker: String(data) })),
      ).listen(workerSocket(bridgeDirectory, 1));
      return;
    case 'synced':
      syncedHeight = message.height;
      onSynced();
      return;
    case 'earlierSynced':
      seen.push({ earlierSynced: message.height });
      return;
    case 'truncated':
      syncedHeight = message.after;
      onSynced();
      return;
    case 'genesisData':
      seen.push({ genesisData: message.adapterId, bytes: message.part.length, last: message.last });
      return;
    case 'approve':
      seen.push({ approve: Buffer.from(message.terms).toString('hex') });
      return;
    case 'hostFault':
      seen.push({ hostFault: message.code });
      return;
    case 'shutdown':
      send({ kind: 'log', line: Buffer.from('{"event":"test.shutdown-received"}') });
      setTimeout(() => process.exit(0), 50);
      return;
    case 'entries':
      blocks.get(message.request)?.push(...message.blocks);
      if (message.last) waiting.get(message.request)?.(message);
      return;
    default:
      waiting.get(message.request)?.(message);
  }
}

function ask(make: (request: number) => ControlToHost): Promise<ControlToEnclave> {
  const request = ++requests;
  blocks.set(request, []);
  return new Promise((resolve) => {
    waiting.set(request, resolve);
    send(make(request));
  });
}

const synced = (height: number): Promise<void> =>
  new Promise((resolve) => {
    onSynced = () => syncedHeight === height && resolve();
    onSynced();
  });

const blockOf = (height: number, bytes: number): Buffer => Buffer.alloc(bytes, (height % 250) + 1);
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

type Command = Record<string, unknown> & { readonly do: string };

async function perform(command: Command): Promise<unknown> {
  const { from, to, bytes, name } = command as unknown as {
    from: number;
    to: number;
    bytes: number;
    name: string;
  };
  switch (command.do) {
    case 'append':
      for (let height = from; height <= to; height++) {
        send({ kind: 'append', height, block: blockOf(height, bytes) });
      }
      await synced(to);
      return { synced: syncedHeight };
    case 'append-unsynced':
      send({ kind: 'append', height: from, block: blockOf(from, bytes) });
      return {};
    case 'truncate':
      send({ kind: 'truncate', after: to });
      await synced(to);
      return {};
    case 'committed':
      send({ kind: 'committed', height: to });
      return {};
    case 'read': {
      const answer = await ask((request) => ({ kind: 'read', request, from, to, maxBytes: 1e9 }));
      if (answer.kind === 'done') return { error: answer.error };
      const read = blocks.get(requests) as Uint8Array[];
      const good = read.every((block, at) => blockOf(from + at, block.length).equals(block));
      return { count: read.length, good };
    }
    case 'put': {
      const record = Buffer.alloc(bytes, 5);
      return await ask((request) => ({ kind: 'putRecord', request, name, bytes: record }));
    }
    case 'get': {
      const answer = await ask((request) => ({ kind: 'getRecord', request, name }));
      return answer.kind === 'record' ? { length: answer.bytes?.length } : answer;
    }
    case 'attest': {
      const reportData = Buffer.alloc(32, 9);
      const answer = await ask((request) => ({ kind: 'attest', request, reportData }));
      return { evidence: answer.kind === 'evidence' && hex(answer.bytes) };
    }
    case 'sealing-key': {
      const answer = await ask((request) => ({ kind: 'sealingKey', request }));
      return { key: answer.kind === 'sealing' && hex(answer.key) };
    }
    case 'dial':
      return await dialAndTalk(name);
    case 'exit':
      setImmediate(() => process.exit(Number(command.status)));
      return {};
    case 'garbage':
      control.socket.write(Buffer.alloc(64, 0xff));
      return {};
    case 'log':
      send({ kind: 'log', line: Buffer.from(name) });
      return {};
    case 'status':
      send({ kind: 'status', json: Buffer.from(name) });
      return {};
    case 'print':
      process.stdout.write(name);
      return {};
    case 'connect':
      return { network: await tryToConnect(Number(command.port)) };
    case 'probe':
      return await probe();
    default:
      return { seen };
  }
}

async function dialAndTalk(address: string): Promise<unknown> {
  try {
    const socket = await dialThroughHost(dialSocket(bridgeDirectory), address);
    socket.end('ping');
    let text = '';
    for await (const data of socket) text += data;
    return { text };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

async function attempt(act: () => unknown): Promise<string> {
  try {
    await act();
    return 'allowed';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  }
}

/** Tries what an enclave must not be able to do. */
async function probe(): Promise<unknown> {
  const fs = await import('node:fs/promises');
  const child = await import('node:child_process');
  return {
    read: await attempt(() => fs.readFile('/etc/hostname')),
    write: await attempt(() => fs.writeFile(`${bridgeDirectory}/x`, 'x')),
    spawn: await attempt(() => child.spawnSync('/bin/true')),
    evaluate: await attempt(() => new Function('return 1')()),
    environment: Object.keys(process.env).filter((name) => name !== 'PWD'),
    uid: process.getuid?.(),
    memory: await attempt(() => process.memoryUsage()),
  };
}

function tryToConnect(port: number): Promise<string> {
  return attempt(
    () =>
      new Promise((resolve, reject) => {
        connect(port, '127.0.0.1').on('connect', resolve).on('error', reject);
      }),
  );
}

function serveCommands(socket: Socket): void {
  let held = '';
  socket.setEncoding('utf8');
  socket.on('error', () => {});
  socket.on('data', async (text: string) => {
    const lines = (held + text).split('\n');
    held = lines.pop() as string;
    for (const line of lines) socket.write(`${JSON.stringify(await perform(JSON.parse(line)))}\n`);
  });
}
