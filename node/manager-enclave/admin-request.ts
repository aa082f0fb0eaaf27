import type { IncomingMessage } from 'node:http';
import {
  ApiError,
  coseMediaType,
  type Deployment,
  decodeDeployment,
  deploymentMediaType,
} from '@concordat/api';
import { maxMessageBytes, maxProgramBytes } from '@concordat/governance';
import { isHex64, parseTransactionId } from '@concordat/std';

/** Path and parameters of a request's target. @throws ApiError MALFORMED_REQUEST */
export function urlOf(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? '/', 'https://node.invalid');
  if (url?.host === 'node.invalid') return url;
  throw new ApiError('MALFORMED_REQUEST', 'the request target is not a path');
}

/** The parameter `nonce`, 64 hex digits. @throws ApiError INVALID_PARAMETER */
export function nonceOf(parameters: URLSearchParams): string {
  const nonce = parameters.get('nonce');
  if (isHex64(nonce)) return nonce;
  throw new ApiError('INVALID_PARAMETER', 'nonce must be 64 hex digits');
}

/**
 * The seqno that a reader of events has heard last: as it says, or as its stream said (`view.seqno`).
 * @throws ApiError INVALID_PARAMETER
 */
export function sinceOf(request: IncomingMessage, parameters: URLSearchParams): number | undefined {
  const last = request.headers['last-event-id'];
  const since = parameters.get('since');
  if (typeof last === 'string' && last !== '') {
    const id = parseTransactionId(last);
    if (id) return id.seqno;
    throw new ApiError('INVALID_PARAMETER', 'last-event-id must be <view>.<seqno>, like 2.17');
  }
  if (since === null) return undefined;
  if (/^\d{1,15}$/.test(since)) return Number(since);
  throw new ApiError('INVALID_PARAMETER', 'since must be a seqno, 0 for everything');
}

/** Refuses any other method. @throws ApiError METHOD_NOT_ALLOWED */
export function requireMethod(request: IncomingMessage, method: string): void {
  if (request.method === method) return;
  throw new ApiError('METHOD_NOT_ALLOWED', `use ${method} here`, { allowed: method });
}

/** A signed proposal and its program. @throws ApiError as {@link readMessage}, MALFORMED_REQUEST */
export async function readDeployment(request: IncomingMessage): Promise<Deployment> {
  const expected = deploymentMediaType;
  if (request.headers['content-type'] !== expected) {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', `send ${expected}`, { expected });
  }
  return decodeDeployment(await readBody(request, 4 + maxMessageBytes + maxProgramBytes));
}

/** A signed message. @throws ApiError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE */
export async function readMessage(request: IncomingMessage): Promise<Buffer> {
  if (request.headers['content-type'] === coseMediaType) return readBody(request, maxMessageBytes);
  const expected = coseMediaType;
  throw new ApiError('UNSUPPORTED_MEDIA_TYPE', `send ${expected}`, { expected });
}

/** Of the body of a refused request that is not read yet, bytes and milliseconds. */
const discarded = { bytes: 1024 * 1024, ms: 1_000 };

/**
 * Takes in what comes of a refused request, up to a limit: a connection that is closed while there is
 * something to read is reset, and the answer with it.
 */
export function discardRest(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let left = discarded.bytes;
    const take = (part: Buffer): void => {
      left -= part.length;
      if (left < 0) done();
    };
    const done = (): void => {
      clearTimeout(patience);
      request.off('data', take);
      request.pause();
      resolve();
    };
    const patience = setTimeout(done, discarded.ms);
    request.on('data', take);
    request.once('close', done);
    request.once('end', done);
    request.resume();
  });
}

/** A whole body of at most so many bytes. @throws ApiError PAYLOAD_TOO_LARGE */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): ApiError =>
    new ApiError('PAYLOAD_TOO_LARGE', `at most ${maxBytes} bytes`, { maxBytes });
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    length += part.length;
    if (length > maxBytes) throw tooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}
