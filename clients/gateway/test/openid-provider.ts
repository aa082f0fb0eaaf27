import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';
import Provider, { type Configuration, type KoaContextWithOIDC } from 'oidc-provider';

/** What a provider knows of an account. */
export interface Account {
  name?: string;
  groups: readonly string[];
  /** Seconds since 1970. */
  nbf?: number;
  /** Whether it may still sign in. */
  isGone?: boolean;
}

/** A key of the provider, with which tests sign as it would. */
export interface ProviderKey {
  readonly kid: string;
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

/** How a provider is started. */
export interface ProviderOptions {
  /** Origin of the gateway. */
  readonly publicUrl: string;
  /** Path of the issuer, for providers with tenants. */
  readonly path?: string;
  /** Whether ID tokens hold the claims that scopes ask for; else userinfo alone does. */
  readonly claimsInIdToken?: boolean;
}

export const audience = 'https://api.bank.example';

/** `oidc-provider` on this machine, with a sign-in that asks nothing but who one is. */
export class OpenIdProvider {
  readonly accounts = new Map<string, Account>();
  readonly issuer: string;
  /** Requests by path, to see what is fetched. */
  readonly seen: string[] = [];
  /** What it answers instead of itself. */
  failing: 'status' | 'hang' | 'page' | undefined;
  key!: ProviderKey;
  readonly #options: ProviderOptions;
  readonly #server: Server;
  #provider!: Provider;

  private constructor(server: Server, options: ProviderOptions) {
    this.#server = server;
    this.#options = options;
    const { port } = server.address() as AddressInfo;
    this.issuer = `http://127.0.0.1:${port}${options.path ?? ''}`;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(options: ProviderOptions): Promise<OpenIdProvider> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const started = new OpenIdProvider(server, options);
    await started.rotate('k1');
    return started;
  }

  /** Signs with a new key from now on; the former one is not published any more. */
  async rotate(kid: string): Promise<void> {
    const pair = await generateKeyPair('RS256', { extractable: true });
    const jwk = { ...(await exportJWK(pair.privateKey)), kid, use: 'sig', alg: 'RS256' };
    this.key = { kid, jwk, ...pair };
    this.#provider = this.#create();
  }

  /** A token by its key, with what it usually has unless `claims` say otherwise. */
  async token(
    claims: Readonly<Record<string, unknown>> = {},
    header: Readonly<Record<string, unknown>> = {},
    key: CryptoKey | Uint8Array = this.key.privateKey,
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const usual = {
      iss: this.issuer,
      aud: audience,
      sub: 'svc',
      iat: now,
      nbf: now,
      exp: now + 300,
    };
    const payload = Object.entries({ ...usual, groups: ['Tellers'], ...claims });
    return new SignJWT(
      Object.fromEntries(payload.filter(([, value]) => value !== undefined)) as JWTPayload,
    )
      .setProtectedHeader({ alg: 'RS256', kid: this.key.kid, ...header })
      .sign(key);
  }

  /** An access token for `service`, by the grant of client credentials. */
  async clientCredentials(): Promise<string> {
    const answer = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('service:service-secret')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience }),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    return token;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path = '' } = this.#options;
    const own = (request.url ?? '/').slice(path.length);
    this.seen.push(own.split('?')[0] as string);
    if (this.failing === 'hang') return;
    if (this.failing === 'page') {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Back soon</h1>');
      return;
    }
    if (this.failing === 'status') {
      response.writeHead(503).end();
      return;
    }
    if (!request.url?.startsWith(path)) {
      response.writeHead(404).end();
      return;
    }
    const interaction = /^\/interaction\/([^?]+)\?as=(.+)$/.exec(own);
    if (interaction) {
      const accountId = decodeURIComponent(interaction[2] as string);
      const refused = { error: 'access_denied', error_description: 'no <thanks>' };
      const result = accountId === 'nobody' ? refused : { login: { accountId } };
      await this.#provider.interactionFinished(request, response, result);
      return;
    }
    Object.assign(request, { originalUrl: request.url });
    request.url = own;
    await this.#provider.callback()(request, response);
  }

  #create(): Provider {
    const provider = new Provider(this.issuer, this.#configuration());
    provider.on('server_error', (_, error) => console.error(error));
    return provider;
  }

  #configuration(): Configuration {
    const { publicUrl, path = '', claimsInIdToken = true } = this.#options;
    const front = {
      client_id: 'front',
      client_secret: 'front:secret +',
      redirect_uris: [`${publicUrl}/callback`],
      post_logout_redirect_uris: [`${publicUrl}/signed-out`],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code' as const],
    };
    const service = {
      client_id: 'service',
      client_secret: 'service-secret',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
    };
    return {
      clients: [front, service],
      jwks: { keys: [this.key.jwk as never] },
      scopes: ['openid', 'profile', 'groups', 'offline_access'],
      claims: { openid: ['sub', 'nbf'], profile: ['name'], groups: ['groups'] },
      conformIdTokenClaims: !claimsInIdToken,
      cookies: { keys: ['of a test'] },
      interactions: { url: (_, { uid }) => `${path}/interaction/${uid}` },
      findAccount: (_, accountId) => {
        const account = this.accounts.get(accountId);
        if (account === undefined || account.isGone) return undefined;
        return { accountId, claims: () => ({ sub: accountId, ...account }) };
      },
      loadExistingGrant: (context) => granted(context),
      issueRefreshToken: async () => true,
      extraTokenClaims: (_, { clientId }) =>
        clientId === 'service' ? { groups: ['Tellers'] } : {},
      pkce: { required: () => true },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        revocation: { enabled: true },
        rpInitiatedLogout: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: '',
            audience,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
    };
  }
}

/** Everybody has agreed to everything. */
async function granted({ oidc }: KoaContextWithOIDC) {
  const { client, session, provider } = oidc;
  const grant = new provider.Grant({
    clientId: client?.clientId ?? '',
    accountId: session?.accountId ?? '',
  });
  grant.addOIDCScope('openid profile groups offline_access');
  await grant.save();
  return grant;
}
