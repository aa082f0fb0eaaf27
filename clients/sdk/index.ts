export type { Consistency } from '@concordat/api';
export { type EncryptionKey, importEncryptionKey } from '@concordat/crypto';
export {
  type CoseReceiptVerdict,
  type ReceiptJson,
  type ReceiptVerdict,
  verifyCoseReceipt,
  verifyReceipt,
} from '@concordat/ledger';
export { type HostAndPort, parseAddress } from './address.ts';
export { AdminClient, type Submission } from './admin-client.ts';
export { AdminReader } from './admin-reader.ts';
export { collectBody } from './answer-body.ts';
export {
  type ApplicationAnswer,
  ApplicationCalls,
  type ApplicationRequest,
  type CallOptions,
  type Carrier,
  newIdempotencyKey,
} from './application-calls.ts';
export { ApplicationClient, type ApplicationClientOptions } from './application-client.ts';
export {
  type Answer,
  Connection,
  type ConnectionOptions,
  type NodeGate,
  type RequestOptionsWithBody,
  type RequestStart,
} from './connection.ts';
export { explainFailure } from './connection-failure.ts';
export { type ClientErrorCode, isTransient, isUntouched, mayRepeat, SdkError } from './errors.ts';
export {
  type FrameCallback,
  FrameClient,
  type FrameClientOptions,
  openFrameClient,
  streamProtocol,
} from './frame-client.ts';
export {
  createIdentity,
  createOrganisation,
  type Identity,
  type IdentityFiles,
  issueStaffIdentity,
  type OrganisationOptions,
  readIdentity,
  renewOrganisation,
  type StaffOptions,
  saveIdentity,
} from './identity.ts';
export {
  certifyOrganisation,
  createIdentityElsewhere,
  type KeyElsewhere,
} from './identity-elsewhere.ts';
export {
  KeyValueClient,
  type KeyValueOptions,
  openKeyValueClient,
  type ReadCallback,
  type WriteCallback,
} from './keyvalue-client.ts';
export { NetworkClient, type NetworkOptions, type NetworkRequest } from './network-client.ts';
export type { EventsWanted } from './network-events.ts';
export type { NodeAddresses } from './network-nodes.ts';
export { type GateOptions, gateTo } from './node-gate.ts';
export {
  type EvidenceSource,
  NodeVerifier,
  type NodeVerifierOptions,
  type VerifiedNode,
} from './node-verifier.ts';
export { checkPinnedCode, type PinnedCode, parsePinnedCode } from './pinned-code.ts';
export { type ExaminedReceipt, examineReceipt } from './receipts.ts';
export type { Patience, RetryPolicy } from './retrying.ts';
export {
  issueOrganisationRevocations,
  type RevocationOptions,
  revocationAction,
  serialOf,
} from './revocation.ts';
export { SealedClient, type SealedClientOptions } from './sealed-client.ts';
