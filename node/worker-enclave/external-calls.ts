import type { ExternalToManager, ExternalToWorker } from '@concordat/bridge';
import {
  checkExternalCall,
  type ExternalAnswer,
  type ExternalCall,
  ExternalError,
  type ExternalErrorCode,
  type ExternalSystem,
  externalErrorCodes,
} from './external-call.ts';
import { ExternalConnection } from './external-connection.ts';
import { exchange } from './external-exchange.ts';

/** Calls of all adapters at a time. */
const maxCalls = 64;

/** What it needs of the worker around it. */
export interface ExternalCallOptions {
  readonly send: (message: ExternalToManager) => void;
}

/**
 * Calls to systems outside of the network. TLS ends here; the connections are the manager's to give,
 * who checks anew that the constitution lists the system for this worker.
 */
export class ExternalCalls {
  readonly #options: ExternalCallOptions;
  readonly #connections = new Map<number, ExternalConnection>();
  readonly #running = new Map<string, number>();
  #systems: ReadonlyMap<string, ExternalSystem> = new Map();
  #nextId = 1;

  constructor(options: ExternalCallOptions) {
    this.#options = options;
  }

  /** Takes what the constitution lists now. */
  configure(systems: readonly ExternalSystem[]): void {
    this.#systems = new Map(systems.map((system) => [system.name, system]));
  }

  /**
   * Calls a system on behalf of an adapter.
   * @throws ExternalError
   */
  async call(adapter: string, call: ExternalCall): Promise<ExternalAnswer> {
    const system = this.#systems.get(call.system);
    if (!system?.adapters.includes(adapter)) {
      const why = 'the constitution does not list it for this adapter';
      throw new ExternalError('EXTERNAL_SYSTEM_NOT_LISTED', why);
    }
    checkExternalCall(call, system);
    const running = this.#running.get(system.name) ?? 0;
    if (running >= system.maxCalls || this.#connections.size >= maxCalls) {
      throw new ExternalError('EXTERNAL_OVERLOADED', 'too many calls are under way');
    }
    this.#running.set(system.name, running + 1);
    try {
      return await this.#connected(system, call);
    } finally {
      const left = (this.#running.get(system.name) as number) - 1;
      if (left === 0) this.#running.delete(system.name);
      else this.#running.set(system.name, left);
    }
  }

  async #connected(system: ExternalSystem, call: ExternalCall): Promise<ExternalAnswer> {
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_fffe) + 1;
    const connection = new ExternalConnection(id, system.name, this.#options.send);
    this.#connections.set(id, connection);
    // Whatever breaks because the connection was closed, the reason for that is the reason.
    let reason: ExternalError | undefined;
    connection.once('error', (error) => {
      if (error instanceof ExternalError) reason = error;
    });
    const { timeoutMs } = system;
    const late = new ExternalError('EXTERNAL_TIMEOUT', `no whole answer within ${timeoutMs} ms`);
    const timer = setTimeout(() => {
      reason = late;
      connection.destroy(late);
    }, timeoutMs);
    const ended = new Promise<never>((_, reject) => {
      // Its reason is told by then; an answer that is whole already goes before.
      connection.once('close', () => setImmediate(() => reject(reason ?? lost())));
    });
    ended.catch(() => undefined);
    const answered = connection.opened.then(() => exchange(connection, system, call));
    answered.catch(() => undefined);
    try {
      return await Promise.race([answered, ended]);
    } catch (error) {
      throw reason ?? error;
    } finally {
      clearTimeout(timer);
      this.#connections.delete(id);
      connection.destroy();
    }
  }

  /** Acts on what the manager says of a connection; one that was given up is nobody's. */
  received(message: ExternalToWorker): void {
    const connection = this.#connections.get(message.id);
    if (connection === undefined) return;
    switch (message.step) {
      case 'opened':
        connection.receiveOpened();
        return;
      case 'data':
        connection.receive(message.data);
        return;
      case 'end':
        connection.receiveEnd();
        return;
      case 'closed':
        connection.receiveClosed(new ExternalError(knownCode(message.code), message.message));
    }
  }

  /** Gives up every call. */
  stop(): void {
    for (const connection of this.#connections.values()) connection.destroy();
  }
}

const lost = (): ExternalError =>
  new ExternalError('EXTERNAL_CONNECTION_LOST', 'the connection is closed');

const knownCode = (code: string): ExternalErrorCode =>
  externalErrorCodes.find((known) => known === code) ?? 'EXTERNAL_CONNECTION_LOST';
