import { type Agent, request as httpRequest } from 'node:http';
import type { PostBody } from '../json-rpc-load.ts';

/** A body of 100 transactions answers in well under a second, unless the peer hangs. */
const answerTimeoutMs = 15_000;

/** Posts JSON-RPC bodies to a peer on a port of the loopback, over plain HTTP. */
export const postTo =
  (port: number, agent: Agent): PostBody =>
  (path, body) =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const request = httpRequest({
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        headers,
        agent,
      });
      request.on('error', reject);
      request.setTimeout(answerTimeoutMs, () => request.destroy(new Error('the peer hangs')));
      request.on('response', (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => resolve(Buffer.concat(parts)));
        response.on('error', reject);
      });
      request.end(body);
    });

/** One JSON-RPC call to a peer; its result. */
export type CallPeer = (method: string, params: readonly unknown[]) => Promise<unknown>;

/** Calls over a {@link PostBody}; a call rejects with an Error when the peer answers an error. */
export const caller =
  (post: PostBody): CallPeer =>
  async (method, params) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const answer = JSON.parse((await post('/', Buffer.from(body))).toString()) as {
      result?: unknown;
      error?: { message: string };
    };
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result;
  };
