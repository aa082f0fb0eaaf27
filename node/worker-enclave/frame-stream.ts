import type { FrameStream } from './adapter.ts';
import type { RawSink, StreamSocket } from './stream-socket.ts';

const slabBytes = 64 * 1024;
const headerBytes = 8;

const nothing = (): void => {};

/** Streams with frames to write in this turn. */
let dirty: SocketFrameStream[] = [];

function flushTurn(): void {
  const streams = dirty;
  dirty = [];
  for (const stream of streams) stream.flush();
}

/**
 * Frames over one taken-over connection. Outgoing frames of one turn are packed into one slab and
 * leave as one write; incoming frames are views of what was received.
 */
export class SocketFrameStream implements FrameStream, RawSink {
  onFrame: (id: number, body: Buffer) => void = nothing;
  onClose: () => void = nothing;
  readonly #socket: StreamSocket;
  readonly #maxFrameBytes: number;
  #slab: Buffer = Buffer.allocUnsafeSlow(0);
  #start = 0;
  #at = 0;
  #dirty = false;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #needed = 4;

  constructor(socket: StreamSocket, maxFrameBytes: number) {
    this.#socket = socket;
    this.#maxFrameBytes = maxFrameBytes;
  }

  send(id: number, body: Uint8Array): void {
    const size = headerBytes + body.length;
    if (this.#slab.length - this.#at < size) {
      this.flush();
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, size));
      this.#start = 0;
      this.#at = 0;
    }
    const slab = this.#slab;
    const at = this.#at;
    slab.writeUInt32BE(body.length + 4, at);
    slab.writeUInt32BE(id, at + 4);
    slab.set(body, at + headerBytes);
    this.#at = at + size;
    if (this.#dirty) return;
    this.#dirty = true;
    dirty.push(this);
    if (dirty.length === 1) process.nextTick(flushTurn);
  }

  /** Hands what was collected to the connection. */
  flush(): void {
    this.#dirty = false;
    if (this.#at === this.#start) return;
    const bytes = this.#slab.subarray(this.#start, this.#at);
    this.#start = this.#at;
    this.#socket.sendRaw(bytes);
  }

  close(): void {
    this.flush();
    this.#socket.destroySoon();
  }

  onData(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#heldBytes > 0) {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#needed) return;
      bytes = Buffer.concat(this.#held, this.#heldBytes);
      this.#held = [];
      this.#heldBytes = 0;
    }
    this.#cut(bytes);
  }

  onEnd(): void {
    this.close();
  }

  #cut(bytes: Buffer): void {
    let at = 0;
    this.#needed = 4;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length < 4 || length - 4 > this.#maxFrameBytes) {
        // After a malformed length no frame boundary is known any more.
        this.#socket.destroy();
        return;
      }
      const end = at + 4 + length;
      if (end > bytes.length) {
        this.#needed = 4 + length;
        break;
      }
      this.onFrame(bytes.readUInt32BE(at + 4), bytes.subarray(at + headerBytes, end));
      if (this.#socket.destroyed) return;
      at = end;
    }
    if (at < bytes.length) {
      this.#held.push(bytes.subarray(at));
      this.#heldBytes = bytes.length - at;
    }
  }
}
