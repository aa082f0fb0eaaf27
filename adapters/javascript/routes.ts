import type { Actor, Refused } from '@concordat/worker-enclave';
import { type Caller, callerUnder } from './authentication.ts';
import type { Bundle, BundleEndpoint } from './bundle.ts';
import { PathTree } from './path-template.ts';
import { splitUrl } from './request-form.ts';

/** What a request is answered by. */
export interface Found {
  readonly endpoint: BundleEndpoint;
  readonly params: Readonly<Record<string, string>>;
  readonly caller: Caller;
}

type ByMethod = Map<string, BundleEndpoint>;

const prefix = '/app/';
const notFound: Refused = { ok: false, code: 'NOT_FOUND', message: 'no endpoint has this path' };

/** An application's endpoints by path, method and caller. */
export class Routes {
  readonly #tree = new PathTree<ByMethod>();

  constructor({ endpoints }: Bundle) {
    const byPath = new Map<string, ByMethod>();
    for (const endpoint of endpoints) {
      const { template, method } = endpoint;
      let methods = byPath.get(template.path);
      if (methods === undefined) {
        methods = new Map();
        byPath.set(template.path, methods);
        this.#tree.add(template, methods);
      }
      methods.set(method, endpoint);
    }
  }

  /** @param url path and query; the path may begin with `/app`, as at CCF */
  find(method: string, url: string, actor: Actor): Found | Refused {
    const { path } = splitUrl(url);
    const inner = path.startsWith(prefix) ? path.slice(prefix.length - 1) : path;
    const match = this.#tree.find(inner);
    if (match === undefined) return notFound;
    const endpoint = match.route.get(method);
    if (endpoint === undefined) {
      const allow = [...match.route.keys()].join(', ');
      const message = `the methods of this path are ${allow}`;
      return { ok: false, code: 'METHOD_NOT_ALLOWED', message, details: { allow } };
    }
    const caller = callerUnder(endpoint.policies, actor);
    if (caller !== undefined) return { endpoint, params: match.params, caller };
    const message = 'no authentication policy of this endpoint accepts the actor';
    return { ok: false, code: 'POLICY_NOT_MET', message, details: { policies: endpoint.policies } };
  }
}
