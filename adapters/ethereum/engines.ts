import type { EngineFactory } from './engine.ts';
import { Machine } from './machine.ts';
import { ReferenceEngine } from './reference-engine.ts';

/** `own`: the room's interpreter; `library`: the EVM of @ethereumjs, unchanged. */
export type EngineName = 'own' | 'library';

/** Makes the engine of that name. Both give the same result for every transaction. */
export const engines: Readonly<Record<EngineName, EngineFactory>> = {
  own: (fork, state) => new Machine(fork, state),
  library: (fork, state) => new ReferenceEngine(fork, state),
};

/** Whether a text names an engine. */
export const isEngineName = (name: unknown): name is EngineName =>
  typeof name === 'string' && Object.hasOwn(engines, name);
