import { createWriteStream, type WriteStream } from 'node:fs';

/** How much a log line matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured fields of a log line. Never a secret, key or payload. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one JSON object a line: time, level, event, node, then the event's own fields. */
export class Log {
  readonly #node: string;
  readonly #write: (line: string) => void;
  #file: WriteStream | undefined;

  constructor(node: string, write: (line: string) => void, file?: string) {
    this.#node = node;
    this.#write = write;
    if (file !== undefined) {
      this.#file = createWriteStream(file, { flags: 'a', mode: 0o600 });
      this.#file.on('error', (error) => {
        this.#file = undefined;
        this.warn('log.file-failed', { message: error.message });
      });
    }
  }

  debug(event: string, fields: LogFields = {}): void {
    this.line('debug', event, fields);
  }

  info(event: string, fields: LogFields = {}): void {
    this.line('info', event, fields);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.line('warn', event, fields);
  }

  error(event: string, fields: LogFields = {}): void {
    this.line('error', event, fields);
  }

  /** Writes a line of a level known only at run time. The event's fields cannot replace the frame. */
  line(level: LogLevel, event: string, fields: LogFields): void {
    const frame = { time: new Date().toISOString(), level, event, node: this.#node };
    // Once in front for the order of keys, once behind so that fields cannot forge it.
    const line = `${JSON.stringify({ ...frame, ...fields, ...frame })}\n`;
    this.#write(line);
    this.#file?.write(line);
  }

  /** Waits until the log file, if any, has taken every line. */
  close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    return new Promise((resolve) => (file ? file.end(() => resolve()) : resolve()));
  }
}
