import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '@concordat/std';
import { outcomeLines } from '../../evm/test/fuzz/compare.ts';
import { executionOf } from '../../evm/test/fuzz/fuzz-case.ts';
import type { Execution, Outcome } from '../../evm/test/proof/executor.ts';
import { ownExecutor } from '../../evm/test/proof/own-executor.ts';
import { forkOf } from '../fork.ts';
import { precompileAddresses } from '../reference/library.ts';
import { executeByRunTx } from './library-run-tx.ts';

/** RUN_TX_SEEDS tries more of the seeds, of which each sixth or so is of Amsterdam. */
const seeds = Number(process.env.RUN_TX_SEEDS ?? 1_500);
const first = 700_000_001;

/** Why a transaction was refused is said in other words by the library. */
const linesOf = (outcomes: readonly Outcome[], execution: Execution): string[] =>
  outcomeLines(outcomes, execution).map((line) => line.replace(/ refused .*/, ' refused'));

/**
 * Whether the library takes the failure of a precompile for a REVERT: it then gives back the state
 * gas of an account that the value would have made, which EIP-8037 does for reverts only.
 */
function revertsPrecompile(execution: Execution, outcomes: readonly Outcome[]): boolean {
  const { fork, chainId, followers = [] } = execution;
  const precompiles = new Set(precompileAddresses(forkOf(fork, chainId)).map(toHex));
  return [execution, ...followers].some(({ fields }, at) => {
    const outcome = outcomes[at];
    const failed = outcome?.refused === undefined && outcome?.error === 'revert';
    return failed && fields.to !== undefined && precompiles.has(toHex(fields.to));
  });
}

test('random transactions of Amsterdam end as runTx of the library ends them', async () => {
  const own = ownExecutor();
  let compared = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const execution = executionOf(seed);
    if (execution.fork !== 'amsterdam') continue;
    const wanted = await executeByRunTx(execution);
    if (revertsPrecompile(execution, wanted)) continue;
    compared++;
    const mine = linesOf(await own(execution), execution);
    assert.deepEqual(mine, linesOf(wanted, execution), `seed ${seed}`);
  }
  assert.ok(compared > seeds / 20, `${compared} executions`);
});
