import { once } from 'node:events';
import {
  decodeQuestion,
  encodeAnswer,
  frameOf,
  type ReexecutionAnswer,
  ReexecutionFrames,
} from '@concordat/api';
import type { LedgerAdapter } from './adapter.ts';
import { Reexecution } from './reexecution.ts';

/** The argument by which an image executes a ledger anew instead of running as an enclave. */
export const reexecutionArgument = '--re-execute';

/**
 * Executes a ledger anew: questions come on standard input, answers go to standard output. The
 * program ends with the input, or with the first block that does not hold.
 */
export async function runReexecution(adapters: readonly LedgerAdapter[]): Promise<void> {
  const reexecution = new Reexecution(adapters);
  const frames = new ReexecutionFrames();
  await send({ kind: 'ready', adapters: reexecution.adapters });
  for await (const chunk of process.stdin) {
    for (const body of frames.take(chunk as Buffer)) {
      const answer = await reexecution.take(decodeQuestion(body));
      if (answer === undefined) continue;
      await send(answer);
      if (answer.kind === 'diverged' || answer.kind === 'failed') {
        process.stdin.destroy();
        return;
      }
    }
  }
  const last = reexecution.finish();
  if (last) await send(last);
}

async function send(answer: ReexecutionAnswer): Promise<void> {
  if (!process.stdout.write(frameOf(encodeAnswer(answer)))) await once(process.stdout, 'drain');
}
