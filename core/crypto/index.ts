export { aeadOpen, aeadSeal, aeadTagBytes } from './aead.ts';
export {
  type CborKey,
  type CborLimits,
  CborTag,
  type CborValue,
  decodeCbor,
  encodeCbor,
} from './cbor.ts';
export {
  type Certificate,
  certificateFingerprint,
  parseCertificate,
  type SubjectName,
  spkiOf,
  subjectOf,
} from './certificate.ts';
export {
  type ChainQuestion,
  type ChainRefusal,
  type ChainVerdict,
  type RevocationCheck,
  type RevocationRefusal,
  verifyCertificateChain,
} from './certificate-chain.ts';
export {
  type CertificateRequest,
  type CertificateUsage,
  issueCertificate,
} from './certificate-issue.ts';
export { isSignedBy } from './certificate-signature.ts';
export {
  type CoseContent,
  type CoseHeaders,
  type CoseLimits,
  coseEs256,
  coseHeaders,
  type DecodedCose,
  decodeCose,
  kidOf,
  signCose,
  signCoseWith,
  verifyCose,
} from './cose.ts';
export { joinCose, signatureOfDer } from './cose-parts.ts';
export {
  createEncryptionKey,
  type EncryptionKey,
  importEncryptionKey,
  isEncryptionPublicKey,
  openerBy,
  type ReceivingContext,
  type SendingContext,
  sealTo,
  sendTo,
} from './encryption-key.ts';
export { CryptoError, type CryptoErrorCode } from './errors.ts';
export {
  constantTimeEqual,
  hkdfSha256,
  hmacSha256,
  sha256,
  sha256Hex,
  sha256Latin1,
  sha256OfText,
} from './hash.ts';
export { actorIdOf, nodeIdOf } from './identity.ts';
export { parseIpAddress } from './ip-address.ts';
export { rsaBits, signatureAlgorithmOf, spkiOfJwk } from './jwk.ts';
export { type DecodedJwt, decodeJwt, maxTokenLength, verifyJwt } from './jwt.ts';
export { fromPem, toPem } from './pem.ts';
export { issueRevocationList, type RevocationListRequest } from './revocation-issue.ts';
export {
  maxRevocationListBytes,
  maxRevokedCertificates,
  parseRevocationList,
  type RevocationList,
  type RevocationListFault,
  revocationListFault,
  serialText,
} from './revocation-list.ts';
export { openReply, replyNonceBytes, sealReply } from './sealed-reply.ts';
export { type CertificateSigner, signerBy } from './signer-elsewhere.ts';
export {
  createSigningKey,
  exportSigningScalar,
  importSigningKey,
  importSigningScalar,
  isSigningPublicKey,
  type SigningKey,
  verifySignature,
} from './signing-key.ts';
