import { CryptoError, type DecodedJwt, decodeJwt, verifyJwt } from '@concordat/crypto';
import type { PolicyVerdict, Presented } from './policies.ts';
import type { TokenKey, Trust } from './trust.ts';

/** How far the issuer's clock and this node's may be apart, seconds. */
export const tokenLeewaySeconds = 30;
/** Verified tokens remembered; each has at most 16 KiB. */
const maxRemembered = 512;

interface Verified {
  readonly jwt: DecodedJwt;
  readonly key: TokenKey;
}

/** The policy `jwt`: a bearer token (RFC 6750) by a key of an issuer that the network trusts. */
export class TokenPolicy {
  /** By token; what only time can change is checked anew. */
  readonly #verified = new Map<string, Verified>();

  /** Call when the issuers have changed. */
  forget(): void {
    this.#verified.clear();
  }

  judge({ header, timeMs }: Presented, trust: Trust): PolicyVerdict {
    const match = /^Bearer +([^ ]+) *$/i.exec(header('authorization') ?? '');
    const token = match?.[1];
    if (token === undefined) return refused('TOKEN_MISSING', 'there is no bearer token');
    const verified = this.#verified.get(token) ?? this.#verify(token, trust);
    if ('code' in verified) return verified;
    const untimely = outsideItsTime(verified.jwt.payload, timeMs / 1000);
    if (untimely !== undefined) return untimely;
    const { header: fields, payload } = verified.jwt;
    const jwt = { keyIssuer: verified.key.issuer, header: fields, payload };
    return { ok: true, caller: { policy: 'jwt', jwt }, subject: subjectOf(verified, token) };
  }

  #verify(token: string, trust: Trust): Verified | Refusal {
    let jwt: DecodedJwt;
    try {
      jwt = decodeJwt(token);
    } catch (error) {
      if (error instanceof CryptoError) return refused('TOKEN_MALFORMED', error.message);
      throw error;
    }
    const { kid } = jwt.header;
    const keys = typeof kid === 'string' ? trust.tokenKeys(kid) : [];
    if (keys.length === 0) {
      return refused('TOKEN_KEY_UNKNOWN', 'its kid is that of no key of a trusted issuer');
    }
    const signing = keys.filter(({ spki }) => verifyJwt(jwt, spki));
    if (signing.length === 0) {
      return refused(
        'TOKEN_SIGNATURE_INVALID',
        'the key of its kid did not sign it (RS256, ES256)',
      );
    }
    const key = signing.find(({ constraint }) => isIssuedUnder(constraint, jwt.payload));
    if (key === undefined) {
      return refused('TOKEN_ISSUER_WRONG', 'iss or tid is not what its key may speak for');
    }
    if (this.#verified.size >= maxRemembered) this.#verified.clear();
    this.#verified.set(token, { jwt, key });
    return { jwt, key };
  }
}

/** Who a token speaks of (RFC 7519, section 4.1.2); the token itself where it does not say. */
function subjectOf({ jwt: { payload }, key }: Verified, token: string): string {
  const { iss, sub } = payload;
  return JSON.stringify(typeof sub === 'string' ? ['jwt', key.issuer, iss, sub] : ['jwt', token]);
}

type Refusal = Extract<PolicyVerdict, { ok: false }>;

const refused = (code: Refusal['code'], message: string): Refusal => ({ ok: false, code, message });

/** `exp` and `nbf` must be there (RFC 7519, sections 4.1.4 and 4.1.5). */
function outsideItsTime(
  { exp, nbf }: Readonly<Record<string, unknown>>,
  nowSeconds: number,
): Refusal | undefined {
  if (typeof exp !== 'number' || typeof nbf !== 'number') {
    return refused('TOKEN_CLAIMS_INVALID', 'exp and nbf must be numbers');
  }
  if (nowSeconds >= exp + tokenLeewaySeconds) return refused('TOKEN_EXPIRED', 'its exp has passed');
  if (nowSeconds < nbf - tokenLeewaySeconds) {
    return refused('TOKEN_NOT_YET_VALID', 'its nbf is yet to come');
  }
  return undefined;
}

/**
 * Whether a key may vouch for the claims, by CCF's rules: `iss` is the key's issuer and no tenant is
 * named; or the issuer is Microsoft Entra, which names a tenant in `tid` and in `iss`.
 */
function isIssuedUnder(
  constraint: string,
  { iss, tid }: Readonly<Record<string, unknown>>,
): boolean {
  if (typeof iss !== 'string') return false;
  if (URL.parse(constraint.replaceAll(/[{}]/g, ''))?.host !== 'login.microsoftonline.com') {
    return tid === undefined && iss === constraint;
  }
  if (typeof tid !== 'string' || !/^[0-9A-Za-z-]{1,64}$/.test(tid)) return false;
  const expected = constraint.replaceAll('{tenantid}', tid);
  return iss === expected && iss.includes(tid);
}
