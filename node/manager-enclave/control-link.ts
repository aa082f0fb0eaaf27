import {
  type ControlToEnclave,
  type ControlToHost,
  decodeControlToEnclave,
  encodeControlToHost,
  type FrameConnection,
  type HeightRange,
} from '@concordat/bridge';
import { utf8 } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { ConnectToHost } from './ports.ts';
import { corrupt } from './stored-blocks.ts';

/** What the host says unasked. */
export interface ControlEvents {
  readonly onStart: (json: Uint8Array) => void;
  /** Every block up to this height is durable. */
  readonly onSynced: (height: number) => void;
  /** A truncation asked for earlier has been carried out. */
  readonly onTruncated: (after: number) => void;
  /** Every block handed over as an earlier one, up to this height, is durable. */
  readonly onEarlierSynced: (height: number) => void;
  /** The operator approves the constitution with these terms, 32 bytes. */
  readonly onApprove: (terms: Uint8Array) => void;
  readonly onGenesisData: (adapterId: string, part: Uint8Array, last: boolean) => void;
  readonly onShutdown: () => void;
  readonly onFault: (code: string, message: string) => void;
  /** The host is gone: the enclave must end. */
  readonly onClose: () => void;
}

interface Waiting {
  readonly resolve: (message: ControlToEnclave) => void;
  readonly reject: (error: Error) => void;
  /** Blocks of a ranged read, as they come. */
  readonly onBlocks?: (blocks: readonly Uint8Array[]) => void;
}

/** The manager enclave's side of the control socket: blocks out, durability and records back. */
export class ControlLink {
  readonly #connection: Pick<FrameConnection, 'send' | 'flush'>;
  readonly #events: ControlEvents;
  readonly #waiting = new Map<number, Waiting>();
  #nextRequest = 1;

