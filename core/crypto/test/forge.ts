import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { utf8 } from '@concordat/std';
import { derBitString, derInteger, derOid, derSequence, derTags, derValue } from '../der.ts';
import { encodeTime } from '../der-time.ts';

/** A key of any kind and how certificates are signed with it. */
export interface ForgeKey {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
  /** AlgorithmIdentifier of its signatures. */
  readonly algorithm: Uint8Array;
  readonly hash: string | null;
}

const nothing = derValue(derTags.nullValue);
const algorithms = {
  ecSha256: derSequence(derOid('1.2.840.10045.4.3.2')),
  ecSha1: derSequence(derOid('1.2.840.10045.4.1')),
  rsaSha256: derSequence(derOid('1.2.840.113549.1.1.11'), nothing),
  rsaSha1: derSequence(derOid('1.2.840.113549.1.1.5'), nothing),
  ed25519: derSequence(derOid('1.3.101.112')),
} as const;

const spkiOf = (key: KeyObject): Uint8Array => key.export({ format: 'der', type: 'spki' });

/** An elliptic curve key. */
export function ecKey(namedCurve = 'prime256v1', hash: 'sha256' | 'sha1' = 'sha256'): ForgeKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  const algorithm = hash === 'sha1' ? algorithms.ecSha1 : algorithms.ecSha256;
  return { privateKey, spki: spkiOf(publicKey), algorithm, hash };
}

/** An RSA key. */
export function rsaKey(modulusLength: number, hash: 'sha256' | 'sha1' = 'sha256'): ForgeKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
  const algorithm = hash === 'sha1' ? algorithms.rsaSha1 : algorithms.rsaSha256;
  return { privateKey, spki: spkiOf(publicKey), algorithm, hash };
}

/** An Ed25519 key. */
export function edKey(): ForgeKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, spki: spkiOf(publicKey), algorithm: algorithms.ed25519, hash: null };
}

/** A Name of one attribute each: `[type, text]`, or with a value already encoded. */
export const nameOf = (...parts: readonly [string, string | Uint8Array][]): Uint8Array =>
  derSequence(
    ...parts.map(([oid, value]) =>
      derValue(
        derTags.set,
        derSequence(
          derOid(oid),
          typeof value === 'string' ? derValue(derTags.utf8String, utf8(value)) : value,
        ),
      ),
    ),
  );

/** A Name that is a common name. */
export const commonName = (text: string | Uint8Array): Uint8Array => nameOf(['2.5.4.3', text]);

/** An extension. */
export const extensionOf = (oid: string, value: Uint8Array, critical = false): Uint8Array =>
  derSequence(
    derOid(oid),
    critical ? derValue(derTags.boolean, Uint8Array.of(0xff)) : new Uint8Array(0),
    derValue(derTags.octetString, value),
  );

const yes = derValue(derTags.boolean, Uint8Array.of(0xff));

/** What an authority's certificate says of itself. */
export const authorityExtensions = (pathLength?: number): Uint8Array[] => [
  extensionOf(
    '2.5.29.19',
    derSequence(yes, ...(pathLength === undefined ? [] : [derInteger(Uint8Array.of(pathLength))])),
    true,
  ),
  extensionOf('2.5.29.15', derBitString(Uint8Array.of(0x86), 1), true),
];

/** What a person's certificate says of itself. */
export const staffExtensions = (): Uint8Array[] => [
  extensionOf('2.5.29.15', derBitString(Uint8Array.of(0x80), 7), true),
  extensionOf('2.5.29.37', derSequence(derOid('1.3.6.1.5.5.7.3.2'))),
];

/** Name constraints; each tree a GeneralName's encoding, or a whole GeneralSubtree. */
export const constraintsOf = (
  trees: { permitted?: readonly Uint8Array[]; excluded?: readonly Uint8Array[] },
  critical = true,
): Uint8Array => {
  const list = (tag: number, names: readonly Uint8Array[] | undefined): Uint8Array =>
    names === undefined
      ? new Uint8Array(0)
      : derValue(tag, ...names.map((name) => (name[0] === 0x30 ? name : derSequence(name))));
  return extensionOf(
    '2.5.29.30',
    derSequence(list(0xa0, trees.permitted), list(0xa1, trees.excluded)),
    critical,
  );
};

