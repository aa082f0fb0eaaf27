import { invalidParameter, RpcError } from '../errors.ts';
import { logCriteria } from '../log-criteria.ts';
import { type CallContext, type Method, method } from '../method.ts';
import { optional, required, text } from '../parameters.ts';
import type { SubscriptionSubject, Subscriptions } from '../subscriptions.ts';

const anything = (value: unknown): unknown => value;

/** `eth_subscribe` and `eth_unsubscribe`, on WebSockets only. */
export const subscriptionMethods: readonly Method[] = [
  method('eth_subscribe', [required(text(64)), optional(anything)], (context, name, options) => {
    onSocket(context);
    if (name === 'newHeads' && options === undefined) return start(context, { kind: name });
    if (name === 'newPendingTransactions') {
      refuseBodies(options);
      return start(context, { kind: name });
    }
    if (name === 'logs') {
      const criteria = logCriteria(options ?? {}, 'argument 1');
      return start(context, { kind: name, criteria });
    }
    if (name === 'newHeads') throw new RpcError('INVALID_PARAMETERS', 'newHeads has no options');
    throw new RpcError('INVALID_PARAMETERS', `no "${name}" subscription in eth namespace`);
  }),
  method('eth_unsubscribe', [required(text(66))], (context, id) => {
    if (onSocket(context).remove(id)) return true;
    throw new RpcError('SERVER_ERROR', 'subscription not found');
  }),
];

function start(context: CallContext, subject: SubscriptionSubject): string {
  const id = onSocket(context).add(subject);
  context.started.push(id);
  return id;
}

function onSocket({ subscriptions }: CallContext): Subscriptions {
  if (subscriptions) return subscriptions;
  throw new RpcError('METHOD_NOT_SUPPORTED', 'notifications not supported: use a WebSocket');
}

/** Only hashes are announced; bodies are asked for, so that what a reader may see is decided there. */
function refuseBodies(options: unknown): void {
  if (options === undefined || options === false) return;
  if (options !== true) throw invalidParameter('argument 1', 'not a boolean');
  throw invalidParameter('argument 1', 'whole transactions are not announced, only their hashes');
}
