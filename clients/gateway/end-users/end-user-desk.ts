import type { IncomingMessage } from 'node:http';
import { ApiError, type EndUser, encodeEndUser } from '@concordat/api';
import type { GatewayLog } from '../target-pool.ts';
import { AccessRules, segmentsOf } from './access-rules.ts';
import { cookieName, cookieOf } from './cookies.ts';
import { isCrossSite } from './cross-site.ts';
import { endUserOf, hasTooManyGroups } from './end-user-claims.ts';
import { IdentityProvider } from './identity-provider.ts';
import { refreshSession } from './session-refresh.ts';
import { type Session, SessionStore } from './session-store.ts';
import type { EndUserSettings } from './settings.ts';
import { SignInClient } from './sign-in-client.ts';
import { claimedIssuer, judgeToken } from './token-judge.ts';

/** Name of the cookie of sessions, before any prefix. */
export const sessionCookie = 'concordat-session-id';

/** The last time that can be written (ECMA-262, 21.4.1.1), milliseconds since 1970. */
const lastMs = 8.64e15;

/** Who asks. */
export interface KnownEndUser {
  readonly endUser: EndUser;
  /** Of browsers. */
  readonly session?: Session;
  /** Of services: what they presented. */
  readonly token?: string;
  /** Milliseconds since 1970: when what is known of it ends. */
  readonly endsAtMs: number;
}

/** How a request goes on. */
export interface Admitted {
  /** Value of the end user's header; absent where nobody is signed in and nobody has to be. */
  readonly claim?: string;
  /** Bearer token for the application itself. */
  readonly token?: string;
  readonly known?: KnownEndUser;
}

/** Decides whose a request is, and whether it may go on. */
export class EndUserDesk {
  readonly settings: EndUserSettings;
  readonly sessions: SessionStore;
  /** By name of the provider, those with browsers. */
  readonly clients: ReadonlyMap<string, SignInClient>;
  readonly isSecure: boolean;
  readonly now: () => number;
  readonly log: GatewayLog;
  /** By issuer, those with services. */
  readonly #services: ReadonlyMap<string, IdentityProvider>;
  readonly #rules: AccessRules;

  constructor(
    settings: EndUserSettings,
    { now, log }: { readonly now: () => number; readonly log: GatewayLog },
  ) {
    this.settings = settings;
    this.now = now;
    this.log = log;
    this.sessions = new SessionStore(settings.sessions, now);
    this.isSecure = settings.publicUrl.startsWith('https:');
    const { publicUrl, providers } = settings;
    const clients = new Map<string, SignInClient>();
    const services = new Map<string, IdentityProvider>();
    for (const one of providers) {
      const provider = new IdentityProvider(one, now);
      const { browsers } = one;
      if (browsers) clients.set(one.name, new SignInClient(provider, browsers, { publicUrl, now }));
      if (one.services) services.set(one.issuer, provider);
    }
    this.clients = clients;
    this.#services = services;
    this.#rules = new AccessRules(settings.paths);
  }

  /**
   * How a request goes on to the network.
   * @throws ApiError SIGN_IN_REQUIRED, END_USER_ROLE_MISSING, CROSS_SITE_REQUEST, TOKEN_*,
   *   IDENTITY_PROVIDER_*, MALFORMED_REQUEST
   */
  async admit(request: IncomingMessage, kind: 'http' | 'websocket'): Promise<Admitted> {
    const { url = '/', method = 'GET' } = request;
    const segments = segmentsOf(url.split('?', 1)[0] as string);
    if (segments === undefined || url.includes('#')) {
      throw new ApiError('MALFORMED_REQUEST', 'the path is not acceptable');
    }
    const asked = kind === 'websocket' ? 'WEBSOCKET' : method;
    const access = this.#rules.accessTo(segments, asked);
    const known = await this.identify(request, asked);
    if (known === undefined) {
      if (access === 'open') return {};
      const details = this.clients.size > 0 ? { login: '/login' } : {};
      throw new ApiError(
        'SIGN_IN_REQUIRED',
        'the path is for end users who are signed in',
        details,
      );
    }
    const { endUser, token } = known;
    this.#check(access, endUser, asked);
    const forwarded = token !== undefined && this.#forwardsToken(endUser);
    return { claim: encodeEndUser(endUser), known, ...(forwarded && { token }) };
  }

