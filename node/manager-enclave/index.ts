export { ManagerError, type ManagerErrorCode } from './errors.ts';
export { Launch, type LaunchOptions } from './launch.ts';
export type { Manager } from './manager.ts';
export type { NodeChannelOptions, PeerTarget } from './node-channel.ts';
export type { Challenge, PeerIdentity, PeerRole } from './peer-policy.ts';
export type { DialledPeer, PeerChannel, WorkerPort } from './ports.ts';
export { runManager } from './run-manager.ts';
export type { Doors, ManagerWays } from './ways.ts';
export { type WorkerAttestation, type WorkerEvents, WorkerLink } from './worker-link.ts';
