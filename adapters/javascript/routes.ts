import type { Refused } from '@concordat/worker-enclave';
import type { Bundle, BundleEndpoint } from './bundle.ts';
import { PathTree } from './path-template.ts';
import type { AskedRequest } from './request-asked.ts';
import { splitUrl } from './request-form.ts';

/** What a request is answered by. */
export interface Found {
  readonly endpoint: BundleEndpoint;
  readonly params: Readonly<Record<string, string>>;
  /** JSON of `request.caller`. */
  readonly callerJson: string;
  /** Who that is behind the connection's actor; absent for the actor itself. */
  readonly subject?: string;
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

  /** @param asked its URL is path and query; the path may begin with `/app`, as at CCF */
  find(asked: AskedRequest): Found | Refused {
    const { method, url } = asked;
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
    const caller = asked.authenticate(endpoint.policies);
    if (caller.ok) {
      const { callerJson, subject } = caller;
      const { params } = match;
      return { endpoint, params, callerJson, ...(subject !== undefined && { subject }) };
    }
    if (!('refusals' in caller)) return caller;
    const message = 'no authentication policy of this endpoint accepts the request';
    const { refusals } = caller;
    return { ok: false, code: 'POLICY_NOT_MET', message, details: { refusals } };
  }
}