/** GeneralNames by form. */
export const general = {
  dns: (text: string) => derValue(0x82, utf8(text)),
  email: (text: string) => derValue(0x81, utf8(text)),
  uri: (text: string) => derValue(0x86, utf8(text)),
  ip: (...bytes: number[]) => derValue(0x87, Uint8Array.from(bytes)),
  directory: (name: Uint8Array) => derValue(0xa4, name),
  /** otherName: a user principal name. */
  principal: (text: string) =>
    derValue(
      0xa0,
      derOid('1.3.6.1.4.1.311.20.2.3'),
      derValue(0xa0, derValue(derTags.utf8String, utf8(text))),
    ),
} as const;

/** Subject alternative names. */
export const alternativeNames = (...names: readonly Uint8Array[]): Uint8Array =>
  extensionOf('2.5.29.17', derSequence(...names));

/** A certificate and the key of it. */
export interface Forged {
  readonly der: Uint8Array;
  readonly subject: Uint8Array;
  readonly key: ForgeKey;
}

/** What to forge; what is not given is sound. */
export interface Forgery {
  /** Name, encoded. */
  readonly subject: Uint8Array;
  readonly key: ForgeKey;
  readonly issuer?: Pick<Forged, 'subject' | 'key'>;
  /** INTEGER, encoded. */
  readonly serial?: Uint8Array;
  /** Encoded field, empty for version 1. */
  readonly version?: Uint8Array;
  readonly fromMs?: number;
  readonly untilMs?: number;
  readonly extensions?: readonly Uint8Array[];
  /** AlgorithmIdentifier in the signed part, when it is not that of the signature. */
  readonly innerAlgorithm?: Uint8Array;
}

let serial = 1000;

/** Signs whatever is asked for, however unlawful. */
export function forge(what: Forgery): Forged {
  const { subject, key, issuer = { subject, key } } = what;
  serial += 1;
  const { algorithm } = issuer.key;
  const tbs = derSequence(
    what.version ?? derValue(0xa0, derInteger(Uint8Array.of(2))),
    what.serial ?? derInteger(Uint8Array.of(serial >> 8, serial & 0xff)),
    what.innerAlgorithm ?? algorithm,
    issuer.subject,
    derSequence(
      encodeTime(what.fromMs ?? Date.UTC(2026, 0)),
      encodeTime(what.untilMs ?? Date.UTC(2027, 0)),
    ),
    subject,
    key.spki,
    ...(what.extensions === undefined ? [] : [derValue(0xa3, derSequence(...what.extensions))]),
  );
  return { der: signedBy(tbs, issuer.key), subject, key };
}

/** The signed part with its signature: a certificate, a list. */
export const signedBy = (tbs: Uint8Array, key: ForgeKey): Uint8Array =>
  derSequence(tbs, key.algorithm, derBitString(sign(key.hash, tbs, key.privateKey)));

/** An organisation's authority. */
export const forgedAuthority = (
  name: string,
  more: Partial<Forgery> & { readonly extra?: readonly Uint8Array[] } = {},
): Forged =>
  forge({
    subject: commonName(name),
    key: ecKey(),
    extensions: [...authorityExtensions(), ...(more.extra ?? [])],
    ...more,
  });

/** Someone of an organisation. */
export const forgedStaff = (
  name: string,
  issuer: Forged,
  more: Partial<Forgery> & { readonly extra?: readonly Uint8Array[] } = {},
): Forged =>
  forge({
    subject: commonName(name),
    key: ecKey(),
    issuer,
    extensions: [...staffExtensions(), ...(more.extra ?? [])],
    ...more,
  });