  #check(
    access: ReturnType<AccessRules['accessTo']>,
    { issuer, subject, roles }: EndUser,
    asked: string,
  ): void {
    if (access === 'open' || access === 'signed-in') return;
    if (access?.some((role) => roles.includes(role))) return;
    this.log('gateway.role-missing', { issuer, subject, method: asked });
    throw access === undefined
      ? new ApiError('END_USER_ROLE_MISSING', 'no rule lets anybody use this path')
      : new ApiError('END_USER_ROLE_MISSING', 'the end user has none of the roles of this path', {
          roles: access,
        });
  }

  #forwardsToken({ issuer }: EndUser): boolean {
    return this.#services.get(issuer)?.settings.services?.forwardToken === true;
  }

  /** Who asks: by bearer token, else by session; undefined when nobody is signed in. */
  async identify(request: IncomingMessage, method: string): Promise<KnownEndUser | undefined> {
    const { authorization } = request.headers;
    if (authorization !== undefined) return this.#byToken(authorization);
    const name = cookieName(sessionCookie, this.isSecure);
    const session = this.sessions.find(cookieOf(request.headers.cookie, name));
    if (session === undefined) return undefined;
    if (isCrossSite(request.headers, method === 'GET' || method === 'HEAD')) {
      throw new ApiError('CROSS_SITE_REQUEST', 'a page of another origin asks in a session');
    }
    this.#refresh(session);
    return { endUser: session.endUser, session, endsAtMs: session.endsAtMs };
  }

  /**
   * Whether a WebSocket may stay that a node was told this claim of.
   * @param isUsed whether something came through it lately
   */
  mayStay(session: Session, claim: string | undefined, isUsed: boolean): boolean {
    this.sessions.review(session, isUsed);
    if (session.isOver) return false;
    this.#refresh(session);
    return encodeEndUser(session.endUser) === claim;
  }

  #refresh(session: Session): void {
    const client = this.clients.get(session.provider);
    const refreshMs = this.settings.sessions.refreshSeconds * 1_000;
    const { sessions: store, now, log } = this;
    if (client) void refreshSession(session, client, { store, refreshMs, now, log });
  }

  async #byToken(authorization: string): Promise<KnownEndUser> {
    const token = /^Bearer +([^ ]+) *$/i.exec(authorization)?.[1];
    if (token === undefined) {
      throw new ApiError('SIGN_IN_REQUIRED', 'the gateway takes bearer tokens alone (RFC 6750)');
    }
    const issuer = claimedIssuer(token);
    const provider = issuer === undefined ? undefined : this.#services.get(issuer);
    const services = provider?.settings.services;
    if (provider === undefined || services === undefined) {
      throw new ApiError('TOKEN_ISSUER_WRONG', 'its iss is no provider of tokens for services');
    }
    const { audiences, tokenType: type } = services;
    const claims = await judgeToken(token, provider, { audiences, type, nowMs: this.now() });
    const endUser = endUserOf(claims, provider.settings, 'TOKEN_CLAIMS_INVALID');
    if (hasTooManyGroups(claims, provider.settings)) this.tooManyGroups(endUser);
    return { endUser, token, endsAtMs: Math.min(Number(claims.exp) * 1_000, lastMs) };
  }

  /** Tells that a provider left groups out: roles they would give are missing. */
  tooManyGroups({ issuer, subject }: EndUser): void {
    this.log('gateway.groups-left-out', { issuer, subject });
  }

  close(): void {
    this.sessions.close();
  }
}
