import { ApiError } from '@concordat/api';

const timeoutMs = 10_000;
const maxAnswerBytes = 1024 * 1024;

/** Asks an identity provider: an answer that is whole, within bounds, and no redirection. */
export async function providerFetch(url: string, init: RequestInit = {}): Promise<Response> {
  const { hostname } = new URL(url);
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  let answer: Response;
  let body: Buffer;
  try {
    answer = await fetch(url, { ...init, redirect: 'manual', signal });
    body = await bounded(answer, hostname);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw unavailable(`${hostname} cannot be reached: ${reasonOf(error)}`);
  }
  const { status, headers } = answer;
  if (status >= 500 || status === 429) throw unavailable(`${hostname} answers ${status}`);
  if (status < 200 || (status >= 300 && status < 400)) {
    throw invalid(`${hostname} answers ${status} where no redirection is expected`);
  }
  return new Response(status === 204 ? null : new Uint8Array(body), { status, headers });
}

/** A JSON document of an identity provider. @throws ApiError IDENTITY_PROVIDER_* */
export async function fetchDocument(url: string): Promise<Readonly<Record<string, unknown>>> {
  const answer = await providerFetch(url, { headers: { accept: 'application/json' } });
  const { pathname, hostname } = new URL(url);
  if (answer.status !== 200) throw invalid(`${hostname} answers ${answer.status} to ${pathname}`);
  let document: unknown;
  try {
    document = await answer.json();
  } catch {
    throw invalid(`${hostname}${pathname} is not JSON`);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalid(`${hostname}${pathname} is no object`);
  }
  return document as Readonly<Record<string, unknown>>;
}

/** The provider does not work. */
export const unavailable = (message: string): ApiError =>
  new ApiError('IDENTITY_PROVIDER_UNAVAILABLE', message);

/** The provider does what it must not. */
export const invalid = (message: string): ApiError =>
  new ApiError('IDENTITY_PROVIDER_INVALID', message);

async function bounded(answer: Response, hostname: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    bytes += part.length;
    if (bytes > maxAnswerBytes) throw invalid(`${hostname} answers more than a MiB`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Codes of sockets and TLS say more than `fetch failed`. */
function reasonOf(error: unknown): string {
  const { cause, name } = error as Error;
  const code = (cause as { readonly code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : name;
}
