import type { Actor, AdapterHost } from '@concordat/worker-enclave';
import type { ChainView, SubmittedTransaction } from '../chain-reader.ts';
import type { FilterRegistry } from './filter-registry.ts';
import { type Parameter, readParameters, type ValuesOf } from './parameters.ts';
import type { Subscriptions } from './subscriptions.ts';

/** What a method knows about the call it answers. */
export interface CallContext {
  readonly chain: ChainView;
  readonly actor: Actor;
  readonly host: AdapterHost<SubmittedTransaction>;
  readonly filters: FilterRegistry;
  /** Of this WebSocket; absent over HTTP. */
  readonly subscriptions: Subscriptions | undefined;
  /** Ids of subscriptions that this message started; announced once it is answered. */
  readonly started: string[];
}

/** One JSON-RPC method: reads its parameters and answers with a JSON value. */
export interface Method {
  readonly name: string;
  /** Positional parameters it takes at most. */
  readonly arity: number;
  /** Bigints and bytes never stand in the result; it is ready for JSON. @throws RpcError */
  call(context: CallContext, params: readonly unknown[]): unknown;
}

/** Declares a method by its parameters and what to do with their values. */
export function method<const List extends readonly Parameter<unknown>[]>(
  name: string,
  parameters: List,
  run: (context: CallContext, ...values: ValuesOf<List>) => unknown,
): Method {
  return {
    name,
    arity: parameters.length,
    call: (context, params) => run(context, ...readParameters(parameters, params)),
  };
}
