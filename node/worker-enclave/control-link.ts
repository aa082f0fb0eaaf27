import { connect } from 'node:net';
import {
  type ControlToEnclave,
  decodeControlToEnclave,
  decodeWorkerStart,
  encodeControlToHost,
  FrameConnection,
  type WorkerStart,
} from '@concordat/bridge';
import { utf8 } from '@concordat/std';
import { WorkerError } from './errors.ts';

/** What a worker and its host tell each other; the host is not trusted with anything else. */
export class ControlLink {
  /** The host's start frame. */
  readonly started: Promise<WorkerStart>;
  readonly #connection: FrameConnection;
  readonly #start = Promise.withResolvers<WorkerStart>();
  readonly #evidence = new Map<number, PromiseWithResolvers<Uint8Array>>();
  readonly #onEnd: (error: WorkerError | undefined) => void;
  #nextRequest = 1;

  /** @param onEnd called once: without an error when the host asked to stop */
  constructor(socketPath: string, onEnd: (error: WorkerError | undefined) => void) {
    this.started = this.#start.promise;
    this.#onEnd = onEnd;
    this.#connection = new FrameConnection(connect(socketPath), {
      maxFrameBytes: 1024 * 1024,
      onFrame: (frame) => this.#received(decodeControlToEnclave(frame)),
      onClose: () => this.#closed(),
    });
  }

  /** Evidence of the platform over 32 bytes of report data. */
  attest(reportData: Uint8Array): Promise<Uint8Array> {
    const request = this.#nextRequest++;
    const asked = Promise.withResolvers<Uint8Array>();
    this.#evidence.set(request, asked);
    this.#connection.send(encodeControlToHost({ kind: 'attest', request, reportData }));
    return asked.promise;
  }

  /** One structured log line. */
  log(fields: Readonly<Record<string, unknown>>): void {
    const line = utf8(JSON.stringify(fields));
    this.#connection.send(encodeControlToHost({ kind: 'log', line }));
  }

  /** Writes what was collected and ends. */
  end(): void {
    this.#connection.end();
  }

  #received(message: ControlToEnclave): void {
    switch (message.kind) {
      case 'start':
        this.#start.resolve(decodeWorkerStart(message.json));
        return;
      case 'evidence':
        // A view of the received chunk: copied, since it is kept.
        this.#take(message.request)?.resolve(Buffer.from(message.bytes));
        return;
      case 'done': {
        const why = message.error ?? 'it gave no evidence';
        this.#take(message.request)?.reject(new WorkerError('HOST_REFUSED', `attest: ${why}`));
        return;
      }
      case 'shutdown':
        this.#onEnd(undefined);
        return;
      case 'hostFault':
        return;
      default:
        throw new WorkerError('PROTOCOL', `the host sent an unexpected ${message.kind} frame`);
    }
  }

  #take(request: number): PromiseWithResolvers<Uint8Array> | undefined {
    const asked = this.#evidence.get(request);
    this.#evidence.delete(request);
    return asked;
  }

  #closed(): void {
    const error = new WorkerError('CONNECTION_LOST', 'the host closed the control connection');
    this.#start.promise.catch(() => {});
    this.#start.reject(error);
    for (const asked of this.#evidence.values()) asked.reject(error);
    this.#onEnd(error);
  }
}
