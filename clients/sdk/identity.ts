import { createPrivateKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  actorIdOf,
  type CertificateSigner,
  CryptoError,
  createSigningKey,
  fromPem,
  importSigningKey,
  issueCertificate,
  type SigningKey,
  type SubjectName,
  subjectOf,
  toPem,
} from '@concordat/crypto';
import type { MessageSigner } from '@concordat/governance';
import { type ActorId, equalBytes } from '@concordat/std';
import { SdkError } from './errors.ts';
import { writePrivateFile, writePublicFile } from './file-writing.ts';

/** Who one is on a network: an X.509 certificate with what stands above it, and its private key. */
export interface Identity {
  /** DER of the own certificate. */
  readonly certificateDer: Uint8Array;
  /** PEM of the own certificate and of those above it, leaf first: what TLS presents. */
  readonly certificatePem: string;
  /** Common name of the own certificate. */
  readonly name: string;
  /** Id of the actor whose very certificate this is; a staff certificate's is no actor's. */
  readonly actorId: ActorId;
  /** Private key as PKCS#8 PEM. Secret. */
  readonly keyPem: string;
  /** The private key to sign with; absent when it is not P-256, with which no member votes. */
  readonly signingKey?: SigningKey;
  /**
   * Signs governance messages with the key of {@link certificateDer}, at hand or elsewhere; absent
   * when that is not P-256.
   */
  readonly messageSigner?: MessageSigner;
  /** Signs nodes' tuples and certificates with that key, at hand or elsewhere. */
  readonly signer?: CertificateSigner;
}

const dayMs = 86_400_000;

/**
 * An identity from PEM certificates (the own one first) and its private key.
 * @param key PEM of any kind, or PKCS#8 DER; encrypted PEM needs the passphrase
 * @throws SdkError INVALID_IDENTITY
 */
export function createIdentity(
  certificatePem: string,
  key: string | Uint8Array,
  passphrase?: string,
): Identity {
  const ders = readCertificates(certificatePem);
  const certificateDer = ders[0] as Uint8Array;
  const keyObject = readKey(key, passphrase);
  if (!new X509Certificate(certificateDer).checkPrivateKey(keyObject)) {
    throw invalid('the private key is not that of the certificate');
  }
  const keyPem = keyObject.export({ format: 'pem', type: 'pkcs8' }) as string;
  const signingKey = signingKeyOf(keyPem);
  return {
    certificateDer,
    certificatePem: ders.map(toPem).join(''),
    name: subjectOf(certificateDer).commonName,
    actorId: actorIdOf(certificateDer),
    keyPem,
    ...(signingKey && {
      ...{ signingKey, signer: signingKey },
      messageSigner: { key: signingKey },
    }),
  };
}

/** Where an identity lies on disk. */
export interface IdentityFiles {
  /** PEM: the own certificate, then those above it. */
  readonly certificateFile: string;
  /** PEM or PKCS#8 DER. Readable by its owner alone. */
  readonly keyFile: string;
}

/**
 * An identity from its two files.
 * @throws SdkError INVALID_IDENTITY
 */
export async function readIdentity(files: IdentityFiles, passphrase?: string): Promise<Identity> {
  const [certificate, key] = await Promise.all([
    readOrExplain(files.certificateFile),
    readOrExplain(files.keyFile),
  ]);
  const isPem = key.includes('-----BEGIN ');
  return createIdentity(
    certificate.toString('utf8'),
    isPem ? key.toString('utf8') : key,
    passphrase,
  );
}

/**
 * Writes an identity to its two files, the key's mode 0600. An existing key is never overwritten.
 * @throws SdkError INVALID_IDENTITY when the key file exists
 */
export async function saveIdentity(identity: Identity, files: IdentityFiles): Promise<void> {
  try {
    await writePrivateFile(files.keyFile, identity.keyPem);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw invalid(`${files.keyFile} exists already and is left as it is`);
  }
  await writePublicFile(files.certificateFile, identity.certificatePem);
}

/** What a new organisation's certificate says. */
export interface OrganisationOptions {
  /** Common name, and organisation name unless that is given: 1-64 characters. */
  readonly name: string;
  readonly organisation?: string;
  /** Days from now that the certificate is valid; default 3,650. */
  readonly validDays?: number;
}

/**
 * A new organisation: a key pair and the self-signed certificate that the membership list will
 * hold. It authenticates itself, and every staff certificate issued under it authenticates as it
 * (paper, "Actors and Identity").
 */
