import { BinaryReader, BinaryWriter, DecodeError, fromUtf8, utf8 } from '@concordat/std';

// What passes between whoever audits a ledger and the program that executes its transactions anew:
// frames of u32 length ‖ body, both ways. Questions are binary, answers are JSON.

/** Most bytes of a frame: more than a block can have. */
export const maxReexecutionFrame = 1 << 28;

/** One transaction of a block, as it was recorded. */
export interface RecordedTransaction {
  readonly publicWrites: Uint8Array;
  readonly privateWrites: Uint8Array;
  /** 32 bytes; absent means zeros. */
  readonly claimsDigest?: Uint8Array;
}

/** What the program is told, in the order of the ledger. */
export type ReexecutionQuestion =
  /** The configuration of every adapter, by id: from the next block on. */
  | { readonly kind: 'configure'; readonly adapters: Readonly<Record<string, unknown>> }
  /** A block of an application, every transaction of it. */
  | {
      readonly kind: 'block';
      readonly height: number;
      readonly transactions: readonly RecordedTransaction[];
    };

/** What became of a block. */
export type ReexecutionAnswer =
  /** Once, first: the adapters in the program that execute anew. */
  | { readonly kind: 'ready'; readonly adapters: readonly string[] }
  /** What was taken up so far holds. */
  | {
      readonly kind: 'done';
      readonly height: number;
      /** First block that still waits for the rest of its batch; this very one when none does. */
      readonly pendingFrom: number;
      /** Transactions executed since the answer before: they came to what was recorded. */
      readonly executed: number;
      /** Taken as they stand: of adapters that do not execute anew, or the state they began with. */
      readonly given: number;
    }
  /** Executing them comes to something else. The program ends. */
  | {
      readonly kind: 'diverged';
      readonly height: number;
      /** Of the block, from 0. */
      readonly transaction: number;
      readonly message: string;
    }
  /** The program cannot go on, and it is not the ledger's fault. */
  | { readonly kind: 'failed'; readonly message: string };

const tags = { configure: 1, block: 2 } as const;

/** The body of a question. */
export function encodeQuestion(question: ReexecutionQuestion): Uint8Array {
  const writer = new BinaryWriter(1_024);
  if (question.kind === 'configure') {
    return writer
      .u8(tags.configure)
      .bytes(utf8(JSON.stringify(question.adapters)))
      .take();
  }
  writer.u8(tags.block).u64(question.height).u32(question.transactions.length);
  for (const { publicWrites, privateWrites, claimsDigest } of question.transactions) {
    writer.bytes(publicWrites).bytes(privateWrites);
    writer.u8(claimsDigest === undefined ? 0 : 1);
    if (claimsDigest !== undefined) writer.raw(claimsDigest);
  }
  return writer.take();
}

/** Reads {@link encodeQuestion}. @throws DecodeError */
export function decodeQuestion(body: Uint8Array): ReexecutionQuestion {
  const reader = new BinaryReader(body);
  const tag = reader.u8();
  if (tag === tags.configure) {
    const adapters = parse(reader.bytes());
    reader.end();
    return { kind: 'configure', adapters: adapters as Record<string, unknown> };
  }
  if (tag !== tags.block) throw new DecodeError('INVALID', `question ${tag} is unknown`);
  const height = reader.u64();
  const count = reader.u32();
  const transactions: RecordedTransaction[] = [];
  for (let at = 0; at < count; at += 1) {
    const publicWrites = reader.bytes();
    const privateWrites = reader.bytes();
    const claims = reader.u8() === 0 ? undefined : { claimsDigest: reader.raw(32) };
    transactions.push({ publicWrites, privateWrites, ...claims });
  }
  reader.end();
  return { kind: 'block', height, transactions };
}

/** The body of an answer. */
export const encodeAnswer = (answer: ReexecutionAnswer): Uint8Array => utf8(JSON.stringify(answer));

/** Reads {@link encodeAnswer} strictly. @throws DecodeError */
export function decodeAnswer(body: Uint8Array): ReexecutionAnswer {
  const answer = parse(body);
  const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
  const { kind, height, pendingFrom, executed, given, transaction, message, adapters } = answer;
  const isText = typeof message === 'string' && message.length <= 10_000;
  const isFormed =
    (kind === 'ready' && isNames(adapters)) ||
    (kind === 'done' && [height, pendingFrom, executed, given].every(isWhole)) ||
    (kind === 'diverged' && isWhole(height) && isWhole(transaction) && isText) ||
    (kind === 'failed' && isText);
  if (isFormed) return answer as unknown as ReexecutionAnswer;
  throw new DecodeError('INVALID', 'not an answer of a program that executes anew');
}

const isNames = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= 32 && value.every((name) => typeof name === 'string');

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Said below, without quoting the input.
  }
  throw new DecodeError('INVALID', 'not a JSON object');
}

/** A frame: u32 length ‖ body. */
export function frameOf(body: Uint8Array): Uint8Array {
  return new BinaryWriter(body.length + 4).bytes(body).take();
}

/** Cuts a stream of bytes into the bodies of frames. */
export class ReexecutionFrames {
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** Takes bytes; gives the bodies that are whole now. @throws DecodeError when one is too long */
  *take(bytes: Uint8Array): Generator<Uint8Array> {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    for (let body = this.#next(); body !== undefined; body = this.#next()) yield body;
  }

  #next(): Uint8Array | undefined {
    if (this.#length < 4) return undefined;
    const head = this.#peek(4);
    const length = new BinaryReader(head).u32();
    if (length > maxReexecutionFrame)
      throw new DecodeError('INVALID', `a frame of ${length} bytes`);
    if (this.#length < 4 + length) return undefined;
    const all = this.#peek(4 + length);
    const first = this.#chunks[0] as Uint8Array;
    this.#chunks[0] = first.subarray(4 + length);
    this.#length -= 4 + length;
    return all.subarray(4);
  }

  /** The first bytes, in one piece. */
  #peek(length: number): Uint8Array {
    if ((this.#chunks[0] as Uint8Array).length < length) {
      this.#chunks = [Buffer.concat(this.#chunks)];
    }
    return (this.#chunks[0] as Uint8Array).subarray(0, length);
  }
}
