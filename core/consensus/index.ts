export { decodeMessage, encodeMessage } from './codec.ts';
export { maxVoters } from './configurations.ts';
export type {
  Consensus,
  Effects,
  Entry,
  InitialState,
  Outgoing,
  PeerProgress,
  PlacedConfiguration,
  ProposalRefusalCode,
  Proposed,
  RaftOptions,
  Refusal,
  RefusalCode,
  Role,
  Status,
  ViewStart,
} from './consensus.ts';
export type {
  Append,
  AppendResponse,
  LogPosition,
  Message,
  TimeoutNow,
  VoteRequest,
  VoteResponse,
} from './message.ts';
export { hasQuorum, quorumSize } from './quorum.ts';
export { createRaft } from './raft.ts';
