import { ApiError, type ErrorCode } from '@concordat/api';
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import type { IdentityProvider } from './identity-provider.ts';

/** How far clocks of provider and gateway may be apart, seconds. */
export const clockToleranceSeconds = 30;
/** Characters of a token at most. */
export const maxTokenLength = 16_384;

/** What a token must be. */
export interface TokenDemands {
  readonly audiences: readonly string[];
  /** `typ` of its header. */
  readonly type?: string | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Whether the provider itself just gave it to the gateway. */
  readonly isFromProvider?: boolean;
}

/** The issuer a token names, before anything of it is proved. @throws ApiError TOKEN_MALFORMED */
export function claimedIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    throw new ApiError('TOKEN_MALFORMED', 'the token is not a JWT in compact form');
  }
}

/**
 * The claims of a signed token (RFC 7519, 7.2) by a key of the provider: its issuer exactly, an audience
 * that is ours, within its time, by an algorithm of the provider's list.
 * @throws ApiError TOKEN_*; IDENTITY_PROVIDER_*
 */
export async function judgeToken(
  token: string,
  provider: IdentityProvider,
  { audiences, type, nowMs, isFromProvider = false }: TokenDemands,
): Promise<JWTPayload> {
  const { issuer, algorithms, tenant } = provider.settings;
  try {
    if (token.length > maxTokenLength) throw new errors.JWTInvalid('the token is too long');
    checkHeader(token, algorithms);
    const { payload } = await jwtVerify(token, isFromProvider ? provider.keyAtOnce : provider.key, {
      algorithms: [...algorithms],
      issuer,
      audience: [...audiences],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(nowMs),
      requiredClaims: ['exp'],
      ...(type !== undefined && { typ: type }),
    });
    const { tid } = payload;
    if (tenant !== undefined && tid !== undefined && tid !== tenant) {
      throw new ApiError('TOKEN_ISSUER_WRONG', 'tid and iss of the token name two tenants');
    }
    return payload;
  } catch (error) {
    throw refusalOf(error);
  }
}

/** Refuses before any key is asked for, so that nothing is fetched for what cannot be accepted. */
function checkHeader(token: string, algorithms: readonly string[]): void {
  const { alg, kid } = decodeProtectedHeader(token);
  if (alg === undefined || !algorithms.includes(alg)) {
    const shown = JSON.stringify(String(alg).slice(0, 20));
    throw new ApiError('TOKEN_ALGORITHM_REFUSED', `the token is signed by ${shown}`);
  }
  if (typeof kid !== 'string') {
    throw new ApiError('TOKEN_KEY_UNKNOWN', 'the token does not name its key (kid)');
  }
}

function refusalOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const refused = (code: ErrorCode, message: string): ApiError => new ApiError(code, message);
  if (error instanceof errors.JWTExpired) return refused('TOKEN_EXPIRED', 'its exp has passed');
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (claim === 'aud')
      return refused('TOKEN_AUDIENCE_WRONG', 'its aud does not name the gateway');
    if (claim === 'iss') return refused('TOKEN_ISSUER_WRONG', 'its iss is not the provider');
    if (claim === 'nbf' && reason === 'check_failed') {
      return refused('TOKEN_NOT_YET_VALID', 'its nbf is yet to come');
    }
    return refused('TOKEN_CLAIMS_INVALID', `its ${claim} is missing or wrong`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return refused('TOKEN_SIGNATURE_INVALID', 'the key of its kid did not sign it');
  }
  if (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  ) {
    return refused('TOKEN_KEY_UNKNOWN', 'its kid is that of no key of the provider');
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return refused('TOKEN_ALGORITHM_REFUSED', 'its algorithm is not accepted');
  }
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) {
    return refused('TOKEN_MALFORMED', 'the token is not a JWT in compact form');
  }
  if (error instanceof errors.JOSEError) {
    return refused('TOKEN_MALFORMED', 'its header asks for what is not understood');
  }
  // Keys that are too short, of another kind than they say, or no keys at all (Web Cryptography).
  if (error instanceof TypeError || error instanceof DOMException) {
    return refused('TOKEN_KEY_UNKNOWN', 'the key of its kid cannot be used');
  }
  throw error;
}
