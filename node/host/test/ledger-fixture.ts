import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A block whose bytes, 100 by default, tell its height. */
export const blockOf = (height: number, bytes = 100): Buffer => Buffer.alloc(bytes, height % 251);

/** Blocks of these heights, both inclusive. */
export const range = (from: number, to: number): Buffer[] =>
  Array.from({ length: to - from + 1 }, (_, index) => blockOf(from + index));

/** A directory that goes with the test. */
export async function temporary(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ledger-'));
  context.after(() => rm(directory, { recursive: true }));
  return directory;
}