  constructor(connect: ConnectToHost, events: ControlEvents) {
    this.#events = events;
    this.#connection = connect({
      maxFrameBytes: 256 * 1024 * 1024,
      onFrame: (frame) => this.#received(decodeControlToEnclave(frame)),
      onClose: () => this.#closed(),
    });
  }

  /** Hands a block to the host for its ledger; `onSynced` says when it is durable. */
  append(height: number, block: Uint8Array): void {
    this.#send({ kind: 'append', height, block });
  }

  /** Writes what this turn collected now: the disk is the longest stage, so it starts first. */
  flush(): void {
    this.#connection.flush();
  }

  /** Drops every block above a height from the host's ledger; `onTruncated` follows. */
  truncate(after: number): void {
    this.#send({ kind: 'truncate', after });
  }

  /** Tells the host which blocks are final, for the names of its files. */
  committed(height: number): void {
    this.#send({ kind: 'committed', height });
  }

  /** Tells the host what the constitution wants to be true before it says `synced`. */
  durability(policy: 'fsync' | 'memory'): void {
    this.#send({ kind: 'durability', fsync: policy === 'fsync' });
  }

  /** Tells the host that an enclave listener is up. */
  listening(which: string): void {
    this.#send({ kind: 'listening', which });
  }

  /** Publishes this node's state to the host and its operator. */
  status(state: Readonly<Record<string, unknown>>): void {
    this.#send({ kind: 'status', json: utf8(JSON.stringify(state)) });
  }

  /** One structured log line. */
  log(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#send({ kind: 'log', line: utf8(JSON.stringify({ event, ...fields })) });
  }

  /**
   * Blocks from the host's ledger, in order, as far as it has them; at least one when it has the
   * first and it fits no limit. The bytes are foreign: open them before use.
   * @throws ManagerError BLOCK_NOT_HELD when it does not have the first; LEDGER_CORRUPT with height
   *   when the committed chunk of a block is damaged; HOST_FAULT when it cannot read, or gives more
   *   than was asked for
   */
  async read(from: number, to: number, maxBytes: number): Promise<Uint8Array[]> {
    return this.#blocks('read', { from, to, maxBytes });
  }

  /**
   * As {@link read}, of the ledger of the network that is recovered.
   * @throws ManagerError BLOCK_NOT_HELD, HOST_FAULT
   */
  async readFormer(from: number, to: number, maxBytes: number): Promise<Uint8Array[]> {
    return this.#blocks('readFormer', { from, to, maxBytes });
  }

  async #blocks(
    kind: 'read' | 'readFormer',
    range: { readonly from: number; readonly to: number; readonly maxBytes: number },
  ): Promise<Uint8Array[]> {
    const { from, to } = range;
    const blocks: Uint8Array[] = [];
    await this.#request((request) => ({ kind, request, ...range }), {
      onBlocks: (part) => {
        for (const block of part) blocks.push(block);
      },
    }).catch((error: unknown) => {
      throw chunkDamage(error, from + blocks.length);
    });
    if (blocks.length > Math.max(0, to - from + 1)) {
      throw new ManagerError('HOST_FAULT', 'the host gave more blocks than it was asked for');
    }
    return blocks;
  }

  /** Stores a small sealed record durably. */
  putRecord(name: string, bytes: Uint8Array): Promise<void> {
    return this.#order((request) => ({ kind: 'putRecord', request, name, bytes }));
  }

  /** A record stored earlier, if the host still gives it back. */
  getRecord(name: string): Promise<Uint8Array | undefined> {
    return this.#ask((request) => ({ kind: 'getRecord', request, name }));
  }

  /** Evidence of the platform over 32 bytes of report data. */
  async attest(reportData: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#request((request) => ({ kind: 'attest', request, reportData }));
    if (answer.kind !== 'evidence') throw this.#unexpected(answer);
    return answer.bytes;
  }

  /** The platform's sealing key for this code measurement, 32 bytes. */
  async sealingKey(): Promise<Uint8Array> {
    const answer = await this.#request((request) => ({ kind: 'sealingKey', request }));
    if (answer.kind !== 'sealing') throw this.#unexpected(answer);
    return answer.key;
  }

  /** Stores a page of the history durably. */
  putPage(page: number, bytes: Uint8Array): Promise<void> {
    return this.#order((request) => ({ kind: 'putPage', request, page, bytes }));
  }

  /** A page stored earlier, if the host still gives it back. */
  getPage(page: number): Promise<Uint8Array | undefined> {
    return this.#ask((request) => ({ kind: 'getPage', request, page }));
  }

  /** Begins to store the snapshot of a height. */
  snapshotBegin(height: number): void {
    this.#send({ kind: 'snapshotBegin', height });
  }

  /** Stores the next chunk, counted from 0, of a snapshot under way; resolves once it is on disk. */
  snapshotChunk(height: number, index: number, bytes: Uint8Array): Promise<void> {
    return this.#order((request) => ({ kind: 'snapshotChunk', request, height, index, bytes }));
  }

  /** The snapshot under way is whole with so many chunks; resolves once it would outlive a crash. */
  snapshotFinish(height: number, chunks: number): Promise<void> {
    return this.#order((request) => ({ kind: 'snapshotFinish', request, height, chunks }));
  }

  /** A chunk of a finished snapshot, if the host still gives it back. */
  snapshotRead(height: number, index: number): Promise<Uint8Array | undefined> {
    return this.#ask((request) => ({ kind: 'snapshotRead', request, height, index }));
  }

  /** Has the snapshot of a height forgotten. */
  snapshotDrop(height: number): void {
    this.#send({ kind: 'snapshotDrop', height });
  }

  /** Has the ledger go on after a height, whatever it holds; resolves once it would outlive a crash. */
  ledgerBase(height: number): Promise<void> {
    return this.#order((request) => ({ kind: 'ledgerBase', request, height }));
  }

  /** Hands over the first block missing below the ledger's base; `onEarlierSynced` follows. */
  appendEarlier(height: number, block: Uint8Array): void {
    this.#send({ kind: 'appendEarlier', height, block });
  }

  /**
   * The heights of the first and the last block of the committed chunk a block lies in.
   * @throws ManagerError BLOCK_NOT_HELD, HOST_FAULT
   */
  async chunkAt(height: number): Promise<HeightRange> {
    const answer = await this.#request((request) => ({ kind: 'chunkAt', request, height }));
    if (answer.kind !== 'chunk') throw this.#unexpected(answer);
    return { from: answer.from, to: answer.to };
  }

  /**
   * Has the damaged file of a committed chunk set aside: its blocks are missing once this resolves.
   * @throws ManagerError HOST_FAULT when the host cannot do without it
   */
  setAside({ from, to }: HeightRange): Promise<void> {
    return this.#order((request) => ({ kind: 'setAside', request, from, to }));
  }

  /** Asks for something to be done. @throws ManagerError HOST_FAULT */
  async #order(message: (request: number) => ControlToHost): Promise<void> {
    const answer = await this.#request(message);
    if (answer.kind !== 'done') throw this.#unexpected(answer);
  }

  /** Asks for bytes the host may not have. @throws ManagerError HOST_FAULT */
  async #ask(message: (request: number) => ControlToHost): Promise<Uint8Array | undefined> {
    const answer = await this.#request(message);
    if (answer.kind !== 'record') throw this.#unexpected(answer);
    return answer.bytes;
  }

  #unexpected(answer: ControlToEnclave): ManagerError {
    return new ManagerError('HOST_FAULT', `the host answered with ${answer.kind}`);
  }

  #request(
    message: (request: number) => ControlToHost,
    options: Pick<Waiting, 'onBlocks'> = {},
  ): Promise<ControlToEnclave> {
    const request = this.#nextRequest;
    this.#nextRequest = (request % 0xffff_fffe) + 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject, ...options });
      this.#send(message(request));
    });
  }

  #send(message: ControlToHost): void {
    this.#connection.send(encodeControlToHost(message));
  }

  #received(message: ControlToEnclave): void {
    switch (message.kind) {
      case 'synced':
        this.#events.onSynced(message.height);
        return;
      case 'truncated':
        this.#events.onTruncated(message.after);
        return;
      case 'earlierSynced':
        this.#events.onEarlierSynced(message.height);
        return;
      case 'start':
        this.#events.onStart(message.json);
        return;
      case 'genesisData':
        this.#events.onGenesisData(message.adapterId, message.part, message.last);
        return;
      case 'approve':
        this.#events.onApprove(message.terms);
        return;
      case 'shutdown':
        this.#events.onShutdown();
        return;
      case 'hostFault':
        this.#events.onFault(message.code, message.message);
        return;
      default:
        this.#answered(message);
        return;
    }
  }

  #answered(message: ControlToEnclave & { readonly request: number }): void {
    const waiting = this.#waiting.get(message.request);
    if (!waiting) return;
    if (message.kind === 'entries') {
      if (!waiting.onBlocks) throw new ManagerError('HOST_FAULT', 'blocks that nobody asked for');
      waiting.onBlocks(message.blocks);
      if (!message.last) return;
    }
    this.#waiting.delete(message.request);
    if (message.kind === 'done' && message.error !== undefined) {
      waiting.reject(failureOf(message.error));
    } else {
      waiting.resolve(message);
    }
  }

  #closed(): void {
    for (const waiting of this.#waiting.values()) {
      waiting.reject(new ManagerError('CONTROL_CLOSED', 'the host closed the control socket'));
    }
    this.#waiting.clear();
    this.#events.onClose();
  }
}

/** The committed chunk of a block is damaged: that is no fault of the host, as far as one can see. */
function chunkDamage(error: unknown, height: number): unknown {
  if (!(error instanceof ManagerError) || !error.message.startsWith('CHUNK_DAMAGED:')) return error;
  return corrupt(height, `the host cannot read it: ${error.message}`, 'CHUNK_DAMAGED');
}

/** What a host could not do; that it does not have a block is no fault of it. */
const failureOf = (error: string): ManagerError =>
  new ManagerError(error.startsWith('NOT_STORED:') ? 'BLOCK_NOT_HELD' : 'HOST_FAULT', error);
