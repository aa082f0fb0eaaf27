import type { MessageEngineFactory } from './engine.ts';
import type { Engine } from './executor.ts';
import { Machine } from './machine.ts';
import { ReferenceExecutor, ReferenceSimulator } from './reference/executor.ts';
import { StateExecutor, StateSimulator } from './state-executor.ts';

/** `own`: the room's interpreter; `reference`: the EVM of @ethereumjs, unchanged. */
export type EngineName = 'own' | 'reference';

const around = (makeEngine: MessageEngineFactory): Engine => ({
  executor: (fork) => new StateExecutor(fork, makeEngine),
  simulator: (fork) => new StateSimulator(fork, makeEngine),
});

/** The engine of that name. Both give the same result for every transaction. */
export const engines: Readonly<Record<EngineName, Engine>> = {
  own: around((fork, state) => new Machine(fork, state)),
  reference: {
    executor: (fork) => new ReferenceExecutor(fork),
    simulator: (fork) => new ReferenceSimulator(fork),
  },
};

/** Whether a text names an engine. */
export const isEngineName = (name: unknown): name is EngineName =>
  typeof name === 'string' && Object.hasOwn(engines, name);
