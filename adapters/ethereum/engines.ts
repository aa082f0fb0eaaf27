import type { Engine, Simulator } from './executor.ts';
import { ExecutorPool } from './executor-pool.ts';
import type { Fork } from './fork.ts';
import { OwnExecutor, OwnSimulator } from './own-engine.ts';
import { ReferenceExecutor, ReferenceSimulator } from './reference/executor.ts';

/** `own`: the WebAssembly engine of @concordat/evm; `reference`: the EVM of @ethereumjs, unchanged. */
export type EngineName = 'own' | 'reference';

/** Simulators of the own engine by fork and chain id: chains of equal rules share one. */
const simulators = new Map<Fork, Simulator>();

function ownSimulator(fork: Fork): Simulator {
  let simulator = simulators.get(fork);
  if (simulator === undefined) {
    simulator = new OwnSimulator(fork);
    simulators.set(fork, simulator);
  }
  return simulator;
}

const executors = new ExecutorPool((fork) => new OwnExecutor(fork));

/** The engine of that name. Both give the same result for every transaction. */
export const engines: Readonly<Record<EngineName, Engine>> = {
  own: {
    executor: (fork, borrower) =>
      borrower === undefined ? new OwnExecutor(fork) : executors.lend(fork, borrower),
    simulator: ownSimulator,
  },
  reference: {
    executor: (fork) => new ReferenceExecutor(fork),
    simulator: (fork) => new ReferenceSimulator(fork),
  },
};

/** Whether a text names an engine. */
export const isEngineName = (name: unknown): name is EngineName =>
  typeof name === 'string' && Object.hasOwn(engines, name);
