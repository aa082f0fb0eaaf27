import type { Duplex } from 'node:stream';
import { BridgeError, type ExternalToManager, type ExternalToWorker } from '@concordat/bridge';
import type { Constitution, ExternalSystem } from '@concordat/governance';
import { ManagerError } from './errors.ts';

/** Connections of all workers at a time: peers are dialled through the same host. */
const maxConnections = 64;
/** Beyond what the worker itself allows a call, milliseconds. */
const graceMs = 1_000;
/** TLS, headers and chunks, beside a body; the worker counts bodies exactly. */
const overheadBytes = 1024 * 1024;
/** Bytes on their way to a worker above which systems are read no further for a moment. */
const [highWaterBytes, restMs] = [8 * 1024 * 1024, 20];

/** The worker that a connection is of. */
export interface ExternalCaller {
  readonly index: number;
  readonly waitingBytes: number;
  send(message: ExternalToWorker): unknown;
}

/** What it needs of the manager around it. */
export interface ExternalDeskOptions {
  /** Has the host open a TCP connection to `host:port`. @throws BridgeError DIAL_FAILED */
  readonly dial: (address: string, timeoutMs: number) => Promise<Duplex>;
  /** Ids of the adapters a worker runs. */
  readonly adaptersOf: (worker: number) => readonly string[];
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

interface Connection {
  readonly caller: ExternalCaller;
  readonly id: number;
  readonly system: ExternalSystem;
  readonly timer: NodeJS.Timeout;
  socket: Duplex | undefined;
  /** The host has not answered yet. */
  isDialling: boolean;
  sentBytes: number;
  receivedBytes: number;
  isOver: boolean;
}

/**
 * Where workers get connections to systems outside of the network: to what the constitution in force
 * lists for an adapter they run, and nowhere else, whatever they say. The bytes are TLS between the
 * worker and the system; the host carries them and looks up the address.
 */
export class ExternalDesk {
  readonly #options: ExternalDeskOptions;
  readonly #connections = new Map<string, Connection>();
  /** Connections, and what the host still dials for though nobody wants it any more. */
  #places = 0;
  #systems: ReadonlyMap<string, ExternalSystem> = new Map();
  /** What came of the last connection to a system, so that a log says it once. */
  readonly #outcomes = new Map<string, string>();

  constructor(options: ExternalDeskOptions) {
    this.#options = options;
  }

  /** Connections at present. */
  get open(): number {
    return this.#connections.size;
  }

