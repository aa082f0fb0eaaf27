import { randomBytes } from 'node:crypto';
import {
  actorIdOf,
  CryptoError,
  createSigningKey,
  issueCertificate,
  signerBy,
  spkiOf,
  subjectOf,
  toPem,
} from '@concordat/crypto';
import { equalBytes } from '@concordat/std';
import { SdkError } from './errors.ts';
import {
  type Identity,
  type OrganisationOptions,
  readCertificates,
  staffSubject,
  validity,
} from './identity.ts';

/** A P-256 key whose private part is not in this process: in a token, a card, a service. */
export interface KeyElsewhere {
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Uint8Array;
  /** ECDSA over SHA-256 of the bytes, as r ‖ s, 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array;
}

/** What a key signs of itself, as {@link createOrganisation} does with one that is at hand. */
export function certifyOrganisation(key: KeyElsewhere, options: OrganisationOptions): string {
  const der = issueCertificate({
    subject: { commonName: options.name, organization: options.organisation ?? options.name },
    publicKeySpki: signerOf(key).publicKeySpki,
    issuer: { key: signerOf(key) },
    ...validity(options.validDays ?? 3_650),
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  return toPem(der);
}

/** Hours that a session's certificate is valid. */
const sessionHours = 24;

/**
 * The identity of an organisation whose key is elsewhere. Governance messages are signed by that key,
 * each for itself. TLS takes a key in this process: one is drawn, and the organisation's key signs it a
 * staff certificate for 24 hours, which authenticates as the organisation and can neither vote nor
 * outlive the day.
 * @param certificatePem the organisation's own certificate, then those above it
 * @throws SdkError INVALID_IDENTITY; what the key throws
 */
export function createIdentityElsewhere(certificatePem: string, key: KeyElsewhere): Identity {
  const ders = readCertificates(certificatePem);
  const certificateDer = ders[0] as Uint8Array;
  const signer = signerOf(key);
  if (!equalBytes(spkiOf(certificateDer), signer.publicKeySpki)) {
    throw new SdkError('INVALID_IDENTITY', 'the key is not that of the certificate');
  }
  const session = createSigningKey(randomBytes(32));
  const subject = subjectOf(certificateDer);
  try {
    const staff = issueCertificate({
      // It stands for the organisation itself, so it has all its roles.
      subject: staffSubject(certificateDer, subject.commonName, ['*']),
      publicKeySpki: session.publicKeySpki,
      issuer: { certificateDer, key: signer },
      ...validity(sessionHours / 24),
      isCa: false,
      usages: ['clientAuth'],
    });
    return {
      certificateDer,
      certificatePem: [staff, ...ders].map(toPem).join(''),
      name: subject.commonName,
      actorId: actorIdOf(certificateDer),
      keyPem: session.toPkcs8Pem(),
      signer,
      messageSigner: { sign: (bytes) => key.sign(bytes) },
    };
  } catch (error) {
    if (error instanceof CryptoError) throw new SdkError('INVALID_IDENTITY', error.message);
    throw error;
  }
}

const signerOf = (key: KeyElsewhere) => signerBy(key.publicKey, (bytes) => key.sign(bytes));
