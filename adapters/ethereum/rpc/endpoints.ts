import type {
  Actor,
  AdapterHost,
  HttpRequest,
  HttpResponse,
  WebSocketLike,
} from '@concordat/worker-enclave';
import type {
  ChainReader,
  ChainView,
  EndpointFactory,
  SubmittedTransaction,
} from '../chain-reader.ts';
import { answerBody } from './dispatcher.ts';
import { RpcError } from './errors.ts';
import { FilterRegistry } from './filter-registry.ts';
import { errorText } from './json-rpc.ts';
import { defaultRpcLimits, type RpcLimits } from './limits.ts';
import { serveSocket } from './socket.ts';

const jsonTypes: ReadonlySet<string> = new Set([
  'application/json',
  'application/json-rpc',
  'application/jsonrequest',
]);
const jsonHeaders = { 'content-type': 'application/json' };

/** What the endpoints share. */
interface RpcServer {
  readonly reader: ChainReader;
  readonly filters: FilterRegistry;
  readonly limits: RpcLimits;
}

/**
 * The JSON-RPC endpoints: HTTP POST and WebSocket at `/` and `/eth` for the default chain and at
 * `/eth/<chain name>` for each chain.
 */
export const createRpcEndpoints: EndpointFactory = (reader) => {
  const server = {
    reader,
    filters: new FilterRegistry(defaultRpcLimits),
    limits: defaultRpcLimits,
  };
  return ['/', '/eth', '/eth/*'].flatMap((path) => [
    {
      kind: 'http' as const,
      path,
      methods: ['POST'],
      handle: (request: HttpRequest, actor: Actor, host: AdapterHost<SubmittedTransaction>) =>
        handleHttp(server, request, { actor, host }),
    },
    {
      kind: 'websocket' as const,
      path,
      open: (
        socket: WebSocketLike,
        actor: Actor,
        host: AdapterHost<SubmittedTransaction>,
      ): void => {
        const { filters, limits } = server;
        const name = chainOfPath(reader, socket.path)?.name;
        // A vote may replace the chain, whose rights of reading hold here from then on, or take it away.
        const chain = () => {
          const found = name === undefined ? undefined : reader.forChain(name);
          return found?.name === name ? found : undefined;
        };
        serveSocket(socket, { chain, filters, limits, actor, host });
      },
    },
  ]);
};

/** The chain a path names; undefined when there is none of that name. */
function chainOfPath(reader: ChainReader, path: string): ChainView | undefined {
  if (path === '/' || path === '/eth') return reader.forChain();
  try {
    const name = decodeURIComponent(path.slice('/eth/'.length));
    return name === '' ? undefined : reader.forChain(name);
  } catch {
    return undefined;
  }
}

async function handleHttp(
  server: RpcServer,
  request: HttpRequest,
  party: { readonly actor: Actor; readonly host: AdapterHost<SubmittedTransaction> },
): Promise<HttpResponse> {
  // A page of another origin can post text without asking first, but not this type.
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type === undefined || !jsonTypes.has(type)) {
    return failure(415, 'invalid content type, only application/json is supported');
  }
  const { limits, reader, filters } = server;
  if (request.body.length > limits.maxBodyBytes) {
    return failure(413, `content length too large (${request.body.length}>${limits.maxBodyBytes})`);
  }
  const chain = chainOfPath(reader, request.path);
  if (!chain) return failure(404, 'no chain of this name');
  const wait = request.query.get('wait') === 'local' ? 'local' : 'commit';
  const context = { ...party, chain, filters, subscriptions: undefined, started: [] };
  const body = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.length);
  const answer = await answerBody(body.toString('utf8'), context, { wait, limits });
  const { transactionId } = answer;
  const response = { status: 200, headers: jsonHeaders, body: answer.text ?? '' };
  return transactionId === undefined ? response : { ...response, transactionId };
}

const failure = (status: number, message: string): HttpResponse => ({
  status,
  headers: jsonHeaders,
  body: errorText(null, new RpcError('INVALID_REQUEST', message)),
});
