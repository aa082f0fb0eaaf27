import type { Duplex } from 'node:stream';
import { type ControlToHost, isListenerName } from '@concordat/bridge';
import { ControlSession, type ControlSessionOptions } from './control-session.ts';
import { diskError, HostError } from './errors.ts';
import type { LedgerStore } from './ledger-store.ts';
import type { RecordStore } from './record-store.ts';

/** What a manager's control session needs beside what every enclave's does. */
export interface ManagerSessionOptions extends ControlSessionOptions {
  readonly ledger: LedgerStore;
  readonly records: RecordStore;
  /** The manager listens on this enclave socket from now on. */
  readonly onListening: (which: string) => void;
}

const maxReadsWaiting = 64;

/** The host's end of the manager enclave's control socket: its ledger, records and listeners. */
export class ManagerSession extends ControlSession {
  readonly #options: ManagerSessionOptions;
  #reads: Promise<void> = Promise.resolve();
  #readsWaiting = 0;

  constructor(socket: Duplex, options: ManagerSessionOptions) {
    super(socket, options);
    this.#options = options;
  }

  /** The ledger has room again. */
  resume(): void {
    this.connection.socket.resume();
  }

  protected override received(message: ControlToHost): void {
    const { ledger, onListening } = this.#options;
    switch (message.kind) {
      case 'append':
        ledger.append(message.height, message.block);
        break;
      case 'truncate':
        ledger.truncate(message.after);
        break;
      case 'committed':
        ledger.committed(message.height);
        break;
      case 'durability':
        ledger.durable = message.fsync;
        break;
      case 'read':
        this.#queueRead(message);
        break;
      case 'putRecord':
        void this.#putRecord(message.request, message.name, message.bytes);
        break;
      case 'getRecord':
        void this.#getRecord(message.request, message.name);
        break;
      case 'sealingKey':
        this.#sealingKey(message.request);
        break;
      case 'listening':
        if (!isListenerName(message.which)) {
          throw new HostError('FORBIDDEN_FRAME', 'the manager announced an unknown listener');
        }
        onListening(message.which);
        break;
      default:
        super.received(message);
        break;
    }
  }

  /** Everything appended in one turn goes out in one round; too much of it holds the sender back. */
  protected override turnEnded(): void {
    this.#options.ledger.kick();
    if (this.#options.ledger.backlogged) this.connection.socket.pause();
  }

  #sealingKey(request: number): void {
    const { platform, measurement } = this.#options;
    this.send({ kind: 'sealing', request, key: platform.sealingKey(measurement) });
  }

  /** Reads are answered one after the other, so that their blocks do not fill memory together. */
  #queueRead(read: Extract<ControlToHost, { kind: 'read' }>): void {
    if (this.#readsWaiting >= maxReadsWaiting) {
      this.send({ kind: 'done', request: read.request, error: 'BUSY: too many reads are waiting' });
      return;
    }
    this.#readsWaiting++;
    this.#reads = this.#reads.then(async () => {
      await this.#read(read);
      this.#readsWaiting--;
    });
  }

  async #read(read: Extract<ControlToHost, { kind: 'read' }>): Promise<void> {
    const { request, from, to, maxBytes } = read;
    try {
      for await (const blocks of this.#options.ledger.read(from, to, maxBytes)) {
        if (this.connection.socket.destroyed) return;
        await this.sendPaced({ kind: 'entries', request, last: false, blocks });
      }
      this.send({ kind: 'entries', request, last: true, blocks: [] });
    } catch (error) {
      this.#failed(request, diskError(error, 'read the ledger'));
    }
  }

  async #putRecord(request: number, name: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#options.records.put(name, bytes);
      this.send({ kind: 'done', request });
    } catch (error) {
      this.#failed(request, diskError(error, 'store a record'));
    }
  }

  async #getRecord(request: number, name: string): Promise<void> {
    try {
      const bytes = await this.#options.records.get(name);
      this.send({ kind: 'record', request, ...(bytes === undefined ? {} : { bytes }) });
    } catch (error) {
      this.#failed(request, diskError(error, 'read a record'));
    }
  }

  #failed(request: number, error: HostError): void {
    this.send({ kind: 'done', request, error: `${error.code}: ${error.message}`.slice(0, 1000) });
    if (
      error.code === 'DISK_FULL' ||
      error.code === 'DISK_ERROR' ||
      error.code === 'LEDGER_DAMAGED'
    ) {
      this.fault(error);
    }
  }

  /** Tells the manager and the operator that the host cannot keep its promises. */
  fault(error: HostError): void {
    const message = error.message.slice(0, 1000);
    this.#options.log.error('host.fault', { code: error.code, message, ...error.details });
    this.send({ kind: 'hostFault', code: error.code, message });
  }
}
