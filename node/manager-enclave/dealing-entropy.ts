import { hkdfSha256 } from '@concordat/crypto';
import { type CeremonyTerms, ceremonyIdOf, erase, type Scalar } from '@concordat/keys';
import { concatBytes, emptyBytes, utf8 } from '@concordat/std';

/**
 * The entropy of an actor's dealing in one ceremony: it follows from the actor's secrets, from the
 * ceremony and its place in it, and from the code that draws it. So all nodes of the actor, and a node that was
 * stopped in between or whose host brought back an older record, deal the same bytes or none; and no
 * nonce ever serves two statements, since other terms are another ceremony and other code draws other
 * entropy. The share alone would not do: with a threshold of 1 all holders have the same one. HKDF with
 * SHA-256 (RFC 5869).
 * @param source.authorKey what signs the dealing: in a resharing the share
 * @param source.measurement of the manager enclave's code
 */
export function dealingEntropy(source: {
  readonly holderSecret: Scalar;
  readonly authorKey: Scalar;
  readonly dealer: number;
  readonly terms: CeremonyTerms;
  readonly measurement: string;
}): (bytes: number) => Uint8Array {
  const { holderSecret, authorKey, dealer, terms, measurement } = source;
  const what = utf8(`concordat dealing entropy v1 ${measurement} ${dealer} `);
  const ceremony = ceremonyIdOf(terms);
  let draws = 0;
  return (bytes) => {
    draws += 1;
    const info = concatBytes(what, ceremony, utf8(String(draws)));
    const secrets = concatBytes(holderSecret, authorKey);
    const drawn = hkdfSha256(secrets, emptyBytes, info, bytes);
    erase(secrets);
    return drawn;
  };
}
