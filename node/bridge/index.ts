export type { AppliedBlock, BatchTransaction, WriteSetPair } from './block-frames.ts';
export {
  type ChannelToManager,
  type ChannelToWorker,
  decodeChannelToManager,
  decodeChannelToWorker,
  encodeChannelToManager,
  encodeChannelToWorker,
} from './channel.ts';
export {
  type ControlToEnclave,
  type ControlToHost,
  decodeControlToEnclave,
  decodeControlToHost,
  encodeControlToEnclave,
  encodeControlToHost,
} from './control.ts';
export {
  dialThroughHost,
  encodeDialReply,
  encodeDialRequest,
  maxDialAddressBytes,
  readDialRequest,
} from './dial.ts';
export { BridgeError, type BridgeErrorCode } from './errors.ts';
export type { ExternalToManager, ExternalToWorker } from './external-channel.ts';
export { type EncodedFrame, FrameBuilder, frameBuilder } from './frame-builder.ts';
export { FrameConnection, type FrameConnectionOptions } from './frame-connection.ts';
export { defaultMaxFrameBytes, type Frame, FrameDecoder } from './frame-decoder.ts';
export { FrameWriter, type FrameWriterOptions } from './frame-writer.ts';
export {
  decodeIdentity,
  encodeIdentity,
  type Identity,
  isNobody,
  nobody,
  nobodyId,
} from './identity.ts';
export {
  maxPastTransactions,
  type PastReply,
  type PastRequest,
  type PastTransaction,
} from './past-channel.ts';
export {
  maxProgramFrameBytes,
  maxProgramJsonBytes,
  type ProgramToManager,
  type ProgramToWorker,
} from './program-channel.ts';
export {
  type Answer,
  maxAnswerBytes,
  type Question,
  type QuestionSubject,
} from './question-channel.ts';
export type { OpenReply, OpenRequest } from './sealed-channel.ts';
export {
  type SnapshotToManager,
  type SnapshotToWorker,
  snapshotChunkCredit,
} from './snapshot-channel.ts';
export { maxPageBytes, maxSnapshotChunkBytes, type SnapshotToHost } from './snapshot-control.ts';
export {
  applicationListener,
  controlSocket,
  dialSocket,
  type EnclaveArguments,
  formatEnclaveArguments,
  isListenerName,
  listenerSocket,
  parseEnclaveArguments,
  rejoinExitStatus,
  workerControlSocket,
  workerSocket,
} from './sockets.ts';
export {
  decodeManagerStart,
  decodeWorkerStart,
  encodeStart,
  type HeightRange,
  type ManagerStart,
  type NodeAddresses,
  type StartApproval,
  type StartMode,
  type WorkerLimits,
  type WorkerStart,
} from './start.ts';
