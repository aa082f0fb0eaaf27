import { runSeed, type SeedTask } from './run-seed.ts';

// A process of `run-seeds.ts`: makes the runs it is sent, one after another.
process.on('message', (task: SeedTask) => {
  void runSeed(task).then((result) => process.send?.(result));
});
