import type { FrameConnection, FrameConnectionOptions } from '@concordat/bridge';
import type { NodeId } from '@concordat/std';
import type { NodeChannel } from './node-channel.ts';
import type { PeerSession } from './peer-session.ts';
import type { WorkerLink } from './worker-link.ts';

/** What others see of a class: what must stand in its place where there are no sockets. */
type PublicSide<Class> = Pick<Class, keyof Class>;

/** A session with a peer that was dialled and has accepted this node. */
export type DialledPeer = Pick<PeerSession, 'peer' | 'request' | 'close'>;

/** The node channel as the rest of the manager uses it. */
export type PeerChannel = Omit<PublicSide<NodeChannel>, 'dial'> & {
  dial(address: string, expected?: NodeId): Promise<DialledPeer>;
};

/** The way to one worker as the rest of the manager uses it. */
export type WorkerPort = PublicSide<WorkerLink>;

/** Opens the framed connection to the host. */
export type ConnectToHost = (
  options: FrameConnectionOptions,
) => Pick<FrameConnection, 'send' | 'flush'>;
