import type { Actor, AdapterHost, WebSocketLike } from '@concordat/worker-enclave';
import type { ChainView, SubmittedTransaction } from '../chain-reader.ts';
import { answerBody, refusalOfBody } from './dispatcher.ts';
import { RpcError, refusalToRpc } from './errors.ts';
import type { FilterRegistry } from './filter-registry.ts';
import { errorText } from './json-rpc.ts';
import type { RpcLimits } from './limits.ts';
import { Subscriptions } from './subscriptions.ts';

/** Close codes of RFC 6455 section 7.4.1. */
const policyViolation = 1008;
const messageTooBig = 1009;
const noChain = 'no chain of this name';

/** What one WebSocket is served with. */
export interface SocketService {
  /** As it is now; undefined when it is not there (any more). */
  readonly chain: () => ChainView | undefined;
  readonly filters: FilterRegistry;
  readonly limits: RpcLimits;
  readonly actor: Actor;
  readonly host: AdapterHost<SubmittedTransaction>;
}

/**
 * Serves JSON-RPC on one WebSocket: any number of calls in flight up to a limit, answered as they
 * end, and subscriptions for as long as it is open.
 */
export function serveSocket(socket: WebSocketLike, service: SocketService): void {
  const { filters, limits, actor, host } = service;
  const first = service.chain();
  if (!first) {
    socket.close(policyViolation, noChain);
    return;
  }
  let open = true;
  let inFlight = 0;
  const send = (text: string | undefined): void => {
    if (open && text !== undefined) socket.send(text);
  };
  const subscriptions = new Subscriptions(first, limits.maxSubscriptions, send);
  socket.onClose = () => {
    open = false;
    subscriptions.close();
  };
  socket.onRefused = (data, _isBinary, refused) => {
    if (data.length > limits.maxBodyBytes) socket.close(messageTooBig, 'message too large');
    else send(refusalOfBody(data.toString('utf8'), refusalToRpc(refused), limits));
  };
  socket.onMessage = (data) => {
    if (data.length > limits.maxBodyBytes) {
      socket.close(messageTooBig, 'message too large');
      return;
    }
    if (inFlight >= limits.maxSocketCalls) {
      const why = `more than ${limits.maxSocketCalls} unanswered messages on this connection`;
      send(errorText(null, new RpcError('LIMIT_EXCEEDED', why)));
      return;
    }
    const chain = service.chain();
    if (!chain) {
      socket.close(policyViolation, noChain);
      return;
    }
    inFlight++;
    const started: string[] = [];
    const context = { chain, filters, actor, host, subscriptions, started };
    const answered = answerBody(data.toString('utf8'), context, { wait: 'commit', limits });
    void answered.then(({ text }) => {
      inFlight--;
      send(text);
      subscriptions.announce(started);
    });
  };
}
