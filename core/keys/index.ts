export { Ceremony, type CeremonyDeadlines, type CeremonyPhase } from './ceremony.ts';
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
  createDealing,
  type Dealing,
  decodeDealing,
  encodeDealing,
  requireDealing,
} from './dealing.ts';
export { KeysError, type KeysErrorCode } from './errors.ts';
export {
  drawScalar,
  type Element,
  groupBytes,
  type Scalar,
  scalarEntropyBytes,
  timesBase,
  toElement,
  toScalar,
} from './ristretto.ts';
export { sessionKeyLabel } from './session-key-label.ts';
export {
  type SessionKeyWrap,
  sessionKeyBytes,
  unwrapSessionKey,
  type WrapBinding,
  wrappedKeyBytes,
  wrapSessionKey,
} from './session-key-wrap.ts';
export { type SessionKey, SessionKeyring, type SessionKeySource } from './session-keyring.ts';
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
  publicKeyOf,
  type Received,
  receiveShare,
  type ThresholdKey,
  verificationKeyOf,
} from './threshold-key.ts';
