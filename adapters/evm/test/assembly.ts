import { compileEngine } from '../build.ts';

/** What the tests need of the linear memory; the standard library in use here has no such types. */
export interface LinearMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** The exports of one file of the assembly and the memory they work on. */
export interface Assembly<Functions> {
  readonly functions: Functions;
  readonly memory: LinearMemory;
}

interface Instantiator {
  instantiate(
    module: Uint8Array,
    imports: object,
  ): Promise<{ readonly instance: { readonly exports: Record<string, unknown> } }>;
}

const { WebAssembly: runtime } = globalThis as unknown as { readonly WebAssembly: Instantiator };

/** Compiles one file of the assembly by itself; `entry` is relative to the room. */
export async function assemblyOf<Functions>(entry: string): Promise<Assembly<Functions>> {
  const { module } = await compileEngine({ entry });
  const { instance } = await runtime.instantiate(module, {});
  const { memory, ...functions } = instance.exports;
  return { functions: functions as Functions, memory: memory as LinearMemory };
}
