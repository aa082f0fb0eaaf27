/**
 * What a wall around an application costs a request: batches of small requests to the same handler
 * behind no wall, in a thread, and in a process under the permission model. And what a thread's
 * wall is worth: whether memory bombs in it end the process around it.
 *
 *   node testing/bench/isolation.ts
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { median } from './arithmetic.ts';

const self = fileURLToPath(import.meta.url);
const directory = fileURLToPath(new URL('../..', import.meta.url));
const requestBytes = 48;
const batchSizes = [1, 10, 100];
const [warmUp, rounds, perRound] = [200, 5, 300];
const handlerSource =
  '(() => { const all = new Map(); return (bytes) => { all.set(bytes[0], bytes); return bytes.length; }; })()';

/** Ways to run out of memory; each allocates for as long as it is let. */
const bombs: Readonly<Record<string, string>> = {
  objects: 'const a = []; for (;;) a.push({ x: a.length })',
  arrays: 'const a = []; for (;;) a.push(new Array(3e7).fill(1))',
  split: 'const a = []; for (;;) { const s = "ab".repeat(1e8); a.push(s, s.split("")); }',
  json: 'const a = []; for (;;) a.push(JSON.parse("[" + "1,".repeat(5e7) + "1]"))',
};

type Run = (batch: Uint8Array) => Uint8Array;

/** Runs each request of a batch in a realm of its own and answers as many bytes. */
function createRun(): Run {
  const context = vm.createContext(vm.constants.DONT_CONTEXTIFY);
  const handle = vm.runInContext(handlerSource, context) as (bytes: Uint8Array) => number;
  return (batch) => {
    const answers = new Uint8Array(batch.length);
    for (let at = 0; at < batch.length; at += requestBytes) {
      answers[at] = handle(batch.slice(at, at + requestBytes));
    }
    return answers;
  };
}

async function measure(name: string, run: (batch: Uint8Array) => Promise<unknown>): Promise<void> {
  const found: string[] = [];
  for (const size of batchSizes) {
    const batch = new Uint8Array(size * requestBytes).fill(7);
    for (let at = 0; at < warmUp; at++) await run(batch);
    const micros: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const startedMs = performance.now();
      for (let at = 0; at < perRound; at++) await run(batch);
      micros.push(((performance.now() - startedMs) * 1_000) / perRound / size);
    }
    found.push(`${median(micros).toFixed(2).padStart(8)} (${size})`);
  }
  process.stdout.write(`${name.padEnd(24)}${found.join('')}  µs a request (batch)\n`);
}

async function measureThread(): Promise<void> {
  const thread = new Worker(self, { workerData: 'serve' });
  let done: (value: unknown) => void = () => {};
  thread.on('message', (value) => done(value));
  await measure('a thread', (batch) => {
    const copy = batch.slice();
    return new Promise((resolve) => {
      done = resolve;
      thread.postMessage(copy, [copy.buffer]);
    });
  });
  await thread.terminate();
}

async function measureProcess(): Promise<void> {
  const flags = ['--permission', `--allow-fs-read=${directory}`, self, 'child'];
  const child = spawn(process.execPath, flags, {
    env: {},
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  const pipe = child.stdio[3] as Socket;
  let [missing, done] = [0, (_: unknown): void => {}];
  pipe.on('data', (data) => {
    missing -= data.length;
    if (missing === 0) done(undefined);
  });
  await measure('a process', (batch) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(batch.length);
    missing = batch.length;
    return new Promise((resolve) => {
      done = resolve;
      pipe.cork();
      pipe.write(head);
      pipe.write(batch);
      pipe.uncork();
    });
  });
  child.kill();
}

function serveProcess(): void {
  const run = createRun();
  const pipe = new Socket({ fd: 3, readable: true, writable: true });
  let held: Buffer = Buffer.alloc(0);
  pipe.on('data', (data) => {
    held = held.length === 0 ? data : Buffer.concat([held, data]);
    const end = held.length < 4 ? Number.POSITIVE_INFINITY : 4 + held.readUInt32BE(0);
    if (held.length < end) return;
    pipe.write(run(held.subarray(4, end)));
    held = held.subarray(end);
  });
  pipe.on('close', () => process.exit());
}

/** Sets one bomb off in a thread with a heap of 128 MiB; says what became of its process. */
function explode(name: string): Promise<string> {
  const child = spawn(process.execPath, [self, 'bomb', name], { stdio: 'ignore' });
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(signal ?? (code === 0 ? 'lives' : `exit ${code}`)));
  });
}

if (workerData === 'serve') {
  const run = createRun();
  parentPort?.on('message', (batch: Uint8Array) => {
    const answers = run(batch);
    parentPort?.postMessage(answers, [answers.buffer as ArrayBuffer]);
  });
} else if (process.argv[2] === 'child') serveProcess();
else if (process.argv[2] === 'bomb') {
  const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 };
  new Worker(bombs[process.argv[3] as string] as string, { eval: true, resourceLimits })
    .on('error', () => {})
    .on('exit', () => process.exit(0));
} else {
  const run = createRun();
  await measure('no wall', (batch) => Promise.resolve(run(batch)));
  await measureThread();
  await measureProcess();
  for (const name of Object.keys(bombs)) {
    process.stdout.write(`bomb of ${name} in a thread: its process ${await explode(name)}\n`);
  }
}