export function createOrganisation(options: OrganisationOptions): Identity {
  const key = createSigningKey(randomBytes(32));
  const der = issueCertificate({
    subject: { commonName: options.name, organization: options.organisation ?? options.name },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    ...validity(options.validDays ?? 3_650),
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  return createIdentity(toPem(der), key.toPkcs8Pem());
}

/** What a staff certificate says. */
export interface StaffOptions {
  /** Common name of the person or service: 1-64 characters. */
  readonly name: string;
  /**
   * Of the organisation's roles in the constitution, those it has: each becomes an organisational unit
   * `role:<name>` of the subject; `*` stands for all. Default none.
   */
  readonly roles?: readonly string[];
  /** Days from now that the certificate is valid; default 365. */
  readonly validDays?: number;
}

/**
 * A key pair and certificate for someone of an organisation: authenticates as that organisation,
 * but cannot vote for it, which takes the organisation's own key.
 * @throws SdkError INVALID_IDENTITY when the issuing identity is no authority with a P-256 key
 */
export function issueStaffIdentity(organisation: Identity, options: StaffOptions): Identity {
  const { signer, certificateDer } = organisation;
  if (!signer) throw invalid('the issuing organisation has no P-256 key');
  const key = createSigningKey(randomBytes(32));
  try {
    const der = issueCertificate({
      subject: staffSubject(certificateDer, options.name, options.roles ?? []),
      publicKeySpki: key.publicKeySpki,
      issuer: { certificateDer, key: signer },
      ...validity(options.validDays ?? 365),
      isCa: false,
      usages: ['clientAuth'],
    });
    const chain = readCertificates(organisation.certificatePem);
    // What TLS presents may begin with a certificate of the day (see `createIdentityElsewhere`).
    const own = chain.findIndex((one) => equalBytes(one, certificateDer));
    const pem = [der, ...chain.slice(own)].map(toPem).join('');
    return createIdentity(pem, key.toPkcs8Pem());
  } catch (error) {
    if (error instanceof CryptoError) throw invalid(error.message);
    throw error;
  }
}

/** The organisation's name with someone's own, and the roles as units. */
export function staffSubject(
  organisation: Uint8Array,
  commonName: string,
  roles: readonly string[],
): SubjectName {
  const { organization } = subjectOf(organisation);
  return {
    commonName,
    ...(organization !== undefined && { organization }),
    organizationalUnits: roles.map((role) => `role:${role}`),
  };
}

/**
 * A new certificate of an organisation for the roll-over of its old one: of the same name, over a new
 * key, or over the same one, so that staff certificates below the old one hold below it too.
 * @throws SdkError INVALID_IDENTITY when the key to go on with is not at hand or not P-256
 */
export function renewOrganisation(
  organisation: Identity,
  options: { readonly validDays?: number; readonly sameKey?: boolean } = {},
): Identity {
  const { certificateDer, signingKey } = organisation;
  if (options.sameKey === true && !signingKey) {
    throw invalid('the key to go on with is not a P-256 key in this process');
  }
  const key =
    options.sameKey === true && signingKey ? signingKey : createSigningKey(randomBytes(32));
  const der = issueCertificate({
    subject: subjectOf(certificateDer),
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    ...validity(options.validDays ?? 3_650),
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  return createIdentity(toPem(der), key.toPkcs8Pem());
}

/** Serial number and days of a new certificate, from an hour ago: other clocks may be behind. */
export function validity(days: number) {
  const nowMs = Date.now();
  return {
    // A positive number: the sign bit is cleared, and no draw is all zeros.
    serial: Buffer.concat([Buffer.of(0x5e), randomBytes(15)]),
    notBeforeMs: nowMs - 3_600_000,
    notAfterMs: nowMs + days * dayMs,
  };
}

const invalid = (why: string): SdkError => new SdkError('INVALID_IDENTITY', why);

/** DER of PEM certificates. @throws SdkError INVALID_IDENTITY */
export function readCertificates(pem: string): Uint8Array[] {
  try {
    const ders = fromPem(pem);
    for (const der of ders) subjectOf(der);
    return ders;
  } catch (error) {
    if (error instanceof CryptoError) throw invalid(`certificate: ${error.message}`);
    throw error;
  }
}

function readKey(key: string | Uint8Array, passphrase: string | undefined): KeyObject {
  try {
    if (typeof key === 'string') {
      return createPrivateKey(passphrase === undefined ? key : { key, passphrase });
    }
    return createPrivateKey({ key: Buffer.from(key), format: 'der', type: 'pkcs8' });
  } catch {
    // The platform's message may quote the input, so it is not passed on.
    throw invalid('the private key cannot be read, or needs another passphrase');
  }
}

function signingKeyOf(keyPem: string): SigningKey | undefined {
  try {
    return importSigningKey(keyPem);
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

async function readOrExplain(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw invalid(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
