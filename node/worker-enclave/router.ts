import type { EndpointDeclaration } from './adapter.ts';
import { WorkerError } from './errors.ts';
import { readTarget } from './path-guard.ts';
import type { KeyedHost } from './request-key.ts';

/** An adapter's endpoints with the host they work with. */
export interface Routes {
  readonly endpoints: readonly EndpointDeclaration[];
  readonly host: KeyedHost;
}

/** An endpoint found for a path. */
export interface Route<Kind extends EndpointDeclaration['kind']> {
  readonly endpoint: Extract<EndpointDeclaration, { kind: Kind }>;
  readonly host: KeyedHost;
}

type Kind = EndpointDeclaration['kind'];
type AnyRoute = { readonly endpoint: EndpointDeclaration; readonly host: KeyedHost };

const pathForm = /^\/(?:[A-Za-z0-9\-._~]+(?:\/[A-Za-z0-9\-._~]+)*)?(?:\/\*)?$/;
const reserved = '/app/';

/** Finds the endpoint of a path: the exact one, else the longest prefix. */
export class Router {
  readonly #exact = new Map<string, AnyRoute>();
  readonly #prefixes: { readonly prefix: string; readonly kind: Kind; readonly route: AnyRoute }[] =
    [];

  /** @throws WorkerError INVALID_ADAPTERS on malformed, reserved or doubly taken paths */
  constructor(routes: readonly Routes[]) {
    for (const { endpoints, host } of routes) {
      for (const endpoint of endpoints) this.#add({ endpoint, host });
    }
    this.#prefixes.sort((a, b) => b.prefix.length - a.prefix.length);
  }

  find<K extends Kind>(kind: K, path: string): Route<K> | undefined {
    const exact = this.#exact.get(`${kind} ${path}`);
    if (exact !== undefined) return exact as Route<K>;
    for (const { prefix, kind: own, route } of this.#prefixes) {
      if (own === kind && path.startsWith(prefix)) return route as Route<K>;
    }
    return undefined;
  }

  #add(route: AnyRoute): void {
    const { path, kind } = route.endpoint;
    // A path the guard refuses in requests would never be found.
    const bare = path.replace(/\/\*$/, '');
    const reachable = bare === '' || readTarget(bare) !== undefined;
    const formed = path === '/*' || pathForm.test(path);
    if (!formed || !reachable || path.startsWith(reserved)) {
      throw new WorkerError('INVALID_ADAPTERS', `endpoint path ${path} is malformed or reserved`);
    }
    const taken =
      this.#exact.has(`${kind} ${path}`) ||
      this.#prefixes.some(({ prefix, kind: own }) => own === kind && `${prefix}*` === path);
    if (taken) throw new WorkerError('INVALID_ADAPTERS', `two ${kind} endpoints at ${path}`);
    if (path.endsWith('/*')) this.#prefixes.push({ prefix: path.slice(0, -1), kind, route });
    else this.#exact.set(`${kind} ${path}`, route);
  }
}
