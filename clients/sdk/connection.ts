import { X509Certificate } from 'node:crypto';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import {
  createSecureContext,
  type TLSSocket,
  type ConnectionOptions as TlsOptions,
} from 'node:tls';
import { CryptoError, fromPem } from '@concordat/crypto';
import { type HostAndPort, parseAddress } from './address.ts';
import { collectBody } from './answer-body.ts';
import { explainFailure } from './connection-failure.ts';
import { errorOfAnswer, SdkError } from './errors.ts';
import type { Identity } from './identity.ts';

/** How to reach one port of one node. */
export interface ConnectionOptions {
  /** `host:port`. */
  readonly address: string;
  /** PEM of the network certificate: only nodes it endorses are spoken to. */
  readonly networkCertificate: string;
  /**
   * Who connects; nodes refuse whoever is without with CLIENT_CERTIFICATE_REQUIRED, but for endpoints
   * that ask for no certificate, in a network whose policy `anonymousConnections` is `accept`.
   */
  readonly identity?: Identity;
  /** Time for a whole request and its answer, milliseconds; default 60,000. */
  readonly timeoutMs?: number;
  /** Connections open at once; more requests wait their turn. Default 64. */
  readonly maxSockets?: number;
  /** Bytes of an answer; default 64 MiB. */
  readonly maxAnswerBytes?: number;
  /** Lets only nodes through that proved what they run; without one, any node of the network. */
  readonly gate?: NodeGate;
}

/** Decides which nodes are spoken to, beyond that the network endorsed them. */
export interface NodeGate {
  /** Why nothing may be said to the holder of a certificate; undefined when it may. @param der DER */
  refusal(der: Uint8Array): SdkError | undefined;
  /** Has the node prove itself anew. @throws SdkError why it is refused */
  verify(): Promise<void>;
}

/** One request. */
export interface RequestStart {
  /** Default GET. */
  readonly method?: string;
  /** Origin form: path and query. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** One request with its body. */
export interface RequestOptionsWithBody extends RequestStart {
  readonly body?: Uint8Array | string;
  /** Milliseconds; default that of the connection. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Whether the answer is to say whose certificate ended the connection. */
  readonly withPeer?: boolean;
}

/** An answer, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** DER, if that was asked for. */
  readonly peerCertificate?: Uint8Array;
}

/**
 * One port of one node over mutual TLS 1.3, pinned to the network: the server is whoever holds a
 * node certificate of this very network, by whatever name or address it is reached, since nodes
 * prove themselves by attestation and vote, not by name. Connections are kept open and used again.
 */
export class Connection {
  /** `host:port`. */
  readonly address: string;
  /** PEM, pinned. */
  readonly networkCertificate: string;
  readonly identity: Identity | undefined;
  readonly #place: HostAndPort;
  readonly #tls: TlsOptions;
  readonly #agent: Agent;
  readonly #timeoutMs: number;
  readonly #maxAnswerBytes: number;
  readonly #gate: NodeGate | undefined;
  /** Of the newest connection, DER: what the gate let through. */
  #peer: Uint8Array | undefined;
  #closed = false;

