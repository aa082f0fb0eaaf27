/**
 * `npm run prove:evm`: every proof of equality at full length. All state tests, the endless ones too;
 * all real blocks; each of their transactions beside the reference; a million random executions
 * (`--executions`, `--seed` and `--jobs` are those of `npm run fuzz:evm`). Ends with status 1 when
 * anything differs.
 */
import { spawnSync } from 'node:child_process';
import { mainnetBlock, mainnetIndex } from '../../ethereum/mainnet.ts';
import { judgeStateTest, type StateTestFigures } from './proof/judge.ts';
import { compareMainnetBlock } from './proof/mainnet-comparison.ts';
import { ownExecutor } from './proof/own-executor.ts';
import { readStateTests } from './proof/state-tests.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const secondsSince = (start: number): string => ((performance.now() - start) / 1_000).toFixed(1);
let sound = true;

async function proveStateTests(): Promise<void> {
  const start = performance.now();
  const figures: StateTestFigures = { cases: 0, faults: [] };
  const execute = ownExecutor();
  const tests = readStateTests();
  for (const one of tests) await judgeStateTest(one, execute, figures);
  for (const { name, what } of figures.faults) say(`state test ${name}: ${what}`);
  const { cases, faults } = figures;
  say(`state tests: ${cases - faults.length} of ${cases} cases equal, ${secondsSince(start)} s`);
  sound &&= faults.length === 0;
}

async function proveMainnet(): Promise<void> {
  const start = performance.now();
  let [blocks, transactions] = [0, 0];
  for (const { number } of mainnetIndex()) {
    const block = mainnetBlock(number);
    const difference = await compareMainnetBlock(block);
    if (difference !== undefined) {
      say(`block ${number}: ${difference}`);
      sound = false;
    }
    blocks++;
    transactions += block.transactions.length;
  }
  say(
    `mainnet: ${blocks} blocks, ${transactions} transactions beside the reference and their ` +
      `headers, ${secondsSince(start)} s`,
  );
}

await proveStateTests();
await proveMainnet();
const fuzz = new URL('./fuzz/main.ts', import.meta.url).pathname;
const { status } = spawnSync(process.execPath, [fuzz, ...process.argv.slice(2)], {
  stdio: 'inherit',
});
process.exitCode = sound && status === 0 ? 0 : 1;
