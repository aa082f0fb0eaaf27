import {
  type Certificate,
  CryptoError,
  certificateFingerprint,
  fromPem,
  parseCertificate,
} from '@concordat/crypto';
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

/** An actor that may sign a body, with the certificate of the membership list it signs with. */
export interface Signer {
  readonly actor: TrustedActor;
  readonly certificate: Certificate;
}

/** Whom the network trusts, as policies look it up. */
export class Trust {
  readonly #tokenKeys = new Map<string, TokenKey[]>();
  readonly #signers: ReadonlyMap<string, DatedSigner>;

  constructor({ actors, tokenIssuers }: NetworkTrust) {
    this.#signers = new Map(actors.flatMap(signersOf));
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

  /**
   * The actor that has the certificate of that fingerprint, 64 hex digits, and may use it at a time.
   * @param atMs ms since the Unix epoch
   */
  signer(fingerprint: string, atMs: number): Signer | undefined {
    const found = this.#signers.get(fingerprint);
    return found !== undefined && atMs <= found.untilMs ? found : undefined;
  }
}

type DatedSigner = Signer & { readonly untilMs: number };

function signersOf(actor: TrustedActor): [string, DatedSigner][] {
  const { certificate, earlier = [] } = actor;
  const listed: NonNullable<TrustedActor['earlier']> = [{ certificate }, ...earlier];
  return listed.flatMap(({ certificate, untilSeconds }) => {
    const der = derOf(certificate);
    if (der === undefined) return [];
    const untilMs =
      untilSeconds === undefined ? Number.POSITIVE_INFINITY : untilSeconds * 1000 + 999;
    const signer = {
      actor: { ...actor, certificate },
      certificate: parseCertificate(der),
      untilMs,
    };
    return [[certificateFingerprint(der), signer]];
  });
}

/** Undefined for what is no certificate. */
function derOf(pem: string): Uint8Array | undefined {
  try {
    const [der] = fromPem(pem);
    return der && parseCertificate(der) && der;
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}
