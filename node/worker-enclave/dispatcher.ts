import {
  ApiError,
  catalogueEntry,
  consistencyHeader,
  type ErrorCode,
  errorBody,
  isErrorCode,
  parseConsistency,
} from '@concordat/api';
import { isNobody } from '@concordat/bridge';
import type { Actor } from './actors.ts';
import type { HttpRequest, HttpResponse } from './adapter.ts';
import type { ReadCallback } from './read-gate.ts';
import { hostForRequest } from './request-key.ts';
import type { Router } from './router.ts';

/** What dispatching needs of the worker around it. */
export interface DispatcherOptions {
  readonly router: Router;
  readonly isReady: () => boolean;
  readonly whenCurrent: (actor: Actor, done: ReadCallback) => void;
  readonly health: () => { ok: boolean };
  readonly statistics: () => unknown;
}

/** What answers a request: an answer that is certain already, or an endpoint. */
export type Destination =
  | { readonly answer: HttpResponse }
  | {
      /**
       * Has the endpoint answer.
       * @param sealedAtMs of a sealed request: when it was created, milliseconds since 1970
       * @throws ApiError, and whatever the endpoint throws
       */
      readonly handle: (asked: HttpRequest, sealedAtMs?: number) => Promise<HttpResponse>;
    };

/** Where the runtime itself answers. */
const builtInPaths = ['/app/health', '/app/stats'];

/** Finds who answers a request, by its path, its method and whose it is. */
export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** @throws ApiError CLIENT_CERTIFICATE_REQUIRED */
  find(method: string, path: string, actor: Actor): Destination {
    const isStranger = isNobody(actor.actorId);
    if (builtInPaths.includes(path)) {
      if (isStranger) throw nobodyRefused();
      return { answer: this.#builtIn(path) };
    }
    const route = this.#options.router.find('http', path);
    if (route === undefined) return { answer: refusalOf('NOT_FOUND') };
    const { endpoint, host } = route;
    if (isStranger && endpoint.callers !== 'anyone') throw nobodyRefused();
    if (!endpoint.methods.includes(method)) {
      const allow = endpoint.methods.join(', ');
      const answer = refusalOf('METHOD_NOT_ALLOWED');
      return { answer: { ...answer, headers: { ...answer.headers, allow } } };
    }
    if (!this.#options.isReady()) return { answer: refusalOf('NODE_NOT_READY') };
    return {
      handle: async (asked, sealedAtMs) => {
        const consistency = parseConsistency(asked.headers[consistencyHeader]);
        if (consistency === undefined) throw wrongConsistency();
        if (consistency === 'linearizable') await this.#current(actor);
        return endpoint.handle(asked, actor, hostForRequest(host, asked, sealedAtMs));
      },
    };
  }

  #builtIn(path: string): HttpResponse {
    if (path === '/app/stats') return jsonAnswer(200, this.#options.statistics());
    const health = this.#options.health();
    return jsonAnswer(health.ok ? 200 : 503, health);
  }

  /** @throws ApiError LEADER_UNKNOWN, READ_NOT_CONFIRMED, OVERLOADED */
  #current(actor: Actor): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#options.whenCurrent(actor, (refused) => {
        if (refused === undefined) resolve();
        else
          reject(
            new ApiError(
              isErrorCode(refused.code) ? refused.code : 'INTERNAL_ERROR',
              refused.message,
            ),
          );
      });
    });
  }
}

/** An answer that is JSON. */
export const jsonAnswer = (status: number, value: unknown): HttpResponse => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

/** The answer of an error code. */
export const refusalOf = (code: ErrorCode, message?: string): HttpResponse =>
  jsonAnswer(catalogueEntry(code).status, errorBody(code, message));

const wrongConsistency = (): ApiError =>
  new ApiError('MALFORMED_REQUEST', `${consistencyHeader} is committed or linearizable`);

const nobodyRefused = (): ApiError =>
  new ApiError(
    'CLIENT_CERTIFICATE_REQUIRED',
    "no client certificate was presented; here one of an actor's is accepted, or a sealed request",
  );
