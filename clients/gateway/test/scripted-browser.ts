import { request } from 'node:http';

/** What a browser got. */
export interface Visit {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** How a request is made. */
export interface VisitOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** As much of a browser as signing in takes: cookies, redirections, forms, Fetch Metadata. */
export class ScriptedBrowser {
  /** By host and port, though browsers do not part ports: less comes with each request. */
  readonly cookies = new Map<string, Map<string, string>>();
  /** Every address that was asked for. */
  readonly visited: string[] = [];
  /** Who one is where a provider asks. */
  as = 'alice';

  /** Sends one request with the cookies of its host. */
  async ask(
    url: string,
    { method = 'GET', headers = {}, body }: VisitOptions = {},
  ): Promise<Visit> {
    const { host } = new URL(url);
    this.visited.push(url);
    const jar = this.cookies.get(host) ?? new Map<string, string>();
    this.cookies.set(host, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const visit = await send(url, {
      method,
      headers: { ...(cookie !== '' && { cookie }), ...headers },
      ...(body !== undefined && { body }),
    });
    for (const line of visit.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/Max-Age=0|expires=Thu, 01 Jan 1970/i.test(line) || value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return visit;
  }

  /** Goes to an address as a person would, and on to where it leads. */
  async open(url: string, first: VisitOptions = {}): Promise<Visit> {
    let visit = await this.ask(url, { ...first, headers: { ...navigation, ...first.headers } });
    for (let hops = 0; hops < 15; hops++) {
      const { location } = visit.headers;
      if (visit.status < 300 || visit.status >= 400 || typeof location !== 'string') return visit;
      let next = new URL(location, visit.url).href;
      if (next.includes('/interaction/')) next += `?as=${encodeURIComponent(this.as)}`;
      visit = await this.ask(next, { headers: navigation });
    }
    throw new Error(`too many redirections: ${visit.url}`);
  }

  cookie(url: string, name: string): string | undefined {
    return this.cookies.get(new URL(url).host)?.get(name);
  }

  setCookie(url: string, name: string, value: string): void {
    this.cookies.get(new URL(url).host)?.set(name, value);
  }
}

const navigation = {
  'sec-fetch-site': 'cross-site',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
} as const;

function send(
  url: string,
  { method, headers, body }: VisitOptions & { readonly headers: Readonly<Record<string, string>> },
): Promise<Visit> {
  const { origin, hostname, port } = new URL(url);
  // As written: what a URL makes of dot segments and backslashes is not what everybody sends.
  const path = url.startsWith(origin) ? url.slice(origin.length) || '/' : '/';
  const target = { hostname, port, path, agent: false } as const;
  return new Promise((resolve, reject) => {
    const asking = request({ ...target, ...(method && { method }), headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString();
        resolve({ url, status: answer.statusCode ?? 0, headers: answer.headers, body: text });
      });
    });
    asking.on('error', reject);
    asking.end(body);
  });
}
