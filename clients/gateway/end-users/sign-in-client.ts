import { ApiError } from '@concordat/api';
import {
  AuthorizationResponseError,
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  calculatePKCECodeChallenge,
  clockTolerance,
  customFetch,
  fetchUserInfo,
  None,
  ResponseBodyError,
  refreshTokenGrant,
  type ServerMetadata,
  type TokenEndpointResponse,
  tokenRevocation,
} from 'openid-client';
import type { Claims } from './end-user-claims.ts';
import type { IdentityProvider } from './identity-provider.ts';
import { invalid, providerFetch } from './provider-fetch.ts';
import type { BrowserSettings } from './settings.ts';
import type { SignInAttempt } from './sign-in-attempt.ts';
import { clockToleranceSeconds, judgeToken, maxTokenLength } from './token-judge.ts';

/** What a provider says when an end user has signed in, or still is. */
export interface ProviderAnswer {
  readonly claims: Claims;
  readonly idToken: string;
  readonly refreshToken: string | undefined;
}

/** The gateway as a relying party of one provider (OpenID Connect Core 1.0, section 3.1). */
export class SignInClient {
  readonly provider: IdentityProvider;
  readonly #browsers: BrowserSettings;
  readonly #publicUrl: string;
  readonly #now: () => number;
  #configured: { readonly metadata: ServerMetadata; readonly by: Configuration } | undefined;

  constructor(
    provider: IdentityProvider,
    browsers: BrowserSettings,
    { publicUrl, now }: { readonly publicUrl: string; readonly now: () => number },
  ) {
    this.provider = provider;
    this.#browsers = browsers;
    this.#publicUrl = publicUrl;
    this.#now = now;
  }

