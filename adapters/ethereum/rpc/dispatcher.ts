import type { Submitted, Wait } from '@concordat/worker-enclave';
import type { SubmittedTransaction } from '../chain-reader.ts';
import { failureToRpc, RpcError, refusalToRpc } from './errors.ts';
import {
  errorText,
  type ParsedEntry,
  parseBody,
  type RequestId,
  type RpcRequest,
  resultText,
} from './json-rpc.ts';
import type { RpcLimits } from './limits.ts';
import type { CallContext } from './method.ts';
import { methodTable } from './method-table.ts';
import { rawTransaction, submit } from './submit.ts';
import { missingMethod } from './unsupported.ts';

/** What a body is answered. */
export interface BodyAnswer {
  /** Absent when nothing but notifications came. */
  readonly text: string | undefined;
  /** `view.seqno` when the body was one accepted `eth_sendRawTransaction`. */
  readonly transactionId?: string;
}

/** How a body is to be answered. */
export interface BodyOptions {
  /** When `eth_sendRawTransaction` answers. */
  readonly wait: Wait;
  readonly limits: RpcLimits;
}

const sendMethod = 'eth_sendRawTransaction';
/** Time one batch may keep the process before others get their turn, milliseconds. */
const turnMs = 20;

/** Answers one body, single or batch (JSON-RPC 2.0). Never throws on foreign input. */
export function answerBody(
  body: string,
  context: CallContext,
  options: BodyOptions,
): Promise<BodyAnswer> {
  let parsed: ReturnType<typeof parseBody>;
  try {
    parsed = parseBody(body, options.limits);
  } catch (failure) {
    return Promise.resolve({ text: errorText(null, toRpcError(failure, context, 'parse')) });
  }
  const first = parsed.entries[0]!;
  if (parsed.batch) return answerBatch(parsed.entries, context, options);
  if (isSend(first)) return answerSend(first, context, options);
  return answerEntry(first, context).then((text) => ({ text }));
}

/** The same error to every call of a body that is not to be run; undefined when none wants one. */
export function refusalOfBody(
  body: string,
  error: RpcError,
  limits: RpcLimits,
): string | undefined {
  try {
    const { batch, entries } = parseBody(body, limits);
    const texts = entries.flatMap((entry) =>
      entry.id === undefined ? [] : errorText(entry.id, 'refused' in entry ? entry.refused : error),
    );
    if (texts.length === 0) return undefined;
    return batch ? `[${texts.join(',')}]` : texts[0];
  } catch (failure) {
    if (!(failure instanceof RpcError)) throw failure;
    return errorText(null, failure);
  }
}

const isSend = (entry: ParsedEntry): entry is RpcRequest =>
  'method' in entry && entry.method === sendMethod;

/** One call other than a submission; undefined for a notification. */
async function answerEntry(entry: ParsedEntry, context: CallContext): Promise<string | undefined> {
  if ('refused' in entry) return errorText(entry.id, entry.refused);
  const { id, method: name, params } = entry;
  try {
    const method = methodTable.get(name);
    if (!method) throw missingMethod(name);
    const result = await method.call(context, params);
    return id === undefined ? undefined : resultText(id, result);
  } catch (failure) {
    const error = toRpcError(failure, context, name);
    return id === undefined ? undefined : errorText(id, error);
  }
}

/** What the caller may know of a failure; a bug is logged by its kind, without a payload. */
function toRpcError(failure: unknown, context: CallContext, method: string): RpcError {
  const known = failureToRpc(failure);
  if (known) return known;
  const kind = failure instanceof Error ? failure.name : typeof failure;
  const stack = failure instanceof Error ? failure.stack?.split('\n').slice(1, 4).join(' ') : '';
  context.host.log('ethereum-rpc-failed', { method, kind, stack });
  return new RpcError('INTERNAL_ERROR', 'internal error');
}

