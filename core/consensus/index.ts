export { decodeMessage, encodeMessage } from './codec.ts';
export type {
  Configuration,
  Consensus,
  Effects,
  Entry,
  InitialState,
  Outgoing,
  PeerProgress,
  PlacedConfiguration,
  ProposalRefusalCode,
  Proposed,
  QuorumSizes,
  RaftOptions,
  Refusal,
  RefusalCode,
  Role,
  SnapshotPosition,
  Status,
  ViewStart,
} from './consensus.ts';
export type {
  Append,
  AppendResponse,
  Install,
  InstallRefusal,
  InstallResponse,
  LogPosition,
  Message,
  TimeoutNow,
  VoteRequest,
  VoteResponse,
} from './message.ts';
export {
  configurationFault,
  maxVoters,
  type QuorumKind,
  quorumSize,
  quorumSizesFault,
  quorumSizesOf,
  sameConfiguration,
} from './quorum.ts';
export { createRaft } from './raft.ts';
export { maxChunkBytes, maxSnapshotChunks } from './snapshot-receive.ts';
