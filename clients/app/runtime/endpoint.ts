import type { Fields, ObjectOf, WireObjectOf } from './containers.ts';
import type { External } from './external.ts';
import type { PastState } from './past.ts';
import type { AnySchema, Infer, InferWire } from './schema.ts';
import type { Tables, TablesOf } from './table.ts';

/** Methods an endpoint may have. */
export const methods = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH'] as const;

/** One of them. */
export type Method = (typeof methods)[number];

/** Method and path of an endpoint: `POST /accounts/{id}/deposit`. */
export type Route = `${Method} /${string}`;

/**
 * `read` writes nothing and is answered by any node from committed state, as is `historical`, which
 * is about one committed transaction that the client names.
 */
export type Mode = 'read' | 'write' | 'historical';

/** The mode of a route whose endpoint says nothing of it. */
export type UsualMode<R> = R extends `GET ${string}` ? 'read' : 'write';

/** Names of a path's parameters. */
export type ParamNames<P> = P extends `${string}{${infer N}}${infer More}`
  ? N | ParamNames<More>
  : never;

/** A token (JWT, RFC 7519) by a key of an issuer that the network trusts. */
export interface CallerToken {
  readonly keyIssuer: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

/**
 * Of an end user, what the calling participant says: the network proves none of it, so an application
 * decides whose word it takes (`caller.id`).
 */
export interface EndUser {
  /** Who knows the end user. */
  readonly issuer: string;
  /** Unique at the issuer. */
  readonly subject: string;
  readonly name?: string;
  /** What the participant lets it be; not roles of the network. */
  readonly roles: readonly string[];
}

/** Who called. */
export interface Caller {
  /** The actor's id: 64 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly kinds: readonly string[];
  readonly roles: readonly string[];
  /**
   * Who of the organisation calls, as the certificate says: common name, and serial number in hex. Absent
   * where it is the organisation's own certificate.
   */
  readonly staff?: { readonly name: string; readonly serial: string };
  /** Of endpoints that ask for one. */
  readonly token?: CallerToken;
  /** For whom the caller says it asks. */
  readonly endUser?: EndUser;
}

/** Which actors: `anyone` is every actor of the network. */
export type Group = 'anyone' | 'participants' | 'members';

/** Who may call an endpoint. */
export type Access =
  | Group
  | readonly Group[]
  | {
      /** Default: `anyone`. */
      readonly group?: Group | readonly Group[];
      /** Whether the caller presents a token as well (`authorization: Bearer`); default: no. */
      readonly token?: boolean;
      /** One of these roles is enough. */
      readonly roles?: readonly string[];
      /** What else must hold. */
      readonly when?: (caller: Caller) => boolean;
    };

/** Entropy of the enclave. */
export interface Random {
  /** At least 0 and below 1. */
  number(): number;
  /** From `min` to `max`, both included. */
  integer(min: number, max: number): number;
  bytes(length: number): Uint8Array;
  /** A UUID of version 4. */
  uuid(): string;
}

/** What a handler sees of the past. */
export type Past<T extends Tables, M> = M extends 'historical'
  ? {
      /** The transaction that the request is about. */
      readonly past: PastState<T>;
      readonly pastRange: PastRange<T>;
    }
  : M extends 'read'
    ? { readonly pastRange: PastRange<T> }
    : object;

/**
 * Committed transactions from one seqno to another, both included, at most 1,000. While they are being
 * read, the request is answered `PastNotReady` (202): the same request succeeds later.
 */
export type PastRange<T extends Tables> = (from: number, to: number) => readonly PastState<T>[];

/** What a handler has beside the request. */
export type Context<T extends Tables, M, C = undefined> = CommonContext<T, M> &
  Past<T, M> &
  Called<C>;

/** What the calls that were made before the transaction left. */
export type Called<C> = [C] extends [undefined]
  ? object
  : {
      /** What `calls` returned. */
      readonly called: C;
      /** As in {@link CallsContext}. */
      readonly idempotencyKey: string;
    };

/** What `calls` has beside the request. */
export type CallsContext<T extends Tables> = Omit<CommonContext<T, 'read'>, 'setClaims'> & {
  readonly external: External;
  /**
   * 64 hex digits, for the systems that are called to act once: the same for every attempt of a
   * request that its client gave an idempotency key, else one of its own.
   */
  readonly idempotencyKey: string;
};

/** What every handler has beside the request. */
export interface CommonContext<T extends Tables, M> {
  readonly tables: TablesOf<T, M>;
  readonly caller: Caller;
  readonly random: Random;
  /** Milliseconds since 1970, by the clock of the node that executes. */
  readonly now: () => number;
  /** Binds 32 bytes into the receipt of the transaction. */
  readonly setClaims: (digest: Uint8Array) => void;
  /** SHA-256; of a text, over its UTF-8. */
  readonly digest: (data: Uint8Array | string) => Uint8Array;
  /** Ends the request with an error answer: nothing of it is written. */
  readonly fail: (
    code: string,
    status: number,
    message: string,
    details?: Readonly<Record<string, unknown>>,
  ) => never;
}

/** A handler's parameters of the path. */
export type ParamsOf<R, P> = {
  readonly [N in ParamNames<R>]: P extends { readonly [_ in N]: infer S extends AnySchema }
    ? Infer<S>
    : string;
};

/** The request a handler gets. */
export interface Request<R, P, Q extends Fields, B> {
  readonly params: ParamsOf<R, P>;
  readonly query: ObjectOf<Q>;
  readonly body: B extends AnySchema ? Infer<B> : undefined;
}

/** What a handler returns. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that answers nothing returns nothing
export type Result<O> = O extends AnySchema ? Infer<O> : void;

/** What an endpoint is, beside its route. */
export interface EndpointOptions<T extends Tables, R, P, Q extends Fields, B, O, M, C = undefined> {
  readonly access: Access;
  /** Schemas of parameters that are no texts. */
  readonly params?: P;
  /** Properties of the query; those that are not optional must be there. */
  readonly query?: Q;
  /** What the body is, as JSON. */
  readonly body?: B;
  /** What the answer is, as JSON; absent: the answer has no body. */
  readonly response?: O;
  /** 200 to 299; default 200, or 204 without a body. */
  readonly status?: number;
  /** Default: `read` for GET, `write` for all others. */
  readonly mode?: M;
  /** A line for the OpenAPI document. */
  readonly summary?: string;
  readonly description?: string;
  /**
   * Of endpoints that write: makes calls to systems outside of the network, before the transaction,
   * once, on the leader. It sees committed state and writes nothing; what it returns (JSON) is
   * `called` for the handler. No other request waits for it.
   */
  readonly calls?: (request: Request<R, P, Q, B>, context: CallsContext<T>) => C | Promise<C>;
  readonly handler: (
    request: Request<R, P, Q, B>,
    context: Context<T, M, C>,
  ) => Result<O> | Promise<Result<O>>;
}

/** What an endpoint reads and answers. */
export interface EndpointSchemas {
  /** Of parameters that are no texts. */
  readonly params: Readonly<Record<string, AnySchema>>;
  readonly query: Fields;
  readonly body: AnySchema | undefined;
  readonly response: AnySchema | undefined;
}

/** Any endpoint. */
export interface AnyEndpoint {
  readonly route: string;
  readonly method: Method;
  readonly path: string;
  readonly mode: Mode;
  readonly status: number;
  readonly access: Access;
  readonly schemas: EndpointSchemas;
  readonly summary: string | undefined;
  readonly description: string | undefined;
  /** Typed where the endpoint is made; here it is one of many. */
  readonly handler: (request: never, context: never) => unknown;
  readonly calls: ((request: never, context: never) => unknown) | undefined;
}

/** An endpoint with the types of what it reads and answers. */
export interface Endpoint<
  R = Route,
  P = object,
  Q extends Fields = Fields,
  B = unknown,
  O = unknown,
> extends AnyEndpoint {
  readonly route: R & string;
  /**
   * Phantom. Apart from `schemas`, so that an endpoint's types come from its definition alone and
   * not from where it is put.
   */
  readonly types?: {
    readonly params: P;
    readonly query: Q;
    readonly body: B;
    readonly response: O;
  };
}

/** Endpoints by their names. */
export type Endpoints = Readonly<Record<string, AnyEndpoint>>;

/** Makes endpoints over an application's tables. */
export type EndpointMaker<T extends Tables> = <
  const R extends Route,
  P extends { readonly [N in ParamNames<R>]?: AnySchema } = Record<never, never>,
  Q extends Fields = Record<never, never>,
  B extends AnySchema | undefined = undefined,
  O extends AnySchema | undefined = undefined,
  const M extends Mode = UsualMode<R>,
  C = undefined,
>(
  route: R,
  options: EndpointOptions<T, R, P, Q, B, O, M, C>,
) => Endpoint<R, P, Q, B, O>;

/**
 * Makes endpoints whose handlers see these tables:
 * `const endpoint = endpointsOf(tables); endpoint('GET /accounts/{id}', { ... })`.
 */
export function endpointsOf<T extends Tables>(_tables: T): EndpointMaker<T> {
  return (route, options) => {
    const space = route.indexOf(' ');
    const method = route.slice(0, space) as Method;
    const { mode, params = {}, query = {}, body, response } = options;
    return {
      route,
      method,
      path: route.slice(space + 1),
      mode: mode ?? (method === 'GET' ? 'read' : 'write'),
      status: options.status ?? (response === undefined ? 204 : 200),
      schemas: { params: params as EndpointSchemas['params'], query, body, response },
      access: options.access,
      summary: options.summary,
      description: options.description,
      handler: options.handler as (request: never, context: never) => unknown,
      calls: options.calls as AnyEndpoint['calls'],
    };
  };
}

type Optionally<Name extends string, V> = undefined extends V
  ? { readonly [N in Name]?: never }
  : // An object without required properties need not be given.
    Record<never, never> extends V
    ? { readonly [N in Name]?: V }
    : { readonly [N in Name]: V };

type WireParams<R, P> = {
  readonly [N in ParamNames<R>]: P extends { readonly [_ in N]: infer S extends AnySchema }
    ? InferWire<S>
    : string;
};

/** What a client sends to an endpoint: parameters, query and body as JSON has them. */
export type CallOf<E> =
  E extends Endpoint<infer R, infer P, infer Q, infer B, infer _>
    ? Optionally<'params', WireParams<R, P>> &
        Optionally<'query', WireObjectOf<Q>> &
        (B extends AnySchema ? { readonly body: InferWire<B> } : { readonly body?: never })
    : never;

/** What a client gets from an endpoint. */
export type AnswerOf<E> =
  E extends Endpoint<infer _, infer _P, infer _Q, infer _B, infer O>
    ? O extends AnySchema
      ? InferWire<O>
      : undefined
    : never;