  /** Where the browser is sent to sign in. @throws ApiError IDENTITY_PROVIDER_* */
  async authorizationUrl({ state, nonce, verifier }: SignInAttempt): Promise<URL> {
    const configuration = await this.#configuration();
    return buildAuthorizationUrl(configuration, {
      ...this.#browsers.parameters,
      redirect_uri: `${this.#publicUrl}/callback`,
      scope: this.#browsers.scopes.join(' '),
      response_type: 'code',
      state,
      nonce,
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
  }

  /**
   * Redeems the code that the browser brought back.
   * @param query of the callback, with `?`
   * @throws ApiError SIGN_IN_REFUSED, TOKEN_*, IDENTITY_PROVIDER_*
   */
  async complete(query: string, attempt: SignInAttempt): Promise<ProviderAnswer> {
    const configuration = await this.#configuration();
    const url = new URL(`${this.#publicUrl}/callback${query}`);
    try {
      const tokens = await authorizationCodeGrant(configuration, url, {
        pkceCodeVerifier: attempt.verifier,
        expectedState: attempt.state,
        expectedNonce: attempt.nonce,
        idTokenExpected: true,
      });
      return await this.#answerOf(configuration, tokens, tokens.id_token ?? '');
    } catch (error) {
      throw refusalOf(error);
    }
  }

  /**
   * Asks anew about who signed in; undefined when the provider has nothing new to say.
   * @throws ApiError as {@link complete}: SIGN_IN_REFUSED when the sign-in counts no longer
   */
  async refresh(
    refreshToken: string,
  ): Promise<ProviderAnswer | { readonly refreshToken: string | undefined }> {
    const configuration = await this.#configuration();
    try {
      const tokens = await refreshTokenGrant(configuration, refreshToken);
      const kept = refreshTokenOf(tokens) ?? refreshToken;
      if (tokens.id_token === undefined) return { refreshToken: kept };
      const answer = await this.#answerOf(configuration, tokens, tokens.id_token);
      return { ...answer, refreshToken: kept };
    } catch (error) {
      throw refusalOf(error);
    }
  }

  /** Where the browser is sent to sign out at the provider; undefined when it offers no such place. */
  async endSessionUrl(idToken: string): Promise<URL | undefined> {
    try {
      const configuration = await this.#configuration();
      if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
      return buildEndSessionUrl(configuration, {
        id_token_hint: idToken,
        post_logout_redirect_uri: `${this.#publicUrl}/signed-out`,
      });
    } catch {
      return undefined;
    }
  }

  /** Tells the provider that a refresh token is not needed any more; it may not care. */
  async revoke(refreshToken: string): Promise<void> {
    try {
      const configuration = await this.#configuration();
      if (configuration.serverMetadata().revocation_endpoint === undefined) return;
      await tokenRevocation(configuration, refreshToken);
    } catch {
      // The session is over here; the token ends by itself.
    }
  }

  /** The signature of an ID token is checked whatever way it came. */
  async #answerOf(
    configuration: Configuration,
    tokens: TokenEndpointResponse,
    idToken: string,
  ): Promise<ProviderAnswer> {
    const { clientId, userInfo } = this.#browsers;
    const demands = { audiences: [clientId], nowMs: this.#now(), isFromProvider: true };
    const claims = await judgeToken(idToken, this.provider, demands);
    const more = userInfo
      ? await fetchUserInfo(configuration, tokens.access_token, String(claims.sub))
      : {};
    return { claims: { ...more, ...claims }, idToken, refreshToken: refreshTokenOf(tokens) };
  }

  async #configuration(): Promise<Configuration> {
    const metadata = await this.provider.metadata();
    if (this.#configured?.metadata === metadata) return this.#configured.by;
    const { clientId, clientSecret, clientAuthentication } = this.#browsers;
    const authentication =
      clientAuthentication === 'client_secret_basic'
        ? ClientSecretBasic(clientSecret)
        : clientAuthentication === 'client_secret_post'
          ? ClientSecretPost(clientSecret)
          : None();
    const client = { [clockTolerance]: clockToleranceSeconds };
    const by = new Configuration(metadata, clientId, client, authentication);
    by[customFetch] = (url, options) => providerFetch(url, options as RequestInit);
    if (metadata.issuer.startsWith('http:')) allowInsecureRequests(by);
    this.#configured = { metadata, by };
    return by;
  }
}

/** It is kept as long as the session. @throws ApiError IDENTITY_PROVIDER_INVALID */
function refreshTokenOf({ refresh_token: token }: TokenEndpointResponse): string | undefined {
  if (token === undefined || token.length <= maxTokenLength) return token;
  throw invalid(`the provider gives a refresh token of more than ${maxTokenLength} characters`);
}

/** Errors of the client library, by what an end user or an operator can do about them. */
function refusalOf(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApiError) return cause;
  }
  if (error instanceof AuthorizationResponseError) return refused(error.error);
  if (error instanceof ResponseBodyError) {
    const { error: code } = error;
    const ofEndUser = code === 'invalid_grant' || code === 'access_denied';
    if (ofEndUser) return refused(code);
    return invalid(`the provider refuses the gateway itself: ${shown(code)}`);
  }
  const { code, name } = error as Error & { readonly code?: unknown };
  if (name === 'WWWAuthenticateChallengeError') {
    return invalid('the provider refuses the client id or secret of the gateway');
  }
  if (typeof code !== 'string') return error;
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') {
    return new ApiError('IDENTITY_PROVIDER_UNAVAILABLE', 'the provider does not answer in time');
  }
  if (noAnswer.has(code)) return invalid(`the provider answers what is none: ${shown(code)}`);
  return new ApiError('SIGN_IN_REFUSED', `the answer of the provider is not valid: ${shown(code)}`);
}

/** Pages of a proxy before the provider, for one: they say nothing of the end user. */
const noAnswer: ReadonlySet<string> = new Set([
  'OAUTH_PARSE_ERROR',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
]);

const refused = (code: string): ApiError =>
  new ApiError('SIGN_IN_REFUSED', `the provider answers ${shown(code)}`, { error: shown(code) });

/** What came from outside, fit for a message. */
const shown = (code: string): string => code.replaceAll(/[^A-Za-z0-9_.-]/g, '?').slice(0, 60);
