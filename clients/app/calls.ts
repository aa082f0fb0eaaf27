import type { AnyApp, App } from './runtime/define-app.ts';
import type { AnswerOf, CallOf, Endpoints } from './runtime/endpoint.ts';

/** Routes of an application: `'GET /accounts/{id}' | ...`. */
export type RouteOf<A> = A extends App<infer _, infer E> ? E[keyof E]['route'] : never;

/** The endpoint of a route. */
export type EndpointOf<A, R> =
  A extends App<infer _, infer E extends Endpoints>
    ? Extract<E[keyof E], { readonly route: R }>
    : never;

/** What a call of a route is given. */
export type CallInput<A, R> = CallOf<EndpointOf<A, R>>;

/** What a call of a route answers. */
export type CallAnswer<A, R> = AnswerOf<EndpointOf<A, R>>;

/** The argument of a call: it can be left out when there is nothing to give. */
export type CallArguments<Input, Options> =
  Record<never, never> extends Input
    ? [input?: Input, options?: Options]
    : [input: Input, options?: Options];

/** Any application's type. */
export type AppType = AnyApp;

/** A call as it goes over the wire. */
export interface PlainCall {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

/** Method, and path with its parameters and query. */
export function targetOf(route: string, call: PlainCall): { method: string; path: string } {
  const space = route.indexOf(' ');
  const filled = route.slice(space + 1).replace(/\{([^}]*)\}/g, (_, name: string) => {
    const value = call.params?.[name];
    if (value === undefined) throw new TypeError(`${route}: the parameter ${name} is missing`);
    return encodeURIComponent(String(value));
  });
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  const text = query.toString();
  return { method: route.slice(0, space), path: text === '' ? filled : `${filled}?${text}` };
}
