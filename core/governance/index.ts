export { type Acknowledgement, acknowledgementOf } from './acknowledgements.ts';
export { type ActionName, actionNames } from './action-names.ts';
export { actionSchemas, proposalSchema } from './action-schemas.ts';
export { maxActions, proposedApplications } from './actions.ts';
export {
  type Authentication,
  type AuthenticationRefusal,
  actorForCertificate,
  type Bearer,
  type PresentedCertificate,
  staffRoles,
} from './actor-authentication.ts';
export {
  type ActorCertificate,
  actorIdOfFingerprint,
  actorOfFingerprint,
  certificatesOf,
  isInUse,
  maxActorCertificates,
} from './actor-certificates.ts';
export {
  type ApplicationChange,
  applicationChanges,
  hasApplications,
  maxProgramBytes,
  programDigest,
  programOf,
} from './applications.ts';
export {
  type AuditGrant,
  auditGrantOf,
  isAuditGranted,
  maxGrantedEpochs,
} from './audit-grant.ts';
export {
  type AutomationRule,
  maxAutomationRules,
  type PolicyBounds,
} from './automation-rule.ts';
export { canonicalJson, constitutionDigest, networkIdOf } from './canonical-json.ts';
export {
  type Actor,
  type ActorKind,
  type ApplicationEntry,
  type CodeEntry,
  type CodeRole,
  type Constitution,
  type EarlierCertificate,
  type ExternalSystem,
  isMember,
  type JwtIssuer,
  type JwtKey,
  type NodeEntry,
  type NodeStatus,
  type RetirementReason,
  type RevocationListEntry,
  type TeeEntry,
} from './constitution.ts';
export { constitutionSchema } from './constitution-schema.ts';
export { constitutionTerms, type Newcomer } from './constitution-terms.ts';
export type { GovernanceEffect } from './effects.ts';
export { endorsedNodeKey } from './endorsed-node.ts';
export {
  epochDue,
  hasPassed,
  owedPatienceMs,
  sessionKeyTtlMs,
  waitsForFreshKey,
} from './epoch-due.ts';
export {
  beginsEpoch,
  currentEpoch,
  type EpochBegun,
  type EpochKeyRow,
  type EpochOwed,
  type EpochReason,
  epochKeyRow,
  epochKeyRows,
  epochOwed,
  epochTables,
  newestEpoch,
  recordEpoch,
  recordEpochOwed,
} from './epoch-rows.ts';
export { GovernanceError, type GovernanceErrorCode, governanceErrorCodes } from './errors.ts';
export {
  type ConstitutionPart,
  eventsOfWrites,
  type GovernanceEvent,
  getProposal,
  listProposals,
} from './events.ts';
export { type FoundingHolder, type FoundingShare, foundSharedKey } from './founding-ceremony.ts';
export type { JsonSchema } from './json-schema.ts';
export {
  ceremonyOf,
  currentSharedKey,
  isOvertaken,
  newestCeremony,
  openCeremony,
  openCeremonyOf,
} from './key-ceremony.ts';
export { rerunCeremony } from './key-ceremony-audit.ts';
export {
  type CeremonyOutcome,
  closeCeremony,
  type PreparedKey,
  preparedKeySteps,
} from './key-ceremony-close.ts';
export {
  type CeremonyTurn,
  recordComplaint,
  recordConfirmation,
  recordDeadline,
  recordDealing,
  resumeCeremony,
} from './key-ceremony-record.ts';
export {
  ceremonyDue,
  type DueCeremony,
  dealersOf,
  type KeyNeeds,
  keyNeeds,
  type SharedKey,
  sharedKeys,
} from './key-due.ts';
export {
  type KeyExport,
  type KeyExportRequest,
  keyExports,
  keyExportsOf,
  readKeyExportRequest,
} from './key-exports.ts';
export {
  isGivingRecorded,
  isNodeGranted,
  type KeyGrant,
  keyGrants,
  recordKeyGrant,
} from './key-grants.ts';
export {
  type Candidate,
  candidateHolders,
  holderRegistrationOf,
  holderStatement,
  registerHolder,
  signHolderRegistration,
} from './key-holders.ts';
export { strandedKeys } from './key-reach.ts';
export { type HolderRotation, rotationAsked } from './key-rotation.ts';
export {
  type CeremonyEvent,
  type CeremonyReason,
  type CeremonyRow,
  type HolderRegistration,
  type KeyRow,
  type ShareHolder,
  type SharingRow,
  thresholdKeyOf,
} from './key-rows.ts';
export {
  type RecordedSharing,
  recordedSharing,
  recordedSharings,
} from './key-sharings.ts';
export { keyThresholdUnder } from './key-threshold.ts';
export {
  buildAcknowledgement,
  buildGiving,
  buildHolderRotation,
  buildKeyExport,
  buildProposal,
  buildRecoveryConsent,
  buildVote,
  buildWithdrawal,
  type DecodedMessage,
  decodeMessage,
  type GovernanceMessage,
  type MessageOptions,
  type MessageSigner,
  type MessageType,
  maxMessageBytes,
  messageIdOf,
} from './message.ts';
export { identifyMessage } from './message-signer.ts';
export {
  type NetworkKeyRow,
  networkKeyRow,
  networkKeyTable,
  recordNetworkKey,
} from './network-key-row.ts';
export { isSignedByOwner, type NodeTuple, nodeTuple, signNodeTuple } from './node-entry.ts';
export {
  type AttestedNode,
  getNode,
  type JoiningNode,
  nodeJoins,
  nodeRetired,
  nodeTrusted,
} from './node-life-cycle.ts';
export { parseConstitution } from './parse-constitution.ts';
export {
  defaultPolicy,
  type KeyThresholdPolicy,
  type Policies,
  policyNames,
  type QuorumPolicy,
} from './policies.ts';
export { type Preview, previewActions } from './preview.ts';
export {
  type EarlierVote,
  type Proposal,
  type ProposalState,
  type ProposedAction,
  proposalStates,
  type Requirement,
  type Vote,
} from './proposal.ts';
export { maxOpenProposals } from './proposal-opening.ts';
export { expireProposals, isExpiryDue } from './proposal-settling.ts';
export { quorumSizesUnder } from './quorum-policies.ts';
export {
  isFormerNetwork,
  isOpen,
  markRestored,
  recoveredFrom,
  recoveryConsentOf,
  recoveryStage,
  successorConstitution,
  writeRecoveredFrom,
} from './recovery.ts';
export type { FormerNetwork, RecoveryConsent, RecoveryStage } from './recovery-rows.ts';
export { maxMessageAgeSeconds, maxMessageLeadSeconds, recentMessages } from './replay.ts';
export {
  endorseRequestKey,
  maxRequestKeyBytes,
  type RequestKey,
  requestKeyLifetimeSeconds,
  verifyRequestKey,
} from './request-key.ts';
export {
  isListedAsRevoked,
  issuerIdOf,
  listRevocationLists,
  maxRevocationLists,
  type RevocationTerms,
  revokedSerials,
} from './revocation-lists.ts';
export {
  buildSealedMessage,
  decodeSealedMessage,
  type SealedMessage,
  type SealedMessageContent,
} from './sealed-message.ts';
export { readGiving } from './share-giving.ts';
export {
  type GenesisFacts,
  hasGenesis,
  networkInfo,
  readConstitution,
  writeGenesis,
} from './state.ts';
export type { Submission, SubmissionContext } from './submission.ts';
export { submitMessage } from './submit.ts';
export { governanceTables, messagesTable, type NetworkInfo } from './tables.ts';
export { maxVoteChanges } from './vote.ts';
export {
  acceptsNeeded,
  type Ballot,
  type CountingPolicy,
  type Judgement,
  judge,
  type SubsetPolicy,
  type Voter,
  type VotingPolicies,
  type VotingPolicy,
  type VotingPolicyKind,
} from './voting-policy.ts';
export { votingPolicyText } from './voting-policy-text.ts';
