import type { Duplex } from 'node:stream';
import {
  type ControlToEnclave,
  type ControlToHost,
  decodeControlToHost,
  encodeControlToEnclave,
  FrameConnection,
} from '@concordat/bridge';
import { fromUtf8 } from '@concordat/std';
import { HostError } from './errors.ts';
import type { Log, LogLevel } from './log.ts';
import type { VirtualPlatform } from './virtual-platform.ts';

/** Largest frame taken from an enclave: a block of the largest size and its height. */
export const maxControlFrameBytes = 256 * 1024 * 1024 + 64;
const maxLogLineBytes = 16 * 1024;
const levels: readonly string[] = ['debug', 'info', 'warn', 'error'];

/** What every enclave's control session needs. */
export interface ControlSessionOptions {
  /** `manager` or `worker-<k>`. */
  readonly source: string;
  readonly measurement: string;
  readonly platform: VirtualPlatform;
  readonly log: Log;
  readonly onStatus: (source: string, status: unknown) => void;
  /** The session is over; the error is undefined when the enclave closed it in order. */
  readonly onClose: (source: string, error: Error | undefined) => void;
}

/**
 * The host's end of one enclave's control socket: evidence, log lines and status, which every
 * enclave may send. A subclass adds what only a manager may.
 */
export class ControlSession {
  protected readonly options: ControlSessionOptions;
  protected readonly connection: FrameConnection;
  #onDrain: (() => void)[] = [];

  constructor(socket: Duplex, options: ControlSessionOptions) {
    this.options = options;
    this.connection = new FrameConnection(socket, {
      maxFrameBytes: maxControlFrameBytes,
      onFrame: (frame) => this.received(decodeControlToHost(frame)),
      onTurn: () => this.turnEnded(),
      onDrain: () => this.#drained(),
      onClose: (error) => {
        this.#drained();
        options.onClose(options.source, error);
      },
    });
  }

  /** Sends a message. */
  send(message: ControlToEnclave): boolean {
    return this.connection.send(encodeControlToEnclave(message));
  }

  /** Sends a message and waits while too much is on its way. */
  async sendPaced(message: ControlToEnclave): Promise<void> {
    if (this.send(message) || this.connection.socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#onDrain.push(resolve);
    });
  }

  /** Closes the connection at once. */
  close(): void {
    this.connection.close();
  }

  /** Asks the enclave to end in order. */
  shutdown(): void {
    this.send({ kind: 'shutdown' });
  }

  /** Handles one message. @throws HostError FORBIDDEN_FRAME */
  protected received(message: ControlToHost): void {
    switch (message.kind) {
      case 'attest':
        this.#attest(message.request, message.reportData);
        break;
      case 'log':
        this.#log(message.line);
        break;
      case 'status':
        this.#status(message.json);
        break;
      default:
        throw new HostError(
          'FORBIDDEN_FRAME',
          `${this.options.source} may not send ${message.kind}`,
          {
            kind: message.kind,
          },
        );
    }
  }

  /** All messages of one received chunk have been handled. */
  protected turnEnded(): void {}

  #attest(request: number, reportData: Uint8Array): void {
    const { platform, measurement } = this.options;
    this.send({ kind: 'evidence', request, bytes: platform.evidence(measurement, reportData) });
  }

  /** Passes on a log line of an enclave: only an object with a short event name. */
  #log(line: Uint8Array): void {
    const { log, source } = this.options;
    const fields = line.length <= maxLogLineBytes ? parseFields(line) : undefined;
    if (!fields || typeof fields.event !== 'string' || !/^[\w.-]{1,64}$/.test(fields.event)) {
      log.warn('enclave.malformed-log', { source, bytes: line.length });
      return;
    }
    const { event, level, ...rest } = fields;
    const known = levels.includes(level as string) ? (level as LogLevel) : 'info';
    log.line(known, event as string, { ...rest, source });
  }

  #status(json: Uint8Array): void {
    const status = json.length <= 64 * maxLogLineBytes ? parseFields(json) : undefined;
    if (status) this.options.onStatus(this.options.source, status);
  }

  #drained(): void {
    const waiting = this.#onDrain;
    this.#onDrain = [];
    for (const resume of waiting) resume();
  }
}

function parseFields(json: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(fromUtf8(json));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