  /** @throws SdkError INVALID_ADDRESS, INVALID_NETWORK_CERTIFICATE */
  constructor(options: ConnectionOptions) {
    this.address = options.address;
    this.networkCertificate = options.networkCertificate;
    this.identity = options.identity;
    this.#place = parseAddress(options.address);
    this.#gate = options.gate;
    this.#tls = tlsOptions(options, (der) => this.#judge(der));
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#maxAnswerBytes = options.maxAnswerBytes ?? 64 * 1024 * 1024;
    const maxSockets = options.maxSockets ?? 64;
    this.#agent = new OnePlaceAgent({
      ...this.#tls,
      keepAlive: true,
      maxSockets,
      maxFreeSockets: maxSockets,
      // A resumed session carries only the leaf of our certificates, and the node judges the chain.
      maxCachedSessions: 0,
    });
  }

  /**
   * Begins a request whose body and answer the caller streams. Errors come as `error` events;
   * NODE_NOT_VERIFIED among them unless {@link verified} came first.
   */
  start(start: RequestStart): ClientRequest {
    return httpsRequest({ ...this.#target(start), agent: this.#agent });
  }

  /** Begins a request on a connection of its own, as upgrades need. */
  startAlone(start: RequestStart): ClientRequest {
    return httpsRequest({ ...this.#tls, ...this.#target(start), agent: false });
  }

  #target({ method = 'GET', path, headers = {} }: RequestStart): RequestOptions {
    return { ...this.#place, method, path, headers: { host: this.address, ...headers } };
  }

  /**
   * Sends a request and collects the answer.
   * @throws SdkError UNREACHABLE, NOT_TLS, WRONG_NETWORK, SERVER_CERTIFICATE_INVALID,
   *   CERTIFICATE_REFUSED, CONNECTION_LOST, TIMEOUT, CLOSED, UNEXPECTED_ANSWER (too large),
   *   EVIDENCE_REFUSED, NODE_NOT_VERIFIED
   */
  request(options: RequestOptionsWithBody): Promise<Answer> {
    return this.#admitted(() => this.#request(options));
  }

  async #request(options: RequestOptionsWithBody): Promise<Answer> {
    this.#requireOpen();
    const request = this.start(options);
    const settled = withDeadline(request, options.timeoutMs ?? this.#timeoutMs, options.signal);
    try {
      return await new Promise<Answer>((resolve, reject) => {
        request.on('error', reject);
        request.on('response', (response) => {
          const peer = options.withPeer && peerOf(response);
          collectBody(response, this.#maxAnswerBytes).then(
            (body) =>
              resolve({ status: statusOf(response), headers: response.headers, body, ...peer }),
            reject,
          );
        });
        request.end(options.body);
      });
    } catch (error) {
      throw this.#explain(error as Error);
    } finally {
      settled();
    }
  }

  /**
   * Sends a request and hands over the answer when its head has come; the body may take for ever.
   * @throws SdkError as {@link request}; the code a node answered with when the status is not 200
   */
  stream(options: RequestOptionsWithBody): Promise<IncomingMessage> {
    return this.#admitted(() => this.#stream(options));
  }

  async #stream(options: RequestOptionsWithBody): Promise<IncomingMessage> {
    this.#requireOpen();
    const request = this.startAlone(options);
    const settled = withDeadline(request, options.timeoutMs ?? this.#timeoutMs);
    const abort = () => request.destroy(new SdkError('CLOSED', 'the caller ended the stream'));
    options.signal?.addEventListener('abort', abort);
    request.on('close', () => options.signal?.removeEventListener('abort', abort));
    try {
      if (options.signal?.aborted) abort();
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.on('error', reject);
        request.on('response', resolve);
        request.end(options.body);
      });
      if (response.statusCode === 200) {
        // A peer that is gone without a word would never be noticed: nothing is owed on a stream.
        response.socket.setKeepAlive(true, streamSilenceMs);
        return response;
      }
      throw errorOfAnswer(statusOf(response), await collectBody(response, this.#maxAnswerBytes));
    } catch (error) {
      throw this.#explain(error as Error);
    } finally {
      settled();
    }
  }

  /**
   * Turns a connection into one of another protocol (RFC 9110, section 7.8).
   * @returns the socket and the bytes that came with the switch
   * @throws SdkError as {@link request}; the code a node answered with when it refused
   */
  upgrade(path: string, protocol: string): Promise<{ socket: TLSSocket; head: Buffer }> {
    return this.#admitted(() => this.#upgrade(path, protocol));
  }

  async #upgrade(path: string, protocol: string): Promise<{ socket: TLSSocket; head: Buffer }> {
    this.#requireOpen();
    const headers = { connection: 'Upgrade', upgrade: protocol };
    const request = this.startAlone({ path, headers });
    const settled = withDeadline(request, this.#timeoutMs);
    try {
      return await new Promise((resolve, reject) => {
        request.on('error', reject);
        request.on('response', (response) => {
          collectBody(response, this.#maxAnswerBytes).then((body) => {
            reject(errorOfAnswer(statusOf(response), body));
          }, reject);
        });
        request.on('upgrade', (response, socket, head) => {
          if (response.headers.upgrade?.toLowerCase() === protocol) {
            resolve({ socket: socket as TLSSocket, head });
            return;
          }
          socket.destroy();
          reject(new SdkError('UNEXPECTED_ANSWER', 'the node switched to another protocol'));
        });
        request.end();
      });
    } catch (error) {
      throw this.#explain(error as Error);
    } finally {
      settled();
    }
  }

  /**
   * Has the node prove itself if it has not, or not lately: before {@link start} and
   * {@link startAlone}; everything else does so by itself.
   * @throws SdkError EVIDENCE_REFUSED, and as {@link request}
   */
  async verified(): Promise<void> {
    if (!this.#gate || (this.#peer && !this.#gate.refusal(this.#peer))) return;
    await this.#gate.verify();
    // What was open may end in another enclave than the one that just proved itself.
    if (this.#peer) this.#agent.destroy();
    this.#peer = undefined;
  }

  /** Nothing was sent when a gate refused a connection, so that it may be tried once more. */
  async #admitted<Result>(attempt: () => Promise<Result>): Promise<Result> {
    if (!this.#gate) return attempt();
    // Before the handshake, in which this client would say who it is.
    await this.verified();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof SdkError) || error.code !== 'NODE_NOT_VERIFIED') throw error;
    }
    await this.verified();
    return attempt();
  }

  #judge(der: Uint8Array): SdkError | undefined {
    const refusal = this.#gate?.refusal(der);
    // Another enclave listens there now: what the one before proved says nothing of it.
    this.#peer = refusal ? undefined : der;
    return refusal;
  }

  #explain(error: Error): SdkError {
    if (this.#closed && !(error instanceof SdkError)) return closedError(this.address);
    return explainFailure(error, this.address);
  }

  #requireOpen(): void {
    if (this.#closed) throw closedError(this.address);
  }

  /** Cuts every kept connection; requests on the way fail with CLOSED. */
  close(): void {
    this.#closed = true;
    this.#agent.destroy();
  }
}

