import { parseArgs } from 'node:util';
import { simulate } from './index.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    ticks: { type: 'string', default: '2000' },
    runs: { type: 'string', default: '100' },
  },
});
const [seed, ticks, runs] = [Number(values.seed), Number(values.ticks), Number(values.runs)];
if (![seed, ticks, runs].every(Number.isSafeInteger)) {
  console.error('usage: node testing/simulator/main.ts --seed N --ticks T --runs K');
  process.exit(2);
}

const total = { committed: 0, views: 0, crashes: 0, reconfigurations: 0, reads: 0, retired: 0 };
let longest = 0;
for (let run = 0; run < runs; run += 1) {
  try {
    const summary = simulate(seed + run, ticks);
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += summary[key];
    longest = Math.max(longest, summary.healedAfterTicks);
  } catch (error) {
    process.stderr.write('\n');
    console.error(error);
    const again = `--seed ${seed + run} --ticks ${ticks} --runs 1`;
    console.error(`to repeat: node testing/simulator/main.ts ${again}`);
    process.exit(1);
  }
  if (run % 100 === 99 || run === runs - 1) process.stderr.write(`\r${run + 1}/${runs} runs`);
}
process.stderr.write('\n');
console.log(JSON.stringify({ seed, ticks, runs, ...total, longestHealingTicks: longest }));
