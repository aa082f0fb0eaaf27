/**
 * What it costs a table to know which transaction wrote each key: memory and time, with and without.
 * Each row is the median of processes of their own, as a heap that was large before says little.
 *
 *   node testing/bench/versioned-tables.ts
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Store, type WriteSet } from '@concordat/kv';
import { median } from './arithmetic.ts';

const self = fileURLToPath(import.meta.url);
const keys = 400_000;
const keysPerBlock = 100;
const valueBytes = [32, 100, 1_000];
const rounds = 3;

interface Figures {
  readonly bytesPerKey: number;
  readonly usPerWrite: number;
}

function usedBytes(): number {
  (globalThis as unknown as { gc: () => void }).gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Blocks of writes as a follower gets them: values are views into what was received. */
function* blocks(bytes: number): Iterable<WriteSet> {
  const scratch = new Store([{ name: 't', kind: 'ordered' }]);
  for (let at = 0; at < keys; at += keysPerBlock) {
    const set = scratch.begin(1);
    for (let key = at; key < at + keysPerBlock; key++) {
      set.table('t').set(`record:${String(key).padStart(25, '0')}`, Buffer.alloc(bytes, key));
    }
    const { publicWrites, privateWrites } = set.takeWriteSet();
    set.abort();
    yield { publicWrites, privateWrites: Uint8Array.from(privateWrites) };
  }
}

function fill(bytes: number, versioned: boolean): Figures {
  const before = usedBytes();
  const store = new Store([{ name: 't', kind: 'ordered', versioned }]);
  let [seqno, ms] = [1, 0];
  for (const writeSet of blocks(bytes)) {
    const startedMs = performance.now();
    store.applyCommitted([writeSet], seqno++);
    ms += performance.now() - startedMs;
  }
  const bytesPerKey = (usedBytes() - before) / keys;
  // It is in use until here.
  if (store.committed().table('t').size !== keys) throw new Error('keys are missing');
  return { bytesPerKey, usPerWrite: (ms * 1_000) / keys };
}

function measured(bytes: number, versioned: boolean): Figures {
  const args = ['--expose-gc', self, String(bytes), String(versioned)];
  return JSON.parse(execFileSync(process.execPath, args).toString()) as Figures;
}

const [given, isVersioned] = process.argv.slice(2);
if (given !== undefined) {
  console.log(JSON.stringify(fill(Number(given), isVersioned === 'true')));
} else {
  for (const bytes of valueBytes) {
    for (const versioned of [false, true]) {
      const all = Array.from({ length: rounds }, () => measured(bytes, versioned));
      const perKey = median(all.map(({ bytesPerKey }) => bytesPerKey)).toFixed(0);
      const us = median(all.map(({ usPerWrite }) => usPerWrite)).toFixed(2);
      const kind = versioned ? 'versioned' : 'plain';
      console.log(`values of ${bytes} bytes, ${kind}: ${perKey} bytes a key, ${us} µs a write`);
    }
  }
}
