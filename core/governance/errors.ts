import { CodedError } from '@concordat/std';

/** Every code a refusal of this room carries; each has an entry in the catalogue of core/api. */
export const governanceErrorCodes = [
  'INVALID_CONSTITUTION',
  'INVALID_JSON',
  'INVALID_ACTION',
  'MESSAGE_TOO_LARGE',
  'MALFORMED_MESSAGE',
  'WRONG_NETWORK',
  'UNKNOWN_ACTOR',
  'BAD_SIGNATURE',
  'NOT_A_MEMBER',
  'REPLAY',
  'CREATED_TOO_LONG_AGO',
  'CREATED_IN_FUTURE',
  'PROPOSAL_NOT_FOUND',
  'PROPOSAL_NOT_OPEN',
  'ALREADY_VOTED',
  'NOT_THE_PROPOSER',
  'TOO_MANY_OPEN_PROPOSALS',
  'ACTOR_EXISTS',
  'ACTOR_NOT_FOUND',
  'NODE_EXISTS',
  'NODE_NOT_FOUND',
  'NODE_NOT_ADMITTED',
  'WRONG_NODE_STATUS',
  'BAD_NODE_SIGNATURE',
  'ADDRESS_TAKEN',
  'REJOIN_REFUSED',
  'CODE_EXISTS',
  'CODE_NOT_FOUND',
  'TEE_EXISTS',
  'TEE_NOT_FOUND',
  'UNLISTED_MEASUREMENT',
  'UNLISTED_TEE',
  'DEBUG_ENCLAVE',
  'UNSUPPORTED_POLICY',
  'INVALID_POLICY',
  'POLICY_NOT_SET',
  'LAST_MEMBER',
  'LAST_TRUSTED_NODE',
  'UNSATISFIABLE_VOTING_POLICY',
  'UNSAFE_QUORUMS',
  'UNSATISFIABLE_KEY_THRESHOLD',
  'AUDITOR_EXISTS',
  'AUDITOR_NOT_FOUND',
  'NOT_A_HOLDER',
  'NO_KEY_CEREMONY',
  'KEY_CEREMONY_OPEN',
  'KEY_CEREMONY_NOT_DUE',
  'KEY_CEREMONY_RECORD',
] as const;

/** Why a constitution, a governance message, an action or a step of a node's life is refused. */
export type GovernanceErrorCode = (typeof governanceErrorCodes)[number];

/** A refusal by governance. It never leaves a trace in the transaction set it was met in. */
export class GovernanceError extends CodedError<GovernanceErrorCode> {}
