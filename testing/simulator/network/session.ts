import {
  type DialledPeer,
  ManagerError,
  type NodeChannelOptions,
  type PeerIdentity,
  type PeerRole,
} from '@concordat/manager-enclave';
import { CodedError } from '@concordat/std';
import type { Place, Wire } from './wire.ts';

/** The node a session belongs to. */
interface Owner {
  readonly place: Place;
  readonly policy: NodeChannelOptions['policy'];
  readonly wire: Wire;
  sessionClosed(session: Session, error: Error): void;
}

interface Waiting {
  readonly resolve: (reply: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Probes without an answer after which a connection is given up. */
const maxSilentProbes = 4;

/** One side of an admitted connection between two nodes. */
export class Session implements DialledPeer {
  readonly peer: PeerIdentity;
  readonly role: PeerRole;
  /** Whether this side has heard that the other one accepted it. */
  established = false;
  readonly #owner: Owner;
  readonly #waiting = new Set<Waiting>();
  #far: Session | undefined;
  #closed = false;
  #silentProbes = 0;

  constructor(owner: Owner, peer: PeerIdentity, role: PeerRole) {
    this.#owner = owner;
    this.peer = peer;
    this.role = role;
  }

  /** Names the other side. */
  join(far: Session): void {
    this.#far = far;
  }

  /** Where this side is. */
  get place(): Place {
    return this.#owner.place;
  }

  /** Sends a consensus message, however the network may treat it. */
  send(wire: Wire, bytes: Buffer): void {
    const far = this.#far as Session;
    wire.carryLossy(this.place, far.place, () => far.#received(bytes));
  }

  /** What arrives at a side that has ended it tells the other one. */
  #isOver(): boolean {
    const far = this.#far as Session;
    if (this.#closed) this.#owner.wire.carry(this.place, far.place, () => far.ended(undefined));
    return this.#closed;
  }

  /** Asks the other side whether it is there; without an answer time after time it is not. */
  probe(): void {
    if (this.#silentProbes >= maxSilentProbes) {
      this.ended(undefined);
      return;
    }
    this.#silentProbes += 1;
    const { wire } = this.#owner;
    const far = this.#far as Session;
    wire.carry(this.place, far.place, () => {
      // A side that never heard of the end of the handshake has nothing to answer with.
      if (far.#isOver() || !far.established) return;
      wire.carry(far.place, this.place, () => {
        this.#silentProbes = 0;
      });
    });
  }

  #received(bytes: Buffer): void {
    if (this.#isOver() || !this.established) return;
    const { policy } = this.#owner;
    try {
      policy.onConsensus(this, Buffer.from(bytes));
      policy.onTurn();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.close(error);
    }
  }

  /** Requests of this side that wait for their answers. */
  get waitingRequests(): number {
    return this.#waiting.size;
  }

  request(kind: string, body: Uint8Array, timeoutMs: number): Promise<Buffer> {
    if (this.#closed) return Promise.reject(new ManagerError('CHANNEL_FAILED', 'it is closed'));
    const far = this.#far as Session;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new ManagerError('PEER_TIMEOUT', `no answer to ${kind} within ${timeoutMs} ms`));
      }, timeoutMs);
      const waiting = { resolve, reject, timer };
      this.#waiting.add(waiting);
      const bytes = Buffer.from(body);
      this.#owner.wire.carry(this.place, far.place, () => far.#asked(kind, bytes, waiting));
    });
  }

  #asked(kind: string, body: Buffer, waiting: Waiting): void {
    if (this.#isOver()) return;
    const { policy, wire } = this.#owner;
    const far = this.#far as Session;
    const back = (settle: () => void): void =>
      wire.carry(this.place, far.place, () => far.#settle(waiting, settle));
    policy.onRequest(this, kind, body).then(
      (reply) => back(() => waiting.resolve(Buffer.from(reply))),
      (error: unknown) => {
        if (error instanceof CodedError) {
          const { code, message } = error;
          back(() => waiting.reject(new CodedError(code, message)));
          return;
        }
        policy.onFault(this, error);
        throw error;
      },
    );
  }

  #settle(waiting: Waiting, settle: () => void): void {
    if (!this.#waiting.delete(waiting)) return;
    clearTimeout(waiting.timer);
    settle();
  }

  /** Ends the session; the other side learns of it, of the reason too when there is one. */
  close(reason?: CodedError): void {
    if (this.#closed) return;
    const far = this.#far as Session;
    this.#owner.wire.carry(this.place, far.place, () => far.ended(reason));
    this.ended(undefined);
  }

  /** The session is over, at this side. */
  ended(reason: CodedError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = reason ?? new ManagerError('CHANNEL_FAILED', 'the node channel is closed');
    for (const { reject, timer } of this.#waiting) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
    this.#owner.sessionClosed(this, error);
  }

  /** The other node. */
  get far(): Session | undefined {
    return this.#far;
  }
}
