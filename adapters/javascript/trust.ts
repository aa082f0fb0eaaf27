import { type Certificate, CryptoError, fromPem, parseCertificate } from '@concordat/crypto';
import { fromHex } from '@concordat/std';
import type { NetworkTrust, TrustedActor } from '@concordat/worker-enclave';

/** A key that tokens are verified by. */
export interface TokenKey {
  /** Whose it is, as the vote named it. */
  readonly issuer: string;
  /** What `iss` must be; `{tenantid}` stands for the token's `tid`. */
  readonly constraint: string;
  /** DER. */
  readonly spki: Uint8Array;
}

/** An actor that may sign a body, and its certificate in the membership list. */
export interface Signer {
  readonly actor: TrustedActor;
  readonly certificate: Certificate;
}

/** Whom the network trusts, as policies look it up. */
export class Trust {
  readonly #tokenKeys = new Map<string, TokenKey[]>();
  readonly #actors: ReadonlyMap<string, TrustedActor>;

  constructor({ actors, tokenIssuers }: NetworkTrust) {
    this.#actors = new Map(actors.map((actor) => [actor.actorId, actor]));
    for (const { issuer, keys } of tokenIssuers) {
      for (const { kid, key, constraint } of keys) {
        const spki = fromHex(key);
        if (spki === undefined) continue;
        const known = this.#tokenKeys.get(kid);
        if (known === undefined) this.#tokenKeys.set(kid, [{ issuer, constraint, spki }]);
        else known.push({ issuer, constraint, spki });
      }
    }
  }

  /** Keys of that id; several issuers may have one. */
  tokenKeys(kid: string): readonly TokenKey[] {
    return this.#tokenKeys.get(kid) ?? [];
  }

  /** The actor of that id, 64 hex digits, and its certificate. */
  signer(actorId: string): Signer | undefined {
    const actor = this.#actors.get(actorId);
    if (actor === undefined) return undefined;
    try {
      const [der] = fromPem(actor.certificate);
      return der && { actor, certificate: parseCertificate(der) };
    } catch (error) {
      if (error instanceof CryptoError) return undefined;
      throw error;
    }
  }
}
