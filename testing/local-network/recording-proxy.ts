import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Forwards TCP connections and keeps every byte that passes, both ways; may hold them back. */
export class RecordingProxy {
  /** What it stands before, for messages. */
  readonly name: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #recorded: Buffer[][] = [];
  #held = false;

  private constructor(name: string, server: Server, targetPort: number) {
    this.name = name;
    this.#server = server;
    server.on('connection', (client: Socket) => this.#forward(client, targetPort));
  }

  /** Listens on a loopback port and forwards to another one. */
  static async open(name: string, port: number, targetPort: number): Promise<RecordingProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new RecordingProxy(name, server, targetPort);
  }

  /** The bytes of each connection in each direction, in their order. */
  get streams(): Buffer[] {
    return this.#recorded.map((chunks) => Buffer.concat(chunks));
  }

  /** Bytes recorded. */
  get bytes(): number {
    return this.#recorded.flat().reduce((sum, { length }) => sum + length, 0);
  }

  /** Whether nothing passes; what comes meanwhile waits. */
  set held(held: boolean) {
    this.#held = held;
    for (const socket of this.#sockets) {
      if (held) socket.pause();
      else socket.resume();
    }
  }

  #forward(client: Socket, targetPort: number): void {
    const node = connect({ host: '127.0.0.1', port: targetPort, allowHalfOpen: true });
    node.setNoDelay(true);
    this.#pass(client, node);
    this.#pass(node, client);
  }

  #pass(from: Socket, to: Socket): void {
    const chunks: Buffer[] = [];
    this.#recorded.push(chunks);
    this.#sockets.add(from);
    from.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (!to.write(chunk)) from.pause();
    });
    if (this.#held) from.pause();
    to.on('drain', () => {
      if (!this.#held) from.resume();
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  /** Cuts every connection and stops listening. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
