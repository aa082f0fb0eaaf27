import { once } from 'node:events';
import { createWriteStream, openSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { AuditorError, decryptLedger, type EpochKeys } from '@concordat/auditor';
import type { Command, Invocation } from './command.ts';
import { CliError } from './errors.ts';
import { ledgerOf, ledgerOptions } from './ledger-options.ts';
import { requireFree } from './private-file.ts';
import {
  combineGiven,
  offlineLedger,
  offlineOptions,
  offlineUsage,
  readRecord,
  shownOn,
} from './recover-commands.ts';
import { combinationText, decryptionText } from './recover-text.ts';
import { copyOptions, copyUsage } from './recovery-copies.ts';
import { errorTerminal, type Terminal } from './terminal.ts';

/** Writes a whole ledger decrypted, one transaction a line. */
export const recoverDecrypt: Command = {
  name: 'recover decrypt',
  summary: 'write a whole ledger decrypted, as JSON lines, verifying every block',
  usage: `${offlineUsage} --epoch-keys file | ${copyUsage} [--decryption-shares file ...] [--out file] [--json]`,
  positionals: 1,
  options: {
    ...offlineOptions,
    ...copyOptions,
    'epoch-keys': ledgerOptions['epoch-keys'],
    'decryption-shares': { type: 'string', multiple: true },
    out: { type: 'string' },
  },
  examples: [
    'recover decrypt /backup/ledger --network-certificate network.pem --epoch-keys epoch-keys.json --out ledger.jsonl',
  ],
  run: async (invocation) => {
    const { options, terminal } = invocation;
    const ledger = await offlineLedger(invocation);
    if (typeof options.out === 'string') requireFree(options.out);
    // What is for people and programs to read goes beside the lines when these go to the terminal.
    const beside = typeof options.out === 'string' ? terminal : errorTerminal;
    const epochKeys = await keysOf(invocation, beside);
    if (epochKeys.keys.length === 0) return 1;
    const out = typeof options.out === 'string' ? new Output(options.out) : new Output();
    const bar = shownOn(beside);
    try {
      const { onProgress } = bar;
      const write = (lines: string) => out.write(lines);
      const report = await decryptLedger({ ...ledger, epochKeys, write, onProgress });
      await out.done();
      bar.clear();
      if (options.json === true) beside.write(`${JSON.stringify(report)}\n`);
      else beside.write(decryptionText(beside, { report, out: out.name }));
      return report.closedBlocks > 0 || report.missing !== undefined ? 1 : 0;
    } catch (error) {
      bar.clear();
      await out.given();
      throw withKept(error, out);
    }
  },
};

/** The keys that were given, or that come of the shares that were: none when nothing opens. */
async function keysOf(invocation: Invocation, beside: Terminal): Promise<EpochKeys> {
  const { epochKeys } = await ledgerOf(invocation);
  if (epochKeys) return epochKeys;
  const record = await readRecord(invocation);
  const combination = await combineGiven(invocation, record);
  beside.write(combinationText(beside, { record, combination }));
  return combination.keys;
}

/** Says where what precedes the damage stands. */
function withKept(error: unknown, out: Output): unknown {
  if (!(error instanceof AuditorError) || error.code !== 'LEDGER_DAMAGED' || !out.isFile) {
    return error;
  }
  const why = `${error.message}\n  What precedes it is whole, and in ${out.partial}.`;
  return new AuditorError(error.code, why, error.details);
}

/** Where lines go: a new file that has its name only once it is whole, or standard output. */
class Output {
  readonly name: string;
  readonly isFile: boolean;
  readonly #stream: Writable;

  constructor(file?: string) {
    this.isFile = file !== undefined;
    this.name = file ?? 'standard output';
    this.#stream = this.isFile
      ? createWriteStream('', { fd: openNew(this.partial), highWaterMark: 1 << 20 })
      : process.stdout;
    this.#stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure ??= error;
    });
  }

  #failure: NodeJS.ErrnoException | undefined;

  /** Name of the file until it is whole. */
  get partial(): string {
    return `${this.name}.partial`;
  }

  write(lines: string): Promise<void> | undefined {
    this.#requireSound();
    if (this.#stream.write(lines)) return undefined;
    return once(this.#stream, 'drain').then(
      () => this.#requireSound(),
      () => this.#requireSound(),
    );
  }

  #requireSound(): void {
    const error = this.#failure;
    if (!error) return;
    if (error.code === 'EPIPE') {
      throw new CliError('INTERRUPTED', 'whoever read the lines went away');
    }
    throw error;
  }

  /** Everything is written: the file gets its name. */
  async done(): Promise<void> {
    if (!this.isFile) return;
    await this.given();
    this.#requireSound();
    const file = await open(this.partial, 'r');
    await file.sync().finally(() => file.close());
    await rename(this.partial, this.name);
  }

  /** What was given so far is in the file. */
  async given(): Promise<void> {
    if (!this.isFile || this.#failure) return;
    this.#stream.end();
    await finished(this.#stream).catch(() => undefined);
  }
}

/** Opens a new file that only its owner reads, at once: nothing is done for a name that is taken. */
function openNew(file: string): number {
  requireFree(file);
  return openSync(file, 'wx', 0o600);
}
