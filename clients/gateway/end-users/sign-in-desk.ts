import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from '@concordat/api';
import { cookieName, cookieOf, setCookie } from './cookies.ts';
import { isCrossSite } from './cross-site.ts';
import { endUserOf, hasTooManyGroups } from './end-user-claims.ts';
import { type EndUserDesk, sessionCookie } from './end-user-desk.ts';
import { answerJson, answerPage, answerRedirect } from './pages.ts';
import { attemptSeconds, SignInAttempts } from './sign-in-attempt.ts';
import type { SignInClient } from './sign-in-client.ts';

const attemptCookie = 'concordat-sign-in';

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
) => unknown;

/** The gateway's own paths: signing in, out, and who one is. */
export class SignInDesk {
  readonly #desk: EndUserDesk;
  readonly #attempts: SignInAttempts;
  readonly #handlers: ReadonlyMap<string, { readonly method: string; readonly handle: Handler }>;

  constructor(desk: EndUserDesk) {
    this.#desk = desk;
    this.#attempts = new SignInAttempts(desk.now);
    const get = (handle: Handler) => ({ method: 'GET', handle });
    this.#handlers = new Map([
      ['/login', get((request, response, query) => this.#login(request, response, query))],
      ['/callback', get((request, response) => this.#callback(request, response))],
      ['/me', get((request, response) => this.#me(request, response))],
      ['/signed-out', get((_, response) => answerPage(response, 'Signed out'))],
      [
        '/logout',
        { method: 'POST', handle: (request, response) => this.#logout(request, response) },
      ],
    ]);
  }

  /**
   * Answers a request for one of its paths; false when it is for none of them.
   * @throws ApiError
   */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const [pathname, query] = targetOf(request);
    const found = this.#handlers.get(pathname);
    if (found === undefined) return false;
    if (request.method !== found.method) {
      throw new ApiError('METHOD_NOT_ALLOWED', `the method of ${pathname} is ${found.method}`);
    }
    await found.handle(request, response, new URLSearchParams(query));
    return true;
  }

  async #login(
    _: IncomingMessage,
    response: ServerResponse,
    query: URLSearchParams,
  ): Promise<void> {
    const { clients, settings } = this.#desk;
    const name = query.get('with') ?? (clients.size === 1 ? [...clients.keys()][0] : undefined);
    const returnTo = query.get('return') ?? settings.returnTo[0] ?? '/me';
    if (!settings.returnTo.includes(returnTo)) {
      throw new ApiError('INVALID_PARAMETER', 'return is none of the places to return to');
    }
    if (name === undefined && clients.size > 1) {
      const back = encodeURIComponent(returnTo);
      const links = [...clients.keys()].map((one) => ({
        href: `/login?with=${encodeURIComponent(one)}&return=${back}`,
        text: one,
      }));
      answerPage(response, 'Sign in', links);
      return;
    }
    const client = clients.get(name ?? '');
    if (name === undefined || client === undefined) {
      throw new ApiError('INVALID_PARAMETER', 'with names no provider for browsers');
    }
    const drawn = () => randomBytes(32).toString('base64url');
    const attempt = { provider: name, state: drawn(), nonce: drawn(), verifier: drawn(), returnTo };
    const url = await client.authorizationUrl(attempt);
    const sealed = await this.#attempts.seal(attempt);
    answerRedirect(response, url.href, [this.#cookie(attemptCookie, sealed, attemptSeconds)]);
  }

  async #callback(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clients, sessions, isSecure, settings, log } = this.#desk;
    const { cookie } = request.headers;
    // Whatever comes of it, a sign-in is completed once.
    response.setHeader('set-cookie', this.#cookie(attemptCookie, '', 0));
    const [, query] = targetOf(request);
    const attempt = await this.#attempts.open(
      cookieOf(cookie, cookieName(attemptCookie, isSecure)),
    );
    const client = clients.get(attempt?.provider ?? '');
    const states = new URLSearchParams(query).getAll('state');
    if (!attempt || !client || states.length !== 1 || states[0] !== attempt.state) {
      throw new ApiError('SIGN_IN_STATE_WRONG', 'this browser began no such sign-in');
    }
    const { claims, idToken, refreshToken } = await client.complete(query, attempt);
    const { settings: provider } = client.provider;
    const endUser = endUserOf(claims, provider, 'SIGN_IN_REFUSED');
    if (hasTooManyGroups(claims, provider)) this.#desk.tooManyGroups(endUser);
    // Never the session that the browser had before: somebody else may know its id.
    const former = sessions.find(cookieOf(cookie, cookieName(sessionCookie, isSecure)));
    if (former) sessions.end(former);
    const id = sessions.start({ provider: provider.name, endUser, idToken, refreshToken });
    const { issuer, subject, roles } = endUser;
    log('gateway.signed-in', { issuer, subject, roles });
    answerRedirect(response, attempt.returnTo, [
      this.#cookie(attemptCookie, '', 0),
      this.#cookie(sessionCookie, id, settings.sessions.lifetimeSeconds),
    ]);
  }

  async #me(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const known = await this.#desk.identify(request, 'GET');
    if (known === undefined) {
      throw new ApiError('SIGN_IN_REQUIRED', 'nobody is signed in', { login: '/login' });
    }
    const { endUser, endsAtMs } = known;
    answerJson(response, { ...endUser, endsAt: new Date(endsAtMs).toISOString() });
  }

  async #logout(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { sessions, isSecure, clients, log } = this.#desk;
    const { headers } = request;
    request.resume();
    if (isCrossSite(headers, false)) {
      throw new ApiError('CROSS_SITE_REQUEST', 'a page of another origin wants to sign out');
    }
    const session = sessions.find(cookieOf(headers.cookie, cookieName(sessionCookie, isSecure)));
    let next = '/signed-out';
    if (session) {
      sessions.end(session);
      const { issuer, subject } = session.endUser;
      log('gateway.signed-out', { issuer, subject });
      next = (await this.#leave(session, clients.get(session.provider))) ?? next;
    }
    const cookie = this.#cookie(sessionCookie, '', 0);
    const isForScript = headers.accept?.includes('application/json') === true;
    if (isForScript) answerJson(response, { signedOut: true, next }, { 'set-cookie': [cookie] });
    else answerRedirect(response, next, [cookie]);
  }

  async #leave(
    {
      idToken,
      refreshToken,
    }: { readonly idToken: string; readonly refreshToken: string | undefined },
    client: SignInClient | undefined,
  ): Promise<string | undefined> {
    if (refreshToken !== undefined) void client?.revoke(refreshToken);
    return (await client?.endSessionUrl(idToken))?.href;
  }

  #cookie(name: string, value: string, maxAgeSeconds: number): string {
    return setCookie(name, value, { isSecure: this.#desk.isSecure, maxAgeSeconds });
  }
}

/** Path and query, the latter with its `?`. */
function targetOf({ url = '/' }: IncomingMessage): readonly [string, string] {
  const mark = url.indexOf('?');
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark)];
}