  /** Takes the constitution in force; what it lists no longer, or elsewhere, is cut off now. */
  configure({ externalSystems = [] }: Constitution): void {
    this.#systems = new Map(externalSystems.map((system) => [system.name, system]));
    for (const name of this.#outcomes.keys()) {
      if (!this.#systems.has(name)) this.#outcomes.delete(name);
    }
    for (const connection of [...this.#connections.values()]) {
      const { system, caller } = connection;
      if (this.#systemFor(caller, system.name)?.origin === system.origin) continue;
      this.#close(connection, 'EXTERNAL_SYSTEM_NOT_LISTED', 'the constitution lists it no longer');
    }
  }

  /** Acts on what a worker says. @throws ManagerError WORKER_REFUSED */
  received(caller: ExternalCaller, message: ExternalToManager): void {
    if (message.step === 'open') {
      this.#open(caller, message.id, message.system);
      return;
    }
    // One that was closed here may still be used there.
    const connection = this.#connections.get(keyOf(caller, message.id));
    if (connection === undefined) return;
    if (message.step === 'close') this.#end(connection);
    else if (connection.socket === undefined) {
      throw new ManagerError('WORKER_REFUSED', 'it used a connection that is not open');
    } else if (message.step === 'end') connection.socket.end();
    else this.#forward(connection, connection.socket, message.data);
  }

  /** Ends every connection. */
  stop(): void {
    for (const connection of [...this.#connections.values()]) this.#end(connection);
  }

  #open(caller: ExternalCaller, id: number, name: string): void {
    const key = keyOf(caller, id);
    if (this.#connections.has(key)) {
      throw new ManagerError('WORKER_REFUSED', 'it opened a connection twice');
    }
    const refuse = (code: string, message: string) =>
      caller.send({ kind: 'external', id, step: 'closed', code, message });
    const system = this.#systemFor(caller, name);
    if (system === undefined) {
      refuse('EXTERNAL_SYSTEM_NOT_LISTED', 'the constitution does not list it for this adapter');
    } else if (this.#places >= maxConnections) {
      refuse('EXTERNAL_OVERLOADED', 'too many connections are open');
    } else {
      const timer = setTimeout(() => {
        this.#close(connection, 'EXTERNAL_TIMEOUT', 'the call took too long');
      }, system.timeoutMs + graceMs);
      const connection: Connection = {
        ...{ caller, id, system, timer },
        socket: undefined,
        isDialling: true,
        sentBytes: 0,
        receivedBytes: 0,
        isOver: false,
      };
      this.#connections.set(key, connection);
      this.#places += 1;
      void this.#dial(connection);
    }
  }

  #systemFor({ index }: ExternalCaller, name: string): ExternalSystem | undefined {
    const system = this.#systems.get(name);
    const adapters = this.#options.adaptersOf(index);
    return system?.adapters.some((id) => adapters.includes(id)) ? system : undefined;
  }

  async #dial(connection: Connection): Promise<void> {
    const { system } = connection;
    const address = system.origin.slice('https://'.length);
    let socket: Duplex;
    try {
      socket = await this.#options.dial(address, system.timeoutMs);
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      this.#dialled(connection);
      this.#close(connection, 'EXTERNAL_UNREACHABLE', error.message);
      return;
    }
    this.#dialled(connection);
    if (connection.isOver) {
      socket.destroy();
      return;
    }
    connection.socket = socket;
    this.#note(system.name, 'reached');
    this.#splice(connection, socket);
    connection.caller.send({ kind: 'external', id: connection.id, step: 'opened' });
  }

  #dialled(connection: Connection): void {
    connection.isDialling = false;
    if (connection.isOver) this.#places -= 1;
  }

  #splice(connection: Connection, socket: Duplex): void {
    const { caller, id, system } = connection;
    const most = 2 * system.maxAnswerBytes + overheadBytes;
    socket.on('data', (data: Buffer) => {
      connection.receivedBytes += data.length;
      if (connection.receivedBytes > most) {
        this.#close(connection, 'EXTERNAL_ANSWER_TOO_LARGE', 'it sends more than it may');
        return;
      }
      caller.send({ kind: 'external', id, step: 'data', data });
      if (caller.waitingBytes < highWaterBytes) return;
      socket.pause();
      setTimeout(() => socket.resume(), restMs).unref();
    });
    socket.on('end', () => {
      if (!connection.isOver) caller.send({ kind: 'external', id, step: 'end' });
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#close(connection, 'EXTERNAL_CONNECTION_LOST', 'the connection is closed');
    });
  }

  #forward(connection: Connection, socket: Duplex, data: Uint8Array): void {
    connection.sentBytes += data.length;
    if (connection.sentBytes > connection.system.maxRequestBytes + overheadBytes) {
      this.#close(connection, 'EXTERNAL_REQUEST_INVALID', 'the request is too large');
    } else socket.write(data);
  }

  #close(connection: Connection, code: string, message: string): void {
    if (connection.isOver) return;
    const { caller, id, system } = connection;
    if (code === 'EXTERNAL_UNREACHABLE') this.#note(system.name, message);
    this.#end(connection);
    caller.send({ kind: 'external', id, step: 'closed', code, message: message.slice(0, 200) });
  }

  #end(connection: Connection): void {
    connection.isOver = true;
    if (!connection.isDialling) this.#places -= 1;
    clearTimeout(connection.timer);
    this.#connections.delete(keyOf(connection.caller, connection.id));
    connection.socket?.destroy();
  }

  #note(system: string, outcome: string): void {
    const before = this.#outcomes.get(system) ?? 'reached';
    if (before === outcome) return;
    this.#outcomes.set(system, outcome);
    const isReached = outcome === 'reached';
    const event = isReached ? 'external.reached' : 'external.unreachable';
    this.#options.log(event, isReached ? { system } : { level: 'warn', system, why: outcome });
  }
}

const keyOf = ({ index }: ExternalCaller, id: number): string => `${index}.${id}`;
