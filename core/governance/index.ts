export { type GovernanceEffect, maxActions } from './actions.ts';
export {
  type Authentication,
  type AuthenticationRefusal,
  actorForCertificate,
  type PresentedCertificate,
} from './actor-authentication.ts';
export { canonicalJson, constitutionDigest, networkIdOf } from './canonical-json.ts';
export {
  type Actor,
  type ActorKind,
  type CodeEntry,
  type CodeRole,
  type Constitution,
  isMember,
  type KeyHolder,
  type NodeEntry,
  type NodeStatus,
  type RetirementReason,
  type TeeEntry,
} from './constitution.ts';
export { GovernanceError, type GovernanceErrorCode, governanceErrorCodes } from './errors.ts';
export {
  type ConstitutionPart,
  eventsOfWrites,
  type GovernanceEvent,
  getProposal,
  listProposals,
} from './events.ts';
export {
  buildProposal,
  buildVote,
  buildWithdrawal,
  decodeMessage,
  type GovernanceMessage,
  type MessageOptions,
  type MessageSigner,
  type MessageType,
  maxMessageBytes,
  messageIdOf,
} from './message.ts';
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
export { defaultPolicy, type Policies, policyNames, type QuorumPolicy } from './policies.ts';
export type {
  Proposal,
  ProposalState,
  ProposedAction,
  Requirement,
  Vote,
} from './proposal.ts';
export { quorumSizesUnder } from './quorum-policies.ts';
export { maxMessageAgeSeconds, maxMessageLeadSeconds, recentMessages } from './replay.ts';
export {
  type GenesisFacts,
  hasGenesis,
  networkInfo,
  readConstitution,
  writeGenesis,
} from './state.ts';
export {
  maxOpenProposals,
  type Submission,
  type SubmissionContext,
  submitMessage,
} from './submit.ts';
export { governanceTables, messagesTable, type NetworkInfo } from './tables.ts';
export {
  type ActionName,
  acceptsNeeded,
  actionNames,
  type Judgement,
  judge,
  type Tally,
  type VotingPolicies,
  type VotingPolicy,
  type VotingPolicyKind,
} from './voting-policy.ts';
