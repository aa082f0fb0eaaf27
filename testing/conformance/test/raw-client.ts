import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Sends bytes as they are and returns all that comes back until the connection closes. */
export async function exchange(port: number, request: string | Uint8Array): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  return readAll(socket);
}

/** Everything a socket receives until it closes. */
export async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  await once(socket, 'close');
  return text;
}

/** The status of a raw HTTP answer. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);

/** A client of a framed stream. */
export class FrameClient {
  readonly socket: Socket;
  readonly answers = new Map<number, Buffer>();
  #held: Buffer = Buffer.alloc(0);
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('error', () => {});
  }

  /** Upgrades a connection; what `early` holds is sent with the request already. */
  static async open(port: number, path: string, early: Uint8Array = Buffer.alloc(0)) {
    const socket = connect(port, '127.0.0.1');
    const head = `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n`;
    socket.write(Buffer.concat([Buffer.from(`${head}upgrade: concordat-stream/1\r\n\r\n`), early]));
    const [first] = (await once(socket, 'data')) as [Buffer];
    const end = first.indexOf('\r\n\r\n') + 4;
    if (!first.toString('latin1').startsWith('HTTP/1.1 101 ')) {
      throw new Error(first.toString('latin1', 0, 40));
    }
    const client = new FrameClient(socket);
    if (end < first.length) client.#received(first.subarray(end));
    return client;
  }

  send(id: number, body: Uint8Array): void {
    this.socket.write(frame(id, body));
  }

  /** Waits until so many different ids are answered. */
  async answered(count: number): Promise<ReadonlyMap<number, Buffer>> {
    if (this.answers.size < count) {
      await new Promise<void>((resolve) => {
        this.#waiting = { count, resolve };
      });
    }
    return this.answers;
  }

  #received(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#held, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
      const end = 4 + bytes.readUInt32BE(0);
      this.answers.set(bytes.readUInt32BE(4), bytes.subarray(8, end));
      bytes = bytes.subarray(end);
    }
    this.#held = bytes;
    if (this.#waiting !== undefined && this.answers.size >= this.#waiting.count) {
      this.#waiting.resolve();
    }
  }
}

/** u32 length | u32 id | body. */
export function frame(id: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(8 + body.length);
  bytes.writeUInt32BE(4 + body.length, 0);
  bytes.writeUInt32BE(id, 4);
  bytes.set(body, 8);
  return bytes;
}
