import { readFileSync } from 'node:fs';

// From source the modules are read from beside this file; the image builder puts the same bytes into
// the bundle in place of this module, so that they are measured with it.

/** The engine, compiled from `assembly/`. */
export const engineBytes: Uint8Array = readFileSync(new URL('evm.wasm', import.meta.url));

/** Arithmetic of precompiles, compiled from `assembly/precompiles/`. */
export const precompileBytes: Uint8Array = readFileSync(
  new URL('precompiles.wasm', import.meta.url),
);