function answerSend(
  entry: RpcRequest,
  context: CallContext,
  options: BodyOptions,
): Promise<BodyAnswer> {
  return new Promise((resolve) => {
    startSend(entry, context, options.wait, (text, answer) => {
      const transactionId = answer?.ok ? answer.transactionId : undefined;
      resolve(transactionId === undefined ? { text } : { text, transactionId });
    });
  });
}

type SendDone = (text: string | undefined, answer?: Submitted<SubmittedTransaction>) => void;

/** Submits without a promise or a closure more than needed: the hot path of every load. */
function startSend(entry: RpcRequest, context: CallContext, wait: Wait, done: SendDone): void {
  const { id } = entry;
  try {
    submit(context, rawTransaction(entry.params), wait, (answer) => {
      done(id === undefined ? undefined : sendText(id, answer), answer);
    });
  } catch (failure) {
    const error = toRpcError(failure, context, sendMethod);
    done(id === undefined ? undefined : errorText(id, error));
  }
}

const sendText = (id: RequestId, answer: Submitted<SubmittedTransaction>): string =>
  answer.ok ? resultText(id, answer.result.hash) : errorText(id, refusalToRpc(answer));

/**
 * A batch: all submissions start before any is awaited, so that they share blocks; another call
 * that stands behind a submission waits for it and sees its effect. Answers keep the order.
 */
async function answerBatch(
  entries: readonly ParsedEntry[],
  context: CallContext,
  options: BodyOptions,
): Promise<BodyAnswer> {
  const texts: (string | undefined)[] = new Array(entries.length);
  const sends = new SendGroup();
  const firstSend = entries.findIndex(isSend);
  for (let index = firstSend; index >= 0 && index < entries.length; index++) {
    const entry = entries[index]!;
    if (!isSend(entry)) continue;
    sends.started();
    startSend(entry, context, options.wait, (text) => {
      texts[index] = text;
      sends.ended();
    });
  }
  await answerOthers(entries, texts, { context, options, firstSend, sends });
  await sends.allEnded();
  const answers = texts.filter((text) => text !== undefined);
  return { text: answers.length === 0 ? undefined : `[${answers.join(',')}]` };
}

interface BatchRun {
  readonly context: CallContext;
  readonly options: BodyOptions;
  readonly firstSend: number;
  readonly sends: SendGroup;
}

async function answerOthers(
  entries: readonly ParsedEntry[],
  texts: (string | undefined)[],
  { context, options, firstSend, sends }: BatchRun,
): Promise<void> {
  let size = 0;
  let busyMs = 0;
  let turnStartedMs = performance.now();
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index]!;
    if (isSend(entry)) continue;
    if (firstSend >= 0 && index > firstSend) await sends.allEnded();
    const startedMs = performance.now();
    const excess = excessOf(options.limits, size, busyMs);
    texts[index] = excess ? refusalText(entry, excess) : await answerEntry(entry, context);
    size += texts[index]?.length ?? 0;
    busyMs += performance.now() - startedMs;
    if (performance.now() - turnStartedMs < turnMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    turnStartedMs = performance.now();
  }
}

/** Why the rest of a batch is not run. */
function excessOf(limits: RpcLimits, size: number, busyMs: number): string | undefined {
  if (size > limits.maxBatchAnswer) return 'response too large';
  return busyMs > limits.maxBatchBusyMs ? 'batch takes too long' : undefined;
}

function refusalText(entry: ParsedEntry, why: string): string | undefined {
  if (entry.id === undefined) return undefined;
  return errorText(entry.id, new RpcError('LIMIT_EXCEEDED', why));
}

/** Counts submissions of one batch; one promise for all of them. */
class SendGroup {
  #open = 0;
  #wake: (() => void) | undefined;

  started(): void {
    this.#open++;
  }

  ended(): void {
    this.#open--;
    if (this.#open > 0) return;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves once every submission started so far has its answer. */
  async allEnded(): Promise<void> {
    if (this.#open === 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
