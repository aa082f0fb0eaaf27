import { type ChildProcess, spawn } from 'node:child_process';
import {
  decodeAnswer,
  encodeQuestion,
  frameOf,
  type ReexecutionAnswer,
  ReexecutionFrames,
  type ReexecutionQuestion,
} from '@concordat/api';
import { canonicalJson } from '@concordat/governance';
import type { VerifiedBlock } from '@concordat/ledger';
import { DecodeError } from '@concordat/std';
import { AuditorError } from './errors.ts';
import type { Findings } from './findings.ts';
import type { ReexecutionImage } from './reexecution-image.ts';

/** What executing a ledger anew came to. */
export interface ReexecutionReport {
  /** Name and measurement of the image that did. */
  readonly image: string;
  readonly measurement: string;
  /** Adapters in it that execute anew. */
  readonly adapters: readonly string[];
  /** Transactions. */
  readonly executed: number;
  /** Transactions taken as they stand: of other adapters, or the state it began with. */
  readonly given: number;
  /** The first block that was not looked at: the keys to read it are missing, or it parted before. */
  readonly stoppedAt?: number;
}

/** Where a block is, until its answer is there. */
interface Asked {
  readonly file: string | undefined;
  readonly view: number;
  readonly firstSeqno: number;
}

/** Blocks sent whose answers are not there yet, at most. */
const maxUnanswered = 256;
/** Most characters of what a program says on standard error that are told. */
const maxComplaint = 500;

/** Executes a ledger's application blocks anew in a process of its own, and notes where they part. */
export class ReexecutionRun {
  readonly #image: ReexecutionImage;
  readonly #findings: Findings;
  readonly #child: ChildProcess;
  readonly #frames = new ReexecutionFrames();
  readonly #asked = new Map<number, Asked>();
  #executed = 0;
  #given = 0;
  readonly #ended: Promise<void>;
  #adapters: readonly string[] = [];
  #configured = '';
  #stoppedAt: number | undefined;
  #failure: AuditorError | undefined;
  #complaint = '';
  #wake: () => void = () => {};

  constructor(image: ReexecutionImage, findings: Findings) {
    this.#image = image;
    this.#findings = findings;
    // It gets no environment: nothing of this process is its business.
    const args = [...image.flags, image.bundle, '--re-execute'];
    this.#child = spawn(process.execPath, args, { stdio: 'pipe', env: {}, cwd: image.directory });
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#hear(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString('utf8')).slice(0, maxComplaint);
    });
    this.#child.stdin?.on('error', () => this.#wake());
    this.#child.stdin?.on('drain', () => this.#wake());
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#complaint = error.message;
        resolve();
      });
      this.#child.once('close', () => resolve());
    });
    this.#ended.then(() => this.#hasEnded());
  }

  /** Configuration of the adapters, from the next block on. */
  async configure(adapters: Readonly<Record<string, unknown>>): Promise<void> {
    const text = canonicalJson(adapters);
    if (text === this.#configured) return;
    this.#configured = text;
    await this.#ask({ kind: 'configure', adapters });
  }

  /**
   * Takes up the next block of an application.
   * @throws AuditorError REEXECUTION_FAILED when the program ended by itself
   */
  async block({ header, transactions }: VerifiedBlock, file: string | undefined): Promise<void> {
    if (this.#stoppedAt !== undefined) return;
    const { height, view, firstSeqno } = header;
    if (transactions === undefined) {
      this.#stoppedAt = height;
      const message = 'from here on nothing is executed anew: the key of its epoch was not given';
      this.#findings.observe('contents-closed', message);
      return;
    }
    this.#asked.set(height, { file, view, firstSeqno });
    await this.#ask({ kind: 'block', height, transactions });
  }

  /** Waits for all answers. @throws AuditorError REEXECUTION_FAILED */
  async finish(): Promise<ReexecutionReport> {
    this.#child.stdin?.end();
    await this.#ended;
    if (this.#failure) throw this.#failure;
    const { name, measurement } = this.#image;
    return {
      ...{ image: name, measurement, adapters: this.#adapters },
      ...{ executed: this.#executed, given: this.#given },
      ...(this.#stoppedAt !== undefined && { stoppedAt: this.#stoppedAt }),
    };
  }

  /** Ends the program, whatever it is doing. */
  abandon(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask(question: ReexecutionQuestion): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { stdin } = this.#child;
    if (!stdin?.writable) return;
    const isTaken = stdin.write(frameOf(encodeQuestion(question)));
    if (isTaken && this.#asked.size < maxUnanswered) return;
    await new Promise<void>((resolve) => {
      this.#wake = () => {
        const waits = stdin.writableNeedDrain || this.#asked.size >= maxUnanswered;
        if (!waits || !stdin.writable || this.#failure !== undefined) resolve();
      };
      this.#wake();
    });
    if (this.#failure) throw this.#failure;
  }

  #hear(chunk: Buffer): void {
    try {
      for (const body of this.#frames.take(chunk)) this.#answer(decodeAnswer(body));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#fail(`it answered with ${error.message}`);
    }
    this.#wake();
  }

  #answer(answer: ReexecutionAnswer): void {
    if (answer.kind === 'ready') {
      this.#adapters = answer.adapters;
      return;
    }
    if (answer.kind === 'failed') {
      this.#fail(answer.message);
      return;
    }
    const { height } = answer;
    const asked = this.#asked.get(height);
    if (asked === undefined) {
      this.#fail(`it answered for block ${height}, which it was not asked for`);
      return;
    }
    if (answer.kind === 'diverged') {
      this.#diverged(answer, asked);
      return;
    }
    // Heights come in order.
    for (const before of this.#asked.keys()) {
      if (before > height || (before >= answer.pendingFrom && answer.pendingFrom < height)) break;
      this.#asked.delete(before);
    }
    this.#executed += answer.executed;
    this.#given += answer.given;
    this.#findings.examined('execution', 'executedTransactions', answer.executed);
    this.#findings.examined('execution', 'givenTransactions', answer.given);
  }

  #diverged(answer: ReexecutionAnswer & { kind: 'diverged' }, { file, view, firstSeqno }: Asked) {
    const { height, transaction, message } = answer;
    this.#stoppedAt = height + 1;
    this.#asked.clear();
    this.#findings.add({
      ...{ class: 'execution', code: 'WRONG_EXECUTION', height },
      message: `transaction ${view}.${firstSeqno + transaction}: ${message}`,
      ...(file !== undefined && { file }),
    });
  }

  #hasEnded(): void {
    const isExpected = this.#asked.size === 0 && (this.#child.exitCode === 0 || this.#stoppedAt);
    if (!isExpected) this.#fail(`it ended early. ${this.#complaint}`.trim());
    this.#wake();
  }

  #fail(why: string): void {
    const told = `executing the ledger anew failed, which says nothing about the ledger: ${why}`;
    this.#failure ??= new AuditorError('REEXECUTION_FAILED', told);
    this.abandon();
  }
}
