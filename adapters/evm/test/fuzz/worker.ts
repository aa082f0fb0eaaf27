import { parentPort, workerData } from 'node:worker_threads';
import { runSeeds } from './run-seeds.ts';

const { start, end } = workerData as { readonly start: number; readonly end: number };
const differences = await runSeeds(start, end, (done) => parentPort?.postMessage(done));
parentPort?.postMessage(differences);
