import { readFileSync } from 'node:fs';

/**
 * The compiled engine. From source it is read from beside this file; the image builder puts the
 * same bytes into the bundle in place of this module, so that they are measured with it.
 */
export const engineBytes: Uint8Array = readFileSync(new URL('evm.wasm', import.meta.url));
