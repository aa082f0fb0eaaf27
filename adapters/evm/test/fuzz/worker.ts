import { parentPort, workerData } from 'node:worker_threads';
import { runSeeds } from './run-seeds.ts';

const { start, end } = workerData as { readonly start: number; readonly end: number };
await runSeeds(start, end, {
  done: (count) => parentPort?.postMessage(count),
  differs: (difference) => parentPort?.postMessage(difference),
});
