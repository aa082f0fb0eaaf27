import { BinaryReader, BinaryWriter, CodedError, type NodeId, utf8 } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { NodeChannel } from './node-channel.ts';
import type { WorkerFeed } from './worker-feed.ts';

/** An answer from the leader's worker. */
interface ForwardReply {
  readonly ok: boolean;
  readonly height: number;
  readonly reply: Uint8Array;
}

/** A request that reached no leader in this time has an unknown outcome. */
const forwardTimeoutMs = 30_000;
/** Forwarded requests this node executes for others at once; beyond it they are refused. */
const maxWaiting = 16_384;

/**
 * Carries a follower's application requests to the leader's worker and the answers back, with the
 * actor's identity (DESIGN 3.7). The bytes are the workers' business.
 */
export class RequestForwarding {
  readonly #channel: NodeChannel;
  readonly #feed: WorkerFeed;
  readonly #leader: () => NodeId | undefined;
  readonly #waiting = new Map<number, (reply: ForwardReply) => void>();
  readonly #writer = new BinaryWriter();
  #nextId = 1;

  constructor(channel: NodeChannel, feed: WorkerFeed, leader: () => NodeId | undefined) {
    this.#channel = channel;
    this.#feed = feed;
    this.#leader = leader;
  }

  /** A worker here asks for a request to be executed by the leader. */
  forward(source: number, id: number, identity: Uint8Array, request: Uint8Array): void {
    const leader = this.#leader();
    const link = this.#feed.link(source);
    if (!leader || !this.#channel.connected(leader)) {
      const reply = refusal('NO_LEADER', 'no leader can be reached at present');
      link?.send({ kind: 'forwardReply', id, ...reply });
      return;
    }
    const body = this.#writer.u16(source).bytes(identity).raw(request).take();
    this.#channel.request(leader, 'forward', body, forwardTimeoutMs).then(
      (bytes) => {
        const reader = new BinaryReader(bytes);
        const [ok, height] = [reader.u8() === 1, reader.u64()];
        const reply = reader.raw(reader.remaining);
        link?.send({ kind: 'forwardReply', id, ok, height, reply });
      },
      (error: unknown) => {
        if (!(error instanceof CodedError)) throw error;
        link?.send({ kind: 'forwardReply', id, ...refusal(error.code, error.message) });
      },
    );
  }

  /**
   * Another node's request, to be executed here.
   * @throws ManagerError OVERLOADED, CHANNEL_FAILED
   */
  execute(origin: NodeId, body: Buffer): Promise<Uint8Array> {
    const reader = new BinaryReader(body);
    const source = reader.u16();
    const identity = reader.bytes(65_536);
    const request = reader.raw(reader.remaining);
    const link = this.#feed.link(source);
    if (!link) {
      return Promise.reject(new ManagerError('CHANNEL_FAILED', `there is no worker ${source}`));
    }
    if (this.#waiting.size >= maxWaiting) {
      return Promise.reject(new ManagerError('OVERLOADED', 'too many forwarded requests wait'));
    }
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_fffe) + 1;
    return new Promise((resolve) => {
      this.#waiting.set(id, ({ ok, height, reply }) => {
        resolve(
          new BinaryWriter(9 + reply.length)
            .u8(ok ? 1 : 0)
            .u64(height)
            .raw(reply)
            .take(),
        );
      });
      link.send({ kind: 'forwarded', id, origin, identity, request });
    });
  }

  /** The worker here executed another node's request. */
  replied(id: number, reply: ForwardReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.(reply);
  }
}

const refusal = (code: string, message: string): ForwardReply => ({
  ok: false,
  height: 0,
  reply: utf8(JSON.stringify({ code, message })),
});