/** Silence of a stream after which the other end is asked whether it is there, milliseconds. */
const streamSilenceMs = 15_000;

/** Node names pools by every TLS option, keys included, at each request; here there is one pool. */
class OnePlaceAgent extends Agent {
  override getName(): string {
    return 'node';
  }
}

const closedError = (address: string): SdkError =>
  new SdkError('CLOSED', `the client of ${address} was closed`);

const statusOf = (response: IncomingMessage): number => response.statusCode ?? 0;

/** Certificate of who answered, DER. */
function peerOf({ socket }: IncomingMessage): { peerCertificate?: Uint8Array } {
  const certificate = (socket as TLSSocket).getPeerX509Certificate();
  return certificate ? { peerCertificate: certificate.raw } : {};
}

function tlsOptions(
  { networkCertificate, identity, address }: ConnectionOptions,
  judge: (der: Uint8Array) => SdkError | undefined,
): TlsOptions {
  const { host } = parseAddress(address);
  return {
    secureContext: createSecureContext({
      ca: [pinned(networkCertificate)],
      ...(identity && { cert: identity.certificatePem, key: identity.keyPem }),
      minVersion: 'TLSv1.3',
    }),
    // What the certificate must prove is the network, not the name: see the class.
    checkServerIdentity: (_host, { raw }) => judge(raw),
    // RFC 6066, section 3: addresses are not sent as a server name.
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
  };
}

/** The one certificate to trust, as PEM. */
function pinned(networkCertificate: string): string {
  try {
    const ders = fromPem(networkCertificate);
    const [der] = ders;
    if (der && ders.length === 1 && new X509Certificate(der).ca) return networkCertificate;
  } catch (error) {
    const isForm = error instanceof CryptoError || (error as { code?: string }).code !== undefined;
    if (!isForm) throw error;
  }
  const why = 'a network certificate is exactly one PEM certificate of an authority';
  throw new SdkError('INVALID_NETWORK_CERTIFICATE', why);
}

/** Destroys the request with TIMEOUT unless the returned function is called before. */
function withDeadline(request: ClientRequest, timeoutMs: number, signal?: AbortSignal): () => void {
  const timer = setTimeout(() => {
    request.destroy(new SdkError('TIMEOUT', `no answer within ${timeoutMs} ms`, { timeoutMs }));
  }, timeoutMs);
  const abort = () => request.destroy(new SdkError('CLOSED', 'the caller gave up'));
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  };
}
