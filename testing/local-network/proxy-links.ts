import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Links } from './links.ts';
import type { LocalNode } from './local-node.ts';

/** One connection between two nodes, through a proxy. */
interface Way {
  /** The node that dialled; empty as long as it was not found. */
  from: string;
  readonly to: string;
  readonly dialler: Socket;
  readonly listener: Socket;
}

/**
 * Proxies before the node ports, for machines without namespaces. A proxy finds out which node's
 * host dialled by the owner of the connection's other end (Linux). A cut holds bytes back rather
 * than losing them, as TCP would after a short cut; a connection made during one hangs.
 */
export class ProxyLinks implements Links {
  readonly hidesNodePorts = true;
  readonly #servers: Server[] = [];
  readonly #ways = new Set<Way>();
  readonly #cuts = new Set<string>();
  #nodes: readonly LocalNode[] = [];

  /** Why this machine cannot do it; undefined when it can. */
  static get missing(): string | undefined {
    return process.platform === 'linux' ? undefined : 'finding who dialled needs /proc of Linux';
  }

  readonly hostOf = (): string => '127.0.0.1';

  readonly launcherOf = (): readonly string[] => [];

  attend(nodes: readonly LocalNode[]): void {
    this.#nodes = nodes;
  }

  async forward({
    name,
    port,
    hidden,
  }: {
    readonly name: string;
    readonly port: number;
    readonly hidden: number;
  }): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    this.#servers.push(server);
    server.on('connection', (dialler: Socket) => this.#connected(dialler, name, hidden));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }

  #connected(dialler: Socket, to: string, hidden: number): void {
    const listener = connect({ host: '127.0.0.1', port: hidden, allowHalfOpen: true });
    listener.setNoDelay(true);
    const way = { from: '', to, dialler, listener };
    this.#ways.add(way);
    pass(dialler, listener);
    pass(listener, dialler);
    dialler.once('close', () => this.#ways.delete(way));
    this.#settle(way);
  }

  /** The node whose host has the other end of a connection; empty while nobody attends. */
  #ownerOf({ remotePort = 0, localPort = 0 }: Socket): string {
    const inode = inodeOf(remotePort, localPort);
    if (inode === undefined) return '';
    const owner = this.#nodes.find(({ hostPid, isUp }) => isUp && socketsOf(hostPid).has(inode));
    return owner?.name ?? '';
  }

  cut(from: LocalNode, to: LocalNode): void {
    this.#cuts.add(`${from.name} ${to.name}`);
    for (const way of this.#ways) this.#settle(way);
  }

  heal(): void {
    this.#cuts.clear();
    for (const way of this.#ways) this.#settle(way);
  }

  #settle(way: Way): void {
    way.from ||= this.#ownerOf(way.dialler);
    const { from, to, dialler, listener } = way;
    hold(dialler, this.#cuts.has(`${from} ${to}`));
    hold(listener, this.#cuts.has(`${to} ${from}`));
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const { dialler, listener } of this.#ways) {
      dialler.destroy();
      listener.destroy();
    }
  }
}

const heldSockets = new WeakSet<Socket>();

function hold(socket: Socket, held: boolean): void {
  if (held) {
    heldSockets.add(socket);
    socket.pause();
  } else if (heldSockets.delete(socket)) {
    socket.resume();
  }
}

function pass(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => {
    if (!heldSockets.has(from)) from.resume();
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}

/** Inode of the loopback TCP socket with these ports (proc(5): /proc/net/tcp, field 10). */
function inodeOf(localPort: number, remotePort: number): string | undefined {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
  const line = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .find((text) => text.includes(`:${hex(localPort)} 0100007F:${hex(remotePort)} `));
  return line?.trim().split(/\s+/)[9];
}

/** Inodes of the sockets a process has open. */
function socketsOf(pid: number): Set<string> {
  const directory = `/proc/${pid}/fd`;
  const inodes = new Set<string>();
  for (const name of readdirSync(directory)) {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${directory}/${name}`)) ?? [];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // It was closed meanwhile.
    }
  }
  return inodes;
}
