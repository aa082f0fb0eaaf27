import { randomBytes } from 'node:crypto';
import {
  decodeInnerReply,
  encodeInnerRequest,
  encodeSealedRequest,
  sealedPaths,
  sealedReplyLabel,
  sealedReplyMediaType,
  sealedRequestHeader,
  sealedRequestInfo,
  sealedRequestMediaType,
} from '@concordat/api';
import { fromPem, openReply, type SendingContext, sendTo } from '@concordat/crypto';
import {
  buildSealedMessage,
  type MessageSigner,
  type RequestKey,
  requestKeyLifetimeSeconds,
  verifyRequestKey,
} from '@concordat/governance';
import { CodedError, equalBytes, utf8 } from '@concordat/std';
import {
  type ApplicationAnswer,
  ApplicationCalls,
  type ApplicationRequest,
  type CallOptions,
  newIdempotencyKey,
} from './application-calls.ts';
import type { Answer, RequestOptionsWithBody } from './connection.ts';
import { errorOfAnswer, SdkError } from './errors.ts';
import type { Identity } from './identity.ts';
import { PlainHttp, type PlainHttpOptions } from './plain-http.ts';

/** How to call applications through what need not be trusted. */
export interface SealedClientOptions extends PlainHttpOptions, CallOptions {
  /** PEM of the network certificate: requests are sealed to what its key endorsed. */
  readonly networkCertificate: string;
  /** Which application port of a node requests are passed on to, from 0, the default. */
  readonly worker?: number;
  /** Who signs requests; its key must be P-256, at hand or elsewhere. */
  readonly identity: Identity;
}

/** Endorsements are fetched anew so long before they end, seconds. */
const marginSeconds = 60;
/** Times a request is sealed for one attempt: anew where the key was another one's by then. */
const maxSealings = 3;
/** What the node says in the clear after which a request is sealed anew. */
const sealedAnew = new Set(['SEALED_KEY_UNKNOWN', 'SEALED_REQUEST_REPLAYED']);

/**
 * Calls of applications by requests that only an enclave of the network reads and that the identity
 * signs, through a proxy that ends TLS or over plain HTTP: whoever carries them sees when they are
 * sent and how long they are, and can alter nothing unnoticed.
 */
export class SealedClient extends ApplicationCalls {
  readonly #carrier: SealedCarrier;

  /** @throws SdkError INVALID_ADDRESS, INVALID_NETWORK_CERTIFICATE, INVALID_IDENTITY */
  constructor(options: SealedClientOptions) {
    const carrier = new SealedCarrier(options);
    super(carrier, options);
    this.#carrier = carrier;
  }

  /**
   * Sends a request, and again when what carries it fails: whether it was executed by then cannot be
   * known, so that each has an idempotency key, drawn unless given.
   * @throws SdkError as {@link ApplicationCalls.request}; UNSEALED_ANSWER, SEALED_REPLY_INVALID,
   *   REQUEST_KEY_REFUSED
   */
  override request(path: string, request: ApplicationRequest = {}): Promise<ApplicationAnswer> {
    const { idempotencyKey = newIdempotencyKey() } = request;
    return super.request(path, { ...request, idempotencyKey });
  }

  /** Cuts its connections. */
  close(): void {
    this.#carrier.close();
  }
}

class SealedCarrier {
  readonly #http: PlainHttp;
  readonly #networkCertificate: Uint8Array;
  readonly #signer: MessageSigner;
  readonly #certificates: readonly Uint8Array[];
  readonly #worker: number;
  #key: RequestKey | undefined;

  constructor(options: SealedClientOptions) {
    const { identity } = options;
    this.#networkCertificate = networkCertificateOf(options.networkCertificate);
    if (!identity.messageSigner) {
      throw new SdkError('INVALID_IDENTITY', 'requests are signed with a P-256 key (ES256)');
    }
    this.#signer = identity.messageSigner;
    this.#certificates = chainOf(identity);
    this.#worker = (options.worker ?? 0) + 1;
    this.#http = new PlainHttp(options);
  }

