import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { ServerMetadata } from 'openid-client';
import { isLoopback } from '../door-guard.ts';
import { KeptDocument } from './kept-document.ts';
import { fetchDocument, invalid } from './provider-fetch.ts';
import type { ProviderSettings } from './settings.ts';

/** Keys and endpoints are asked for again after ten minutes, an hour; they do for a day without it. */
const freshMs = { keys: 600_000, metadata: 3_600_000 } as const;
const keptMs = 86_400_000;
/** Between two attempts, whether they are due to a key that is not known or to a failure. */
const pauseMs = { keys: 10_000, metadata: 5_000 } as const;
/** Milliseconds that requests wait for newer ones while the old ones do. */
const patienceMs = 1_000;
const maxKeys = 100;

/** An OpenID provider: what it publishes of itself, found by discovery, kept while it is away. */
export class IdentityProvider {
  readonly settings: ProviderSettings;
  readonly #metadata: KeptDocument<ServerMetadata>;
  readonly #keys: KeptDocument<JWTVerifyGetKey>;

  constructor(settings: ProviderSettings, now: () => number) {
    this.settings = settings;
    this.#metadata = new KeptDocument({
      load: () => discover(settings),
      freshMs: freshMs.metadata,
      keptMs,
      pauseMs: pauseMs.metadata,
      patienceMs,
      now,
    });
    this.#keys = new KeptDocument({
      load: async () => keysAt((await this.metadata()).jwks_uri, settings),
      freshMs: freshMs.keys,
      keptMs,
      pauseMs: pauseMs.keys,
      patienceMs,
      now,
    });
  }

  /** Its metadata. @throws ApiError IDENTITY_PROVIDER_UNAVAILABLE, IDENTITY_PROVIDER_INVALID */
  metadata(): Promise<ServerMetadata> {
    return this.#metadata.get();
  }

  /**
   * The key that the signature of a token from anywhere names. One that is not known is asked for, every
   * ten seconds at most.
   * @throws ApiError as {@link metadata}; JOSEError
   */
  readonly key: JWTVerifyGetKey = (...asked) => this.#find(pauseMs.keys, asked);

  /** The same for a token that the provider itself just gave: its newest key may be newer than that. */
  readonly keyAtOnce: JWTVerifyGetKey = (...asked) => this.#find(0, asked);

  async #find(
    pause: number,
    asked: Parameters<JWTVerifyGetKey>,
  ): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
    const held = await this.#keys.get();
    try {
      return await held(...asked);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const renewed = await this.#keys.renewed(pause);
      if (renewed === undefined) throw error;
      return renewed(...asked);
    }
  }
}

/** OpenID Connect Discovery 1.0, section 4. */
async function discover(settings: ProviderSettings): Promise<ServerMetadata> {
  const { issuer, tenant } = settings;
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await fetchDocument(url);
  // Documents for all tenants have the template where one tenant's have the tenant.
  const stated = withTenant(document.issuer, tenant);
  if (stated !== issuer) {
    throw invalid(`the provider at ${issuer} says that it is ${String(stated).slice(0, 200)}`);
  }
  for (const name of endpointNames) {
    const endpoint = document[name];
    const isNeeded = name === 'authorization_endpoint' || name === 'token_endpoint';
    if (endpoint === undefined && !(isNeeded && settings.browsers) && name !== 'jwks_uri') continue;
    if (typeof endpoint !== 'string' || !isAcceptable(endpoint, issuer)) {
      throw invalid(`${name} of ${issuer} is no https address`);
    }
  }
  return { ...document, issuer } as ServerMetadata;
}

const endpointNames = [
  'jwks_uri',
  'authorization_endpoint',
  'token_endpoint',
  'userinfo_endpoint',
  'end_session_endpoint',
  'revocation_endpoint',
] as const;

/** Plain http only on this machine, and only where the issuer itself is. */
const isAcceptable = (url: string, issuer: string): boolean => {
  const { protocol, hostname = '' } = URL.parse(url) ?? {};
  if (protocol === 'https:') return true;
  return protocol === 'http:' && isLoopback(hostname) && issuer.startsWith('http:');
};

const withTenant = (issuer: unknown, tenant: string | undefined): unknown =>
  typeof issuer === 'string' && tenant !== undefined
    ? issuer.replaceAll('{tenantid}', tenant)
    : issuer;

/** The keys that may sign for the issuer; Entra says of each whom it is for (`issuer`). */
async function keysAt(url: unknown, settings: ProviderSettings): Promise<JWTVerifyGetKey> {
  const { issuer, tenant } = settings;
  const { keys } = await fetchDocument(String(url));
  if (!Array.isArray(keys) || keys.length > maxKeys) {
    throw invalid(`the keys of ${issuer} are no list of at most ${maxKeys}`);
  }
  const own = keys.filter((key) => {
    if (typeof key !== 'object' || key === null) return false;
    const { issuer: owner, kid } = key as { readonly issuer?: unknown; readonly kid?: unknown };
    if (typeof kid !== 'string') return false;
    return owner === undefined || withTenant(owner, tenant) === issuer;
  });
  try {
    return createLocalJWKSet({ keys: own } as JSONWebKeySet);
  } catch {
    throw invalid(`the keys of ${issuer} are malformed`);
  }
}
