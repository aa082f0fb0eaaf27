import type { ActorId } from '@concordat/std';

/** The authenticated party behind a request, as the manager enclave states it. */
export interface Actor {
  /** SHA-256 of the actor's certificate in the membership list, 64 hex digits. */
  readonly actorId: ActorId;
  readonly name: string;
  /** `member`, `participant`, or both. */
  readonly kinds: readonly string[];
  /** The actor's, or those of them that the certificate of one of its staff names. */
  readonly roles: readonly string[];
  /** Who of the actor presented a certificate; absent where it was the actor's own, or nobody did. */
  readonly staff?: { readonly name: string; readonly serial: string };
  /** PEM of the certificate that was presented; absent where nobody presented one. */
  readonly certificate?: string;
}

/** An actor of the membership list; `certificate` is its newest, PEM. */
export interface TrustedActor extends Actor {
  readonly certificate: string;
  /** What it had before and may still sign with; absent when there is none. */
  readonly earlier?: readonly {
    /** PEM. */
    readonly certificate: string;
    /** Last second of its use, since the Unix epoch; absent: until a vote removes it. */
    readonly untilSeconds?: number;
  }[];
}

/** An issuer of tokens (JWT) that the network trusts by vote, and its keys. */
export interface TokenIssuer {
  readonly issuer: string;
  readonly keys: readonly {
    readonly kid: string;
    /** Hex DER SPKI: P-256 or RSA. */
    readonly key: string;
    /** What `iss` of its tokens must be; `{tenantid}` stands for their `tid`. */
    readonly constraint: string;
  }[];
}

/** Whom the constitution in force trusts. */
export interface NetworkTrust {
  readonly actors: readonly TrustedActor[];
  readonly tokenIssuers: readonly TokenIssuer[];
}