  /** Seals a request, and opens what it is answered with. @throws SdkError */
  async request(options: RequestOptionsWithBody): Promise<Answer> {
    const payload = innerOf(options);
    const { timeoutMs, signal } = options;
    const bounds = { ...(timeoutMs !== undefined && { timeoutMs }), ...(signal && { signal }) };
    for (let sealing = 1; ; sealing++) {
      const { sealed, context } = this.#seal(payload, await this.#requestKey(bounds));
      const headers = { 'content-type': sealedRequestMediaType };
      const post = { method: 'POST', path: sealedPaths.request, headers, body: sealed, ...bounds };
      const answer = await this.#http.request(post);
      const isSealed = answer.headers['content-type'] === sealedReplyMediaType;
      if (answer.status === 200 && isSealed) return opened(context, answer.body);
      const error = unsealed(answer);
      const isWorthIt = sealedAnew.has(String(error.details.serverCode)) && sealing < maxSealings;
      if (!isWorthIt) throw error;
      this.#key = undefined;
    }
  }

  /** @throws SdkError REQUEST_KEY_REFUSED; UNSEALED_ANSWER when none was given */
  async #requestKey(bounds: Partial<RequestOptionsWithBody>): Promise<RequestKey> {
    const lastSeconds = requestKeyLifetimeSeconds - marginSeconds;
    const age = (key: RequestKey) => Math.abs(nowSeconds() - key.createdAtSeconds);
    if (this.#key && age(this.#key) < lastSeconds) return this.#key;
    const answer = await this.#http.request({ path: sealedPaths.key, ...bounds });
    if (answer.status !== 200) throw unsealed(answer);
    try {
      const certificateDer = this.#networkCertificate;
      this.#key = verifyRequestKey(answer.body, { certificateDer, atSeconds: nowSeconds() });
      return this.#key;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const reason = error.code;
      throw new SdkError('REQUEST_KEY_REFUSED', `the request key: ${error.message}`, { reason });
    }
  }

  #seal(payload: Uint8Array, key: RequestKey): { sealed: Uint8Array; context: SendingContext } {
    const { networkId, epoch, publicKey } = key;
    const context = sendTo(publicKey, sealedRequestInfo(networkId), randomBytes(32));
    const { ephemeral } = context;
    const message = buildSealedMessage({
      ...this.#signer,
      ...{ networkId, payload, ephemeral, certificates: this.#certificates },
      worker: this.#worker,
      createdAtSeconds: nowSeconds(),
    });
    const ciphertext = context.seal(message, sealedRequestHeader(epoch));
    return { sealed: encodeSealedRequest({ epoch, ephemeral, ciphertext }), context };
  }

  close(): void {
    this.#http.close();
  }
}

const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

/** The request inside. */
function innerOf({ method = 'GET', path, headers = {}, body }: RequestOptionsWithBody): Uint8Array {
  const named = Object.entries(headers).filter(([, value]) => value !== undefined);
  return encodeInnerRequest({
    method,
    target: path,
    headers: named.map(([name, value]) => [name.toLowerCase(), String(value)]),
    body: typeof body === 'string' ? utf8(body) : (body ?? new Uint8Array(0)),
  });
}

/** @throws SdkError SEALED_REPLY_INVALID */
function opened(context: SendingContext, sealed: Uint8Array): Answer {
  try {
    const to = { secret: context.export(sealedReplyLabel), ephemeral: context.ephemeral };
    const { status, headers, body } = decodeInnerReply(openReply(to, sealed));
    return { status, headers: Object.fromEntries(headers), body: Buffer.from(body) };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new SdkError('SEALED_REPLY_INVALID', `the sealed reply: ${error.message}`);
  }
}

/** What is said in the clear may be said by anybody. */
function unsealed({ status, body }: Answer): SdkError {
  const { code, message, details } = errorOfAnswer(status, body);
  const serverCode = code === 'UNEXPECTED_ANSWER' ? details.serverCode : code;
  const why = `answered in the clear, HTTP status ${status}: ${message}`;
  return new SdkError('UNSEALED_ANSWER', why, { status, ...(serverCode ? { serverCode } : {}) });
}

/** The own certificate and those above it; TLS may present others before them. */
function chainOf({ certificateDer, certificatePem }: Identity): readonly Uint8Array[] {
  const ders = fromPem(certificatePem);
  const own = ders.findIndex((der) => equalBytes(der, certificateDer));
  return own < 0 ? [certificateDer] : ders.slice(own);
}

function networkCertificateOf(pem: string): Uint8Array {
  try {
    const [der, ...more] = fromPem(pem);
    if (der && more.length === 0) return der;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
  }
  const why = 'a network certificate is exactly one PEM certificate of an authority';
  throw new SdkError('INVALID_NETWORK_CERTIFICATE', why);
}
