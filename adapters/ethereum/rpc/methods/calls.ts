import type { BlockReference, CallOutcome, CallRequest } from '../../chain-reader.ts';
import { blockReference } from '../block-parameter.ts';
import { blockOverrides, callRequest, stateOverrides } from '../call-parameters.ts';
import { RpcError } from '../errors.ts';
import { accessListToJson } from '../format.ts';
import { toData, toQuantity } from '../hex.ts';
import { type CallContext, type Method, method } from '../method.ts';
import { optional, required } from '../parameters.ts';
import { revertReason } from '../revert-reason.ts';

const overridable = [
  required(callRequest),
  optional(blockReference),
  optional(stateOverrides),
  optional(blockOverrides),
] as const;

/** Message calls that change nothing. */
export const callMethods: readonly Method[] = [
  method(
    'eth_call',
    overridable,
    async ({ chain }, request, at = 'latest', state = {}, block = {}) => {
      const outcome = await chain.call(request, at, state, block);
      if (outcome.status !== 'success') throw callFailure(outcome);
      return toData(outcome.output);
    },
  ),
  method(
    'eth_estimateGas',
    overridable,
    async ({ chain }, request, at = 'latest', state = {}, block = {}) => {
      const estimate = await chain.estimateGas(request, at, state, block);
      if ('status' in estimate) throw callFailure(estimate);
      return toQuantity(estimate.gas);
    },
  ),
  method('eth_createAccessList', [required(callRequest), optional(blockReference)], accessList),
];

async function accessList(
  { chain }: CallContext,
  request: CallRequest,
  at: BlockReference = 'latest',
): Promise<unknown> {
  const { accessList: entries, outcome } = await chain.createAccessList(request, at);
  const json: Record<string, unknown> = {
    accessList: accessListToJson(entries),
    gasUsed: toQuantity(outcome.gasUsed),
  };
  if (outcome.status !== 'success') json.error = callFailure(outcome).message;
  return json;
}

/** A failed call as Geth reports it: a revert with its data, anything else by its name. */
function callFailure(outcome: CallOutcome): RpcError {
  if (outcome.status !== 'revert') {
    return new RpcError('EXECUTION_FAILED', outcome.error ?? 'execution failed');
  }
  const reason = revertReason(outcome.output);
  const message = reason === undefined ? 'execution reverted' : `execution reverted: ${reason}`;
  return new RpcError('EXECUTION_REVERTED', message, toData(outcome.output));
}
