import type { Submitted, Wait } from '@concordat/worker-enclave';
import type { SubmittedTransaction } from '../chain-reader.ts';
import { maxCallDataBytes } from './call-parameters.ts';
import type { CallContext } from './method.ts';
import { data, readParameters, required } from './parameters.ts';

/** What `eth_sendRawTransaction` takes. */
const parameters = [required(data(maxCallDataBytes))] as const;

/** Reads the raw transaction of a call. @throws RpcError INVALID_PARAMETERS */
export const rawTransaction = (params: readonly unknown[]): Uint8Array =>
  readParameters(parameters, params)[0];

/**
 * Hands a raw transaction to the network; `done` is called once, later: with the transaction's
 * place after it is committed (or executed, with `wait` `local`), or with the refusal.
 */
export function submit(
  context: CallContext,
  raw: Uint8Array,
  wait: Wait,
  done: (answer: Submitted<SubmittedTransaction>) => void,
): void {
  context.host.submitWith(context.chain.submission(raw), context.actor, wait, done);
}
