import { EvmError } from '@concordat/evm';
import { EthereumError } from '../../../ethereum/errors.ts';
import { forkOf } from '../../../ethereum/fork.ts';
import { ReferenceExecutor } from '../../../ethereum/reference/executor.ts';
import type { Executor, Outcome } from './executor.ts';
import { tablesOf } from './world.ts';

/** The library's EVM with the transaction's rules of `adapters/ethereum/reference`. */
export function referenceExecutor(): Executor {
  const engines = new Map<string, ReferenceExecutor>();
  return async ({ fork, chainId, world, block, followers = [], ...first }) => {
    const tables = tablesOf(world);
    const name = `${fork} ${chainId}`;
    const engine = engines.get(name) ?? new ReferenceExecutor(forkOf(fork, chainId));
    engines.set(name, engine);
    engine.attach(tables);
    engine.forget();
    const outcomes: Outcome[] = [];
    for (const { from, fields } of [first, ...followers]) {
      try {
        const applied = await engine.execute({ from, fields }, block);
        engine.finish(tables);
        outcomes.push({ ...applied, changes: tables.takeChanges() });
      } catch (error) {
        engine.abandon();
        if (!(error instanceof EthereumError || error instanceof EvmError)) throw error;
        outcomes.push({ refused: error.code });
      }
    }
    return outcomes;
  };
}
