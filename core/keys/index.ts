export {
  type AuditShare,
  type AuditSharesName,
  decodeAuditShares,
  maxAuditSharesLength,
  openAuditShares,
  type SealedAuditShares,
  sealAuditShares,
} from './audit-shares.ts';
export {
  Ceremony,
  type CeremonyDeadlines,
  type CeremonyPhase,
  type CeremonyProgress,
  type Resumption,
} from './ceremony.ts';
export {
  type CeremonyTerms,
  ceremonyIdOf,
  type Dealer,
  dealersNeeded,
  type Receiver,
} from './ceremony-terms.ts';
export {
  type Complaint,
  createComplaint,
  decodeComplaint,
  encodeComplaint,
  type Judgement,
  judge,
} from './complaint.ts';
export {
  type Confirmation,
  createConfirmation,
  dealingDigest,
  decodeConfirmation,
  encodeConfirmation,
  requireConfirmation,
} from './confirmation.ts';
export {
  createDealing,
  createDealingSteps,
  type Dealing,
  type DealingAuthor,
  decodeDealing,
  encodeDealing,
  requireDealing,
  signDealing,
} from './dealing.ts';
export { KeysError, type KeysErrorCode } from './errors.ts';
export {
  createHolderKey,
  type HolderKey,
  type HolderKeyOwner,
  proveHolderKey,
  requireHolderKey,
} from './holder-key.ts';
export { networkIdentityLabel } from './network-identity-label.ts';
export { maxHolders } from './polynomial.ts';
export {
  decodeRecoveryShare,
  encodeRecoveryShare,
  maxRecoveryFileLength,
  minPassphraseBytes,
  openRecoveryShare,
  type RecoveryOpener,
  type RecoveryShare,
  type RecoveryShareName,
  recoverySaltBytes,
  sealRecoveryShare,
} from './recovery-share.ts';
export {
  drawScalar,
  type Element,
  erase,
  groupBytes,
  type Scalar,
  scalarEntropyBytes,
  timesBase,
  toElement,
  toScalar,
} from './ristretto.ts';
export { sessionKeyLabel } from './session-key-label.ts';
export {
  type SessionKey,
  SessionKeyring,
  type SessionKeySource,
  sessionKeyBytes,
} from './session-keyring.ts';
export {
  auditorRequester,
  nodeRequester,
  offlineRequester,
  recoveryRequester,
} from './share-requester.ts';
export { finishSteps, type Steps } from './steps.ts';
export {
  type CombinationKey,
  combineDecryptionShares,
  createDecryptionShare,
  type DecryptionShare,
  decodeCiphertext,
  decodeDecryptionShare,
  encodeCiphertext,
  encodeDecryptionShare,
  encryptToThreshold,
  isCiphertextValid,
  isDecryptionShareValid,
  type ShareRequest,
  type ThresholdCiphertext,
} from './tdh2.ts';
export {
  decodeThresholdKey,
  encodeThresholdKey,
  keySteps,
  publicKeyOf,
  type Received,
  receiveShare,
  receiveSteps,
  type ShareReceiver,
  type ThresholdKey,
  verificationKeyOf,
  verificationKeysOf,
} from './threshold-key.ts';
