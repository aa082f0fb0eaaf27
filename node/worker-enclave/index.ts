export { isNobody, nobodyId } from '@concordat/bridge';
export type { Actor, NetworkTrust, TokenIssuer, TrustedActor } from './actors.ts';
export {
  type Accepted,
  AdapterError,
  type AdapterErrorCode,
  type AdapterHost,
  type AdapterMemory,
  type Admitted,
  type BatchEnvironment,
  type BatchSet,
  type CommittedBatch,
  deferred,
  type EndpointDeclaration,
  type FrameStream,
  type HttpEndpoint,
  type HttpRequest,
  type HttpResponse,
  type LedgerAdapter,
  type Outcome,
  type ProgramHolder,
  type ProgramState,
  type Refused,
  type StateChange,
  type StreamEndpoint,
  type Submitted,
  type Wait,
  type WebSocketEndpoint,
  type WebSocketLike,
} from './adapter.ts';
export { WorkerError, type WorkerErrorCode } from './errors.ts';
export {
  type ExternalAnswer,
  type ExternalCall,
  ExternalError,
  type ExternalErrorCode,
  type ExternalSystem,
  externalErrorCodes,
} from './external-call.ts';
export { streamProtocol } from './http-front.ts';
export { identityOf } from './identities.ts';
export { type BatchPolicy, defaultLimits, type WorkerLimits } from './limits.ts';
export type { PastRange, PastTransactionView } from './past-reader.ts';
export type { Preparation, Preparer } from './preparation.ts';
export { servePreparations } from './preparing-program.ts';
export { PreparingThreads, type Thread } from './preparing-threads.ts';
export { Reexecution } from './reexecution.ts';
export { runWorker } from './run-worker.ts';
export { Worker, type WorkerOptions } from './worker.ts';
