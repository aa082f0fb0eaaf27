import { type Consistency, type ErrorCode, isErrorCode } from '@concordat/api';
import { BinaryReader, DecodeError } from '@concordat/std';
import { SdkError } from './errors.ts';
import { type FrameClient, type FrameClientOptions, openFrameClient } from './frame-client.ts';

/** How to open a client of the key-value ledger. */
export interface KeyValueOptions extends Omit<FrameClientOptions, 'path'> {
  /** Default `/kv/stream`. */
  readonly path?: string;
  /**
   * Writes are answered after their commit (default), or once the leader executed them: then they are
   * likely to be committed, not sure to.
   */
  readonly wait?: 'commit' | 'local';
  /** How fresh reads are that do not say it themselves; default `committed`. */
  readonly consistency?: Consistency;
}

/** Gets the transaction id `view.seqno`; undefined when a delete found nothing, or after `local`. */
export type WriteCallback = (
  error: SdkError | undefined,
  transactionId: string | undefined,
) => void;

/** Gets the committed value, a view into received bytes; undefined when the key has none. */
export type ReadCallback = (error: SdkError | undefined, value: Buffer | undefined) => void;

const operations = { put: 1, get: 2, delete: 3 } as const;
const waitLocal = 0x80;
/** On a get: answered from a state as new as everything committed anywhere, or refused. */
const linearizableBit = 0x40;
const answers = { ok: 0, absent: 1, refused: 2 } as const;
/** u8 operation | u16 key length. */
const headBytes = 3;
const noValue = new Uint8Array(0);

/**
 * The key-value ledger over a framed stream: each request is u8 operation | u16 key length | key
 * (UTF-8) | value. Keys are texts of 1-1,024 bytes, values up to 64 KiB unless the constitution
 * says less.
 */
export class KeyValueClient {
  readonly frames: FrameClient;
  readonly #waitBit: number;
  readonly #consistency: Consistency;

  /** Use {@link openKeyValueClient}, or this over a stream that is open already. */
  constructor(
    frames: FrameClient,
    { wait, consistency }: Pick<KeyValueOptions, 'wait' | 'consistency'> = {},
  ) {
    this.frames = frames;
    this.#waitBit = wait === 'local' ? waitLocal : 0;
    this.#consistency = consistency ?? 'committed';
  }

  /** Gives a key a value. */
  put(key: string, value: Uint8Array, callback: WriteCallback): void {
    this.#send(operations.put | this.#waitBit, { key, value }, (error, body) =>
      answerWrite(error, body, callback),
    );
  }

  /** Removes a key. */
  delete(key: string, callback: WriteCallback): void {
    this.#send(operations.delete | this.#waitBit, { key, value: noValue }, (error, body) =>
      answerWrite(error, body, callback),
    );
  }

  /** Reads the value of a key: as the connected node knows it committed, or linearizably. */
  get(key: string, callback: ReadCallback, consistency = this.#consistency): void {
    const freshBit = consistency === 'linearizable' ? linearizableBit : 0;
    this.#send(operations.get | freshBit, { key, value: noValue }, (error, body) => {
      if (error) callback(error, undefined);
      else if (body[0] === answers.ok) callback(undefined, body.subarray(1));
      else if (body[0] === answers.absent) callback(undefined, undefined);
      else callback(refusal(body), undefined);
    });
  }

  /** The same calls as promises. */
  readonly promises = {
    /** Resolves with the transaction id. @throws SdkError */
    put: (key: string, value: Uint8Array): Promise<string | undefined> =>
      asPromise((callback) => this.put(key, value, callback)),
    /** Resolves with the transaction id. @throws SdkError */
    delete: (key: string): Promise<string | undefined> =>
      asPromise((callback) => this.delete(key, callback)),
    /** Resolves with the value. @throws SdkError */
    get: (key: string, consistency?: Consistency): Promise<Buffer | undefined> =>
      asPromise((callback) => this.get(key, callback, consistency)),
  } as const;

  #send(
    operation: number,
    { key, value }: { readonly key: string; readonly value: Uint8Array },
    callback: (error: SdkError | undefined, body: Buffer) => void,
  ): void {
    const keyBytes = Buffer.byteLength(key);
    if (keyBytes > 0xffff) {
      const error = new SdkError('PAYLOAD_TOO_LARGE', `a key of ${keyBytes} bytes`);
      process.nextTick(() => callback(error, Buffer.alloc(0)));
      return;
    }
    const at = this.frames.reserve(headBytes + keyBytes + value.length, callback);
    if (at < 0) return;
    const into = this.frames.outgoing;
    into[at] = operation;
    into[at + 1] = keyBytes >>> 8;
    into[at + 2] = keyBytes & 0xff;
    into.write(key, at + headBytes, keyBytes, 'utf8');
    if (value.length > 0) into.set(value, at + headBytes + keyBytes);
  }

  /** Ends the stream. */
  close(): void {
    this.frames.close();
  }
}

function answerWrite(error: SdkError | undefined, body: Buffer, callback: WriteCallback): void {
  if (error) {
    callback(error, undefined);
  } else if (body[0] === answers.ok && body.length >= 3) {
    callback(undefined, body.length === 3 ? undefined : body.toString('latin1', 3));
  } else if (body[0] === answers.absent) {
    callback(undefined, undefined);
  } else {
    callback(refusal(body), undefined);
  }
}

/** 2 | text code | text message. */
function refusal(body: Buffer): SdkError {
  try {
    const reader = new BinaryReader(body);
    if (reader.u8() === answers.refused) {
      const [code, message] = [reader.text(), reader.text()];
      reader.end();
      if (isErrorCode(code)) return new SdkError(code satisfies ErrorCode, message);
      return new SdkError('UNEXPECTED_ANSWER', message, { serverCode: code });
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return new SdkError('UNEXPECTED_ANSWER', 'the answer is none of the key-value ledger');
}

const asPromise = <Result>(
  call: (callback: (error: SdkError | undefined, result: Result) => void) => void,
): Promise<Result> =>
  new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)));
  });

/** Opens a client of the key-value ledger. @throws SdkError */
export const openKeyValueClient = async (options: KeyValueOptions): Promise<KeyValueClient> => {
  const { path = '/kv/stream' } = options;
  return new KeyValueClient(await openFrameClient({ ...options, path }), options);
};
