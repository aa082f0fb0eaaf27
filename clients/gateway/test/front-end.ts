import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { decodeEndUser, type EndUser, endUserHeader } from '@concordat/api';
import {
  createGateway,
  type EndUserSettings,
  type Gateway,
  type GatewayOptions,
  type ProviderSettings,
} from '@concordat/gateway';
import { FakeNetwork, freeAddress, startNode } from '../../sdk/test/fake-network.ts';
import { audience, OpenIdProvider, type ProviderOptions } from './openid-provider.ts';
import { ScriptedBrowser, type Visit } from './scripted-browser.ts';

/** What a test starts a front-end system with. */
export interface FrontEndOptions {
  readonly provider?: Partial<ProviderOptions>;
  readonly settings?: (usual: EndUserSettings) => EndUserSettings;
  readonly gateway?: Partial<GatewayOptions>;
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Settings for a provider as `openid-provider.ts` starts it. */
export const providerSettings = (issuer: string): ProviderSettings => ({
  name: 'bank',
  issuer,
  algorithms: ['RS256'],
  claims: { subject: ['sub'], name: ['name'], groups: ['groups'] },
  roles: new Map([
    ['Tellers', ['teller']],
    ['Auditors', ['auditor']],
  ]),
  everyone: ['customer'],
  browsers: {
    clientId: 'front',
    clientSecret: 'front:secret +',
    clientAuthentication: 'client_secret_basic',
    scopes: ['openid', 'profile', 'groups'],
    userInfo: false,
    parameters: {},
  },
  services: { audiences: [audience], forwardToken: false },
});

/** A gateway for end users between a real provider and a node that tells what reached it. */
export class FrontEnd {
  readonly publicUrl: string;
  readonly provider: OpenIdProvider;
  readonly events: [string, Readonly<Record<string, unknown>>][] = [];
  /** Headers of requests that reached the node. */
  readonly reached: IncomingMessage['headers'][] = [];
  /** How far the gateway's clock is ahead. */
  skewMs = 0;
  gateway!: Gateway;
  readonly #open: { close(): unknown }[] = [];

  private constructor(publicUrl: string, provider: OpenIdProvider) {
    this.publicUrl = publicUrl;
    this.provider = provider;
    this.#open.push(provider);
  }

  static async start(options: FrontEndOptions = {}): Promise<FrontEnd> {
    const publicUrl = `http://${await freeAddress()}`;
    const provider = await OpenIdProvider.start({ publicUrl, ...options.provider });
    provider.accounts.set('alice', { name: 'Alice', groups: ['Tellers', 'Cooks'] });
    provider.accounts.set('bob', { groups: [] });
    const frontEnd = new FrontEnd(publicUrl, provider);
    await frontEnd.#listen(options);
    return frontEnd;
  }

  async #listen({ settings = (usual) => usual, gateway, onUpgrade }: FrontEndOptions) {
    const network = new FakeNetwork();
    const node = await startNode({
      network,
      handle: (request, response) => {
        this.reached.push(request.headers);
        response.setHeader('set-cookie', 'concordat-session-id=evil; Path=/');
        request.on('data', () => {});
        request.on('error', () => {});
        request.on('end', () => response.end(`${request.method} ${request.url}`));
      },
      ...(onUpgrade && { onUpgrade }),
    });
    this.#open.push(node);
    const { publicUrl } = this;
    const usual: EndUserSettings = {
      publicUrl,
      allowedOrigins: ['https://app.bank.example'],
      providers: [providerSettings(this.provider.issuer)],
      paths: [
        { path: '/app/open/*', access: 'open' },
        { path: '/app/tellers/*', access: ['teller'] },
        { path: '/app/audits/*', methods: ['GET'], access: ['auditor'] },
        { path: '/app/any', access: 'signed-in' },
        { path: '/socket', methods: ['WEBSOCKET'], access: ['teller'] },
      ],
      sessions: {
        max: 100,
        maxPerEndUser: 50,
        lifetimeSeconds: 3_000,
        idleSeconds: 1_800,
        refreshSeconds: 300,
      },
      returnTo: ['/me', '/app/any'],
    };
    this.gateway = await createGateway({
      listen: publicUrl.slice('http://'.length),
      targets: [node.address],
      identity: network.member,
      networkCertificate: network.certificate,
      connectTimeoutMs: 20_000,
      maxBodyBytes: 2_000,
      endUsers: settings(usual),
      now: () => Date.now() + this.skewMs,
      log: (event, fields) => this.events.push([event, fields]),
      ...gateway,
    });
  }

  /** A browser in which somebody has signed in. */
  async signedIn(as = 'alice', path = '/login'): Promise<ScriptedBrowser> {
    const browser = new ScriptedBrowser();
    browser.as = as;
    const visit = await browser.open(`${this.publicUrl}${path}`);
    assert.equal(visit.status, 200, visit.body);
    assert.ok(browser.cookie(this.publicUrl, sessionCookie), 'there is a session');
    return browser;
  }

  /** A request with a bearer token. */
  withToken(token: string, path = '/app/tellers/1'): Promise<Visit> {
    const headers = { authorization: `Bearer ${token}` };
    return new ScriptedBrowser().ask(`${this.publicUrl}${path}`, { headers });
  }

  /** For whom the last request that reached the node was. */
  get lastEndUser(): EndUser | undefined {
    const value = this.reached.at(-1)?.[endUserHeader];
    return value === undefined ? undefined : decodeEndUser(String(value));
  }

  async close(): Promise<void> {
    await this.gateway.close(0);
    for (const one of this.#open) await one.close();
  }
}

export const sessionCookie = 'concordat-session-id';
export const attemptCookie = 'concordat-sign-in';

/** The code of an answer that is an error; its status otherwise. */
export function codeOf({ status, body }: Visit): string {
  try {
    return (JSON.parse(body) as { error: { code: string } }).error.code;
  } catch {
    return `${status}`;
  }
}
