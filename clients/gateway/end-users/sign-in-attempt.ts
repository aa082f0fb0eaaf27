import { randomBytes } from 'node:crypto';
import { EncryptJWT, jwtDecrypt } from 'jose';

/** A sign-in between `/login` and `/callback`. */
export interface SignInAttempt {
  /** Name of the provider. */
  readonly provider: string;
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636, 4.1). */
  readonly verifier: string;
  readonly returnTo: string;
}

/** Seconds in which a sign-in has to be completed. */
export const attemptSeconds = 600;

const names = ['provider', 'state', 'nonce', 'verifier', 'returnTo'] as const;

/**
 * Keeps sign-ins in the browsers that began them, encrypted (JWE, A256GCM) under a key of this process:
 * however many are begun, the gateway remembers none.
 */
export class SignInAttempts {
  readonly #key = randomBytes(32);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The value of the cookie. */
  seal(attempt: SignInAttempt): Promise<string> {
    return new EncryptJWT({ ...attempt })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setExpirationTime(Math.floor(this.#now() / 1_000) + attemptSeconds)
      .encrypt(this.#key);
  }

  /** What was sealed; undefined for anything else, and for what is older than ten minutes. */
  async open(text: string | undefined): Promise<SignInAttempt | undefined> {
    if (text === undefined) return undefined;
    try {
      const { payload } = await jwtDecrypt(text, this.#key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
        currentDate: new Date(this.#now()),
        requiredClaims: ['exp', ...names],
      });
      return payload as unknown as SignInAttempt;
    } catch {
      return undefined;
    }
  }
}
