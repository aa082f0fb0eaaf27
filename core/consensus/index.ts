export type {
  Configuration,
  Consensus,
  Entry,
  InitialState,
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
export { decodeMessage } from './decode-message.ts';
export {
  type Branch,
  type Distribution,
  directDistribution,
  treeDistribution,
} from './distribution.ts';
export type { Effects, Outgoing } from './effects.ts';
export { encodeMessage } from './encode-message.ts';
export type {
  Append,
  AppendResponse,
  Install,
  InstallRefusal,
  InstallResponse,
  LogPosition,
  Message,
  Relay,
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
