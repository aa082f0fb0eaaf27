import {
  ApiError,
  decodeSealedRequest,
  sealedReplyLabel,
  sealedRequestHeader,
  sealedRequestInfo,
  sealedRequestLeadSeconds,
  sealedRequestLifetimeSeconds,
} from '@concordat/api';
import type { OpenReply, OpenRequest } from '@concordat/bridge';
import { spkiOf, verifyCose } from '@concordat/crypto';
import { decodeSealedMessage, type SealedMessage } from '@concordat/governance';
import { CodedError, emptyBytes, equalBytes } from '@concordat/std';
import { judgeCertificate } from './client-identity.ts';
import type { NodeContext } from './node-context.ts';
import { RequestKeys } from './request-keys.ts';
import { SeenMessages } from './seen-messages.ts';

/** Bytes of a sealed request, at most: what a worker takes as a body is less. */
const maxSealedBytes = 64 * 1024 * 1024;
/**
 * Time that attempts of strangers may take which fail: ms in a second, and saved up. A certificate
 * chain can be made that takes long to refuse, and nothing else goes on meanwhile.
 */
const failingMsPerSecond = 100;
const maxFailingMs = 200;

/** What an opened request holds, and who signed it. */
export type OpenedRequest = Omit<OpenReply, 'kind' | 'id' | 'code' | 'message'>;

/**
 * Opens requests that are sealed to the network (docs/format/sealed-request.md): decrypts, checks what
 * was signed and by whom, and hands what is inside to the worker without looking at it.
 */
export class SealedRequests {
  readonly keys: RequestKeys;
  readonly #node: NodeContext;
  readonly #seen = new SeenMessages();
  /** Time that is left to attempts of strangers that fail. */
  #failingMs = maxFailingMs;
  #failingAtMs = 0;

  constructor(node: NodeContext) {
    this.#node = node;
    this.keys = new RequestKeys(node);
  }

  /** The answer to a worker, by its index. */
  answer(worker: number, request: OpenRequest): OpenReply {
    const { id } = request;
    try {
      return { kind: 'opened', id, message: '', ...this.#openFor(worker, request) };
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const { code, message } = error;
      this.#node.refusals.add('sealed', code);
      const nothing = { identity: emptyBytes, payload: emptyBytes, secret: emptyBytes };
      return { kind: 'opened', id, code, message, ...nothing, digest: '', createdAtMs: 0 };
    }
  }

  /** @throws ApiError OVERLOADED when failing attempts of strangers have taken their time */
  #openFor(worker: number, { sealed, isStrangers }: OpenRequest): OpenedRequest {
    const nowMs = Date.now();
    if (!isStrangers) return this.open(sealed, { worker, nowMs });
    const fromMs = performance.now();
    const earnedMs = ((fromMs - this.#failingAtMs) * failingMsPerSecond) / 1_000;
    this.#failingMs = Math.min(maxFailingMs, this.#failingMs + earnedMs);
    this.#failingAtMs = fromMs;
    if (this.#failingMs <= 0) {
      throw new ApiError('OVERLOADED', 'too many sealed requests could not be opened of late');
    }
    try {
      return this.open(sealed, { worker, nowMs });
    } catch (error) {
      this.#failingMs -= performance.now() - fromMs;
      throw error;
    }
  }

  /**
   * What is in a sealed request.
   * @throws CodedError of a code of the catalogue
   */
  open(
    sealed: Uint8Array,
    { worker, nowMs }: { readonly worker: number; readonly nowMs: number },
  ): OpenedRequest {
    const { message, secret } = this.#decrypt(sealed, nowMs);
    if (message.worker !== worker) {
      throw new ApiError('SEALED_REQUEST_MISDIRECTED', `it is for worker ${message.worker}`);
    }
    const createdAtMs = message.createdAtSeconds * 1_000;
    this.#requireInTime(createdAtMs, nowMs);
    const [leafDer = emptyBytes, ...intermediates] = message.certificates;
    const verdict = judgeCertificate(this.#node.administration.committedConstitution, {
      leafDer,
      intermediates,
      atMs: nowMs,
    });
    if (!verdict.ok) throw new ApiError(verdict.code, verdict.message);
    if (!verifyCose(message.cose, spkiOf(leafDer))) {
      throw new ApiError('BAD_SIGNATURE', 'the key of the certificate did not sign it (ES256)');
    }
    const { actorId, record: identity } = verdict.identity;
    const untilMs = createdAtMs + sealedRequestLifetimeSeconds * 1_000;
    this.#seen.add({ actorId, digest: message.digest, untilMs, nowMs });
    return { identity, payload: message.payload, secret, digest: message.digest, createdAtMs };
  }

  /** @throws ApiError SEALED_REQUEST_MALFORMED, _UNREADABLE, WRONG_NETWORK, SEALED_KEY_UNKNOWN */
  #decrypt(sealed: Uint8Array, nowMs: number): { message: SealedMessage; secret: Uint8Array } {
    if (sealed.length > maxSealedBytes) {
      throw new ApiError('PAYLOAD_TOO_LARGE', `more than ${maxSealedBytes} bytes`);
    }
    const { epoch, ephemeral, ciphertext } = reading(() => decodeSealedRequest(sealed));
    const { id: networkId } = this.#node.network;
    const key = this.keys.find(epoch, nowMs);
    const context = opening(() => key.receive(ephemeral, sealedRequestInfo(networkId)));
    const bytes = opening(() => context.open(ciphertext, sealedRequestHeader(epoch)));
    const message = reading(() => decodeSealedMessage(bytes));
    if (message.networkId !== networkId) {
      throw new ApiError('WRONG_NETWORK', 'it was signed for another network');
    }
    if (!equalBytes(message.ephemeral, ephemeral)) {
      throw malformed('it was signed for another context than the one it is sealed in');
    }
    return { message, secret: context.export(sealedReplyLabel) };
  }

  /** @throws ApiError SEALED_REQUEST_EXPIRED, SEALED_REQUEST_TOO_EARLY */
  #requireInTime(createdAtMs: number, nowMs: number): void {
    const ageSeconds = (nowMs - createdAtMs) / 1_000;
    if (ageSeconds > sealedRequestLifetimeSeconds) {
      throw new ApiError('SEALED_REQUEST_EXPIRED', 'it was created too long ago');
    }
    if (-ageSeconds > sealedRequestLeadSeconds) {
      throw new ApiError('SEALED_REQUEST_TOO_EARLY', 'it was created in the future');
    }
  }
}

const malformed = (why: string): ApiError => new ApiError('SEALED_REQUEST_MALFORMED', why);

/** What cannot be read is malformed, whoever says so. */
function reading<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodedError) throw malformed(error.message);
    throw error;
  }
}

function opening<Value>(open: () => Value): Value {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new ApiError('SEALED_REQUEST_UNREADABLE', 'it does not open with the key it names');
  }
}
