import type { Socket } from 'node:net';
import { ProcessError } from './errors.ts';
import { maxProcessFrameBytes } from './frames.ts';

/** Frames over a pipe between a worker enclave and an application: u32 length | body. */
export class FrameSocket {
  readonly #socket: Socket;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #corked = false;

  /** @param onFrame gets each body, a view; what it throws goes to `onError` */
  constructor(
    socket: Socket,
    {
      onFrame,
      onError,
    }: { readonly onFrame: (body: Buffer) => void; readonly onError: (error: unknown) => void },
  ) {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => {
      try {
        this.#received(data, onFrame);
      } catch (error) {
        onError(error);
      }
    });
    socket.on('error', onError);
  }

  /** Bytes not yet taken by the other side. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Writes one frame at once: whoever may be ended at any time owes it before it goes on. */
  sendNow(body: Uint8Array): void {
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32BE(body.length);
    this.#socket.cork();
    this.#socket.write(head);
    this.#socket.write(body);
    this.#socket.uncork();
  }

  /** Queues one frame; what is queued in one turn leaves in one write. */
  send(body: Uint8Array): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32BE(body.length);
    this.#socket.write(head);
    this.#socket.write(body);
  }

  #received(data: Buffer, onFrame: (body: Buffer) => void): void {
    this.#held.push(data);
    this.#heldBytes += data.length;
    if (this.#heldBytes < this.#needed()) return;
    const all = this.#held.length === 1 ? data : Buffer.concat(this.#held);
    let at = 0;
    while (all.length - at >= 4) {
      const length = all.readUInt32BE(at);
      if (length > maxProcessFrameBytes) {
        throw new ProcessError('PROTOCOL', 'a frame is too long');
      }
      if (all.length - at - 4 < length) break;
      onFrame(all.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    const rest = all.subarray(at);
    this.#held = rest.length === 0 ? [] : [rest];
    this.#heldBytes = rest.length;
  }

  /** Bytes without which no frame is whole: large ones are not put together at each arrival. */
  #needed(): number {
    const first = this.#held[0] as Buffer;
    return first.length < 4 ? 4 : 4 + first.readUInt32BE(0);
  }
}
