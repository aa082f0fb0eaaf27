import { FrontDoors } from './front-doors.ts';
import { NodeChannel, type NodeChannelOptions } from './node-channel.ts';
import type { NodeContext } from './node-context.ts';
import type { PeerChannel, WorkerPort } from './ports.ts';
import { type WorkerAttestation, type WorkerEvents, WorkerLink } from './worker-link.ts';

/** The ports clients and operators come in by. */
export type Doors = Pick<FrontDoors, 'open' | 'close' | 'notify' | 'constitutionChanged'>;

/**
 * How a manager reaches whom it does not reach through its host: peers, workers and clients. All
 * else of a manager needs no socket, so that whole networks run in one process (`testing/simulator`).
 */
export interface ManagerWays {
  /** The node channel, not listening yet. */
  channel(options: NodeChannelOptions): PeerChannel;
  /** The way to a worker, not connected yet. */
  worker(index: number, attestation: WorkerAttestation, events: WorkerEvents): WorkerPort;
  doors(node: NodeContext): Doors;
}

/** Sockets of the bridge directory: the ways of a validating node. */
export const socketWays: ManagerWays = {
  channel: (options) => new NodeChannel(options),
  worker: (index, attestation, events) => new WorkerLink(index, attestation, events),
  doors: (node) => new FrontDoors(node),
};
