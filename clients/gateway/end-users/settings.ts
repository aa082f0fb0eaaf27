import type { PathRule } from './access-rules.ts';

/** A claim of a token: its name, or the names that lead to it from the outside in. */
export type ClaimPath = readonly string[];

/** How end users sign in with browsers. */
export interface BrowserSettings {
  readonly clientId: string;
  /** Absent for a public client. */
  readonly clientSecret?: string;
  readonly clientAuthentication: 'client_secret_basic' | 'client_secret_post' | 'none';
  /** `openid` among them. */
  readonly scopes: readonly string[];
  /** Whether claims are asked for at the userinfo endpoint as well. */
  readonly userInfo: boolean;
  /** Further parameters of the authorization request (`prompt`, `domain_hint`, ...). */
  readonly parameters: Readonly<Record<string, string>>;
}

/** What services present. */
export interface ServiceSettings {
  /** One of them must be in `aud`. */
  readonly audiences: readonly string[];
  /** What `typ` of a token's header must be: `at+jwt` (RFC 9068) tells access tokens from others. */
  readonly tokenType?: string;
  /** Whether the token goes on to the node, for applications that look at it themselves. */
  readonly forwardToken: boolean;
}

/** An identity provider, one tenant of it where it has several. */
export interface ProviderSettings {
  /** Name in the configuration; with a tenant `name:tenant`. */
  readonly name: string;
  /** Exactly as in `iss`: `{tenantid}` has been replaced. */
  readonly issuer: string;
  readonly tenant?: string;
  /** Algorithms of signatures that are accepted; none of them is symmetric. */
  readonly algorithms: readonly string[];
  readonly claims: {
    readonly subject: ClaimPath;
    readonly name: ClaimPath;
    readonly groups: ClaimPath;
  };
  /** Roles by group. */
  readonly roles: ReadonlyMap<string, readonly string[]>;
  /** Roles of whoever this provider knows. */
  readonly everyone: readonly string[];
  readonly browsers?: BrowserSettings;
  readonly services?: ServiceSettings;
}

/** Bounds of sessions. */
export interface SessionSettings {
  /** At once. */
  readonly max: number;
  /** Of one end user at once; the oldest ends. */
  readonly maxPerEndUser: number;
  readonly lifetimeSeconds: number;
  /** Without a request. */
  readonly idleSeconds: number;
  /** After which a session's claims are asked for anew, where the provider gave a refresh token. */
  readonly refreshSeconds: number;
}

/** How a gateway knows end users. */
export interface EndUserSettings {
  /** Origin under which browsers reach the gateway, `https://front.example`. */
  readonly publicUrl: string;
  /** Origins of other pages that may use it. */
  readonly allowedOrigins: readonly string[];
  readonly providers: readonly ProviderSettings[];
  readonly paths: readonly PathRule[];
  readonly sessions: SessionSettings;
  /** Where browsers may be sent after signing in: the first unless they ask for another. */
  readonly returnTo: readonly string[];
}

/** Bounds and defaults of {@link SessionSettings}. */
export const sessionBounds: Readonly<
  Record<
    keyof SessionSettings,
    { readonly min: number; readonly max: number; readonly usual: number }
  >
> = {
  max: { min: 1, max: 100_000, usual: 10_000 },
  maxPerEndUser: { min: 1, max: 1_000, usual: 16 },
  lifetimeSeconds: { min: 60, max: 7 * 86_400, usual: 8 * 3_600 },
  idleSeconds: { min: 60, max: 86_400, usual: 1_800 },
  refreshSeconds: { min: 30, max: 86_400, usual: 900 },
};
