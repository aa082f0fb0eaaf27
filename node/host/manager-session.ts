import type { Duplex } from 'node:stream';
import { type ControlToHost, isListenerName } from '@concordat/bridge';
import { ControlSession, type ControlSessionOptions } from './control-session.ts';
import { diskError, HostError, type HostErrorCode } from './errors.ts';
import type { FormerLedger } from './former-ledger.ts';
import type { LedgerStore } from './ledger-store.ts';
import type { PageStore } from './page-store.ts';
import type { RecordStore } from './record-store.ts';
import type { SnapshotStore } from './snapshot-store.ts';

/** What a manager's control session needs beside what every enclave's does. */
export interface ManagerSessionOptions extends ControlSessionOptions {
  readonly ledger: LedgerStore;
  readonly records: RecordStore;
  readonly pages: PageStore;
  readonly snapshots: SnapshotStore;
  /** The ledger of a network that is recovered. */
  readonly former?: FormerLedger;
  /** The manager listens on this enclave socket from now on. */
  readonly onListening: (which: string) => void;
}

const maxReadsWaiting = 64;
/** Failures after which nothing this host stores can be relied on. */
const faults: ReadonlySet<HostErrorCode> = new Set(['DISK_FULL', 'DISK_ERROR', 'LEDGER_DAMAGED']);

/** Answers that are given one after the other, so that they do not fill memory together. */
interface Lane {
  last: Promise<void>;
  waiting: number;
}

/** The host's end of the manager enclave's control socket: what it stores, and its listeners. */
export class ManagerSession extends ControlSession {
  readonly #options: ManagerSessionOptions;
  readonly #blockReads: Lane = { last: Promise.resolve(), waiting: 0 };
  readonly #otherReads: Lane = { last: Promise.resolve(), waiting: 0 };
  #fault: HostError | undefined;

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
      case 'appendEarlier':
        ledger.appendEarlier(message.height, message.block);
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
        this.#receivedRequest(message);
        break;
    }
  }

  /** What is asked under a number and answered once. */
  #receivedRequest(message: ControlToHost): void {
    const { ledger, records, pages, snapshots } = this.#options;
    switch (message.kind) {
      case 'read':
        this.#queue(this.#blockReads, message.request, () => this.#read(ledger, message));
        break;
      case 'readFormer':
        this.#readFormer(message);
        break;
      case 'getRecord':
        this.#give(message.request, () => records.get(message.name));
        break;
      case 'getPage':
        this.#give(message.request, () => pages.get(message.page));
        break;
      case 'snapshotRead':
        this.#give(message.request, () => snapshots.read(message.height, message.index));
        break;
      case 'putRecord':
        void this.#carryOut(message.request, () => records.put(message.name, message.bytes));
        break;
      case 'putPage':
        void this.#carryOut(message.request, () => pages.put(message.page, message.bytes));
        break;
      case 'chunkAt':
        this.#chunkAt(message.request, message.height);
        break;
      case 'setAside':
        void this.#carryOut(message.request, () => this.#setAside(message));
        break;
      case 'ledgerBase':
        void this.#carryOut(message.request, () => ledger.base(message.height));
        break;
      default:
        this.#receivedSnapshot(message);
        break;
    }
  }

  #receivedSnapshot(message: ControlToHost): void {
    const { snapshots } = this.#options;
    switch (message.kind) {
      case 'snapshotBegin':
        snapshots.begin(message.height).catch((error) => this.fault(error));
        break;
      case 'snapshotChunk': {
        const { request, height, index, bytes } = message;
        void this.#carryOut(request, () => snapshots.chunk(height, index, bytes));
        break;
      }
      case 'snapshotFinish': {
        const { request, height, chunks } = message;
        void this.#carryOut(request, () => snapshots.finish(height, chunks));
        break;
      }
      case 'snapshotDrop':
        snapshots.drop(message.height).catch((error) => this.fault(error));
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

  #chunkAt(request: number, height: number): void {
    try {
      this.send({ kind: 'chunk', request, ...this.#options.ledger.chunkAt(height) });
    } catch (error) {
      this.#failed(request, diskError(error, 'read'));
    }
  }

  /** A damaged chunk is what an operator wants to know of, healed or not. */
  async #setAside({ from, to }: { readonly from: number; readonly to: number }): Promise<void> {
    const keptAs = await this.#options.ledger.setAside({ from, to });
    this.#options.log.warn('ledger.chunk-set-aside', { from, to, keptAs });
  }

  #queue(lane: Lane, request: number, answer: () => Promise<void>): void {
    if (lane.waiting >= maxReadsWaiting) {
      this.send({ kind: 'done', request, error: 'BUSY: too many reads are waiting' });
      return;
    }
    lane.waiting++;
    lane.last = lane.last.then(async () => {
      try {
        if (!this.connection.socket.destroyed) await answer();
      } catch (error) {
        this.#failed(request, diskError(error, 'read'));
      }
      lane.waiting--;
    });
  }

  /** Damage to a ledger that is only read is told, and is no fault of what this host stores. */
  #readFormer(message: Extract<ControlToHost, { kind: 'readFormer' }>): void {
    const { former } = this.#options;
    if (!former) throw new HostError('FORBIDDEN_FRAME', 'there is no former ledger to be read');
    const { request } = message;
    this.#queue(this.#blockReads, request, async () => {
      try {
        await this.#read(former, message);
      } catch (error) {
        this.#refuse(request, diskError(error, 'read the former ledger'));
      }
    });
  }

  async #read(
    store: Pick<LedgerStore, 'read'>,
    { request, from, to, maxBytes }: Extract<ControlToHost, { kind: 'read' | 'readFormer' }>,
  ): Promise<void> {
    for await (const blocks of store.read(from, to, maxBytes)) {
      if (this.connection.socket.destroyed) return;
      await this.sendPaced({ kind: 'entries', request, last: false, blocks });
    }
    this.send({ kind: 'entries', request, last: true, blocks: [] });
  }

  /** Answers with what is stored, or that there is nothing. */
  #give(request: number, get: () => Promise<Uint8Array | undefined>): void {
    this.#queue(this.#otherReads, request, async () => {
      const bytes = await get();
      const answer = { kind: 'record', request } as const;
      await this.sendPaced(bytes === undefined ? answer : { ...answer, bytes });
    });
  }

  async #carryOut(request: number, act: () => Promise<void>): Promise<void> {
    try {
      await act();
      this.send({ kind: 'done', request });
    } catch (error) {
      this.#failed(request, diskError(error, 'store'));
    }
  }

  #refuse(request: number, error: HostError): void {
    this.send({ kind: 'done', request, error: `${error.code}: ${error.message}`.slice(0, 1000) });
  }

  #failed(request: number, error: HostError): void {
    this.#refuse(request, error);
    if (faults.has(error.code)) this.fault(error);
  }

  /** Tells the manager and the operator, once, that the host cannot keep its promises. */
  fault(error: HostError): void {
    if (this.#fault === error) return;
    this.#fault = error;
    const message = error.message.slice(0, 1000);
    this.#options.log.error('host.fault', { code: error.code, message, ...error.details });
    this.send({ kind: 'hostFault', code: error.code, message });
  }
}
