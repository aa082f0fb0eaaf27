import { type IncomingMessage, request } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  connect,
  createSecureContext,
  rootCertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import {
  type ExternalAnswer,
  type ExternalCall,
  ExternalError,
  type ExternalErrorCode,
  type ExternalSystem,
} from './external-call.ts';

/** Status line and headers of an answer, bytes. */
const maxHeaderBytes = 16 * 1024;
/** Answers of status 100 to 199 before the one that counts. */
const maxInterimAnswers = 32;

/**
 * One request over a connection that carries anybody's bytes: TLS with the name of the system and
 * the certificates it is known by, then HTTP/1.1 (RFC 9112). Whatever comes back ends in an answer
 * or an error; the caller sees to the time.
 * @throws ExternalError
 */
export async function exchange(
  socket: Duplex,
  system: ExternalSystem,
  call: ExternalCall,
): Promise<ExternalAnswer> {
  const secured = await secure(socket, system);
  try {
    return await ask(secured, system, call);
  } finally {
    secured.destroy();
  }
}

/** Contexts by what is trusted: the runtime's roots take about ten milliseconds to read. */
const contexts = new WeakMap<ExternalSystem, SecureContext>();
let ofRoots: SecureContext | undefined;

function contextOf(system: ExternalSystem): SecureContext {
  const { certificates } = system;
  // The machine's own certificates, and what its environment names, count for nothing.
  if (certificates.length === 0) {
    ofRoots ??= createSecureContext({ ca: [...rootCertificates], minVersion });
    return ofRoots;
  }
  let context = contexts.get(system);
  if (context === undefined) {
    // What is pinned may be the certificate itself, or one half-way.
    const options = { ca: [...certificates], allowPartialTrustChain: true, minVersion };
    context = createSecureContext(options);
    contexts.set(system, context);
  }
  return context;
}

const minVersion = 'TLSv1.2' as const;

function secure(socket: Duplex, system: ExternalSystem): Promise<TLSSocket> {
  const host = hostOf(system.origin);
  return new Promise((resolve, reject) => {
    const secured = connect({
      socket,
      host,
      ...(isIP(host) === 0 && { servername: host }),
      secureContext: contextOf(system),
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
    });
    secured.once('secureConnect', () => resolve(secured));
    // Stays: a failure that comes later is told by the request.
    secured.on('error', (error: NodeJS.ErrnoException) => {
      secured.destroy();
      const refused = secured.authorizationError as unknown;
      if (error instanceof ExternalError) reject(error);
      else if (refused) reject(failure('EXTERNAL_CERTIFICATE_REFUSED', String(refused)));
      else reject(failure('EXTERNAL_TLS_FAILED', error.code ?? 'the handshake failed'));
    });
    secured.once('close', () => reject(failure('EXTERNAL_TLS_FAILED', 'it closed the connection')));
  });
}

function ask(
  secured: TLSSocket,
  { origin, maxAnswerBytes }: ExternalSystem,
  { method, path, headers, body }: ExternalCall,
): Promise<ExternalAnswer> {
  return new Promise((resolve, reject) => {
    // The usual port is left out, as whoever signs the header expects (RFC 9110, section 4.2.3).
    const host = origin.slice('https://'.length).replace(/:443$/, '');
    const own = { host, 'accept-encoding': 'identity' };
    const asked = request({
      createConnection: () => secured,
      method,
      path,
      headers: {
        ...own,
        ...gathered(headers),
        ...((body.length > 0 || method.startsWith('P')) && { 'content-length': body.length }),
      },
      setHost: false,
      maxHeaderSize: maxHeaderBytes,
      insecureHTTPParser: false,
    });
    asked.on('error', (error: NodeJS.ErrnoException) => reject(answerFailure(error)));
    let interim = 0;
    asked.on('information', () => {
      interim += 1;
      if (interim <= maxInterimAnswers) return;
      asked.destroy(failure('EXTERNAL_ANSWER_MALFORMED', 'too many interim answers'));
    });
    asked.on('upgrade', (_answer, socket: Duplex) => {
      socket.destroy();
      reject(failure('EXTERNAL_ANSWER_MALFORMED', 'it changed the protocol'));
    });
    asked.on('response', (answer) => {
      collect(answer, maxAnswerBytes).then((whole) => {
        resolve({ status: answer.statusCode ?? 0, headers: pairs(answer), body: whole });
      }, reject);
    });
    asked.end(body);
  });
}

async function collect(answer: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const status = answer.statusCode ?? 0;
  if (status < 200 || status > 599) {
    throw failure('EXTERNAL_ANSWER_MALFORMED', `its status is ${status}`);
  }
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > maxBytes) {
        throw failure('EXTERNAL_ANSWER_TOO_LARGE', `an answer has at most ${maxBytes} bytes`);
      }
      parts.push(part);
    }
  } catch (error) {
    throw answerFailure(error as NodeJS.ErrnoException);
  }
  if (!answer.complete) throw failure('EXTERNAL_CONNECTION_LOST', 'the answer ended half-way');
  return Buffer.concat(parts);
}

/** A parser's complaint is about the answer; anything else is the connection. */
function answerFailure(error: NodeJS.ErrnoException): ExternalError {
  if (error instanceof ExternalError) return error;
  const { code = '' } = error;
  if (code.startsWith('HPE_')) return failure('EXTERNAL_ANSWER_MALFORMED', code);
  return failure('EXTERNAL_CONNECTION_LOST', code || 'the connection broke');
}

function gathered(headers: ExternalCall['headers']): Record<string, string[]> {
  const all: Record<string, string[]> = Object.create(null);
  for (const [name, value] of headers) {
    all[name] ??= [];
    all[name].push(value);
  }
  return all;
}

function pairs({ rawHeaders }: IncomingMessage): [string, string][] {
  const all: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    all.push([(rawHeaders[at] as string).toLowerCase(), rawHeaders[at + 1] as string]);
  }
  return all;
}

/** The host of an origin; an address in brackets without them. */
const hostOf = (origin: string): string =>
  origin.slice('https://'.length, origin.lastIndexOf(':')).replace(/^\[|\]$/g, '');

const failure = (code: ExternalErrorCode, why: string): ExternalError =>
  new ExternalError(code, why);
