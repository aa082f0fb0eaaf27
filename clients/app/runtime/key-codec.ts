import { AppFailure } from './failure.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

/**
 * Keys of a table as bytes whose order is the order of the keys. `P` is what a prefix of a key is:
 * the beginning of a text, the leading parts of a tuple.
 */
export interface KeyCodec<K, P = never> {
  /** @throws AppFailure InvalidInput, TypeError for another type than the key's */
  encode(key: K): Uint8Array;
  /** Reads what `encode` wrote. @throws TypeError for other bytes */
  decode(bytes: Uint8Array): K;
  /** The bytes that keys with this prefix begin with. @throws as `encode` */
  encodePrefix(prefix: P): Uint8Array;
  /** As a part of a tuple: bytes that tell where they end, in the same order. */
  readonly part: PartCodec<K>;
  /** Phantom: what a prefix is. */
  readonly prefixType?: P;
}

/** A key as a part of a tuple. */
export interface PartCodec<K> {
  write(key: K, to: ByteList): void;
  read(from: ByteCursor): K;
}

/** Any key codec. */
// biome-ignore lint/suspicious/noExplicitAny: the one type that every codec is assignable to
export type AnyKeyCodec = KeyCodec<any, any>;

/** What keys of a codec are. */
export type KeyOf<C> = C extends KeyCodec<infer K, infer _> ? K : never;

/** Bytes of a key at most; the adapter's limit. */
export const maxKeyBytes = 16 * 1024;

/** Bytes that grow. */
export class ByteList {
  #bytes = new Uint8Array(64);
  #length = 0;

  push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const more = new Uint8Array(this.#bytes.length * 2);
      more.set(this.#bytes);
      this.#bytes = more;
    }
    this.#bytes[this.#length++] = byte;
  }

  append(bytes: Uint8Array): void {
    for (const byte of bytes) this.push(byte);
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** A place in some bytes. */
export class ByteCursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** @throws TypeError at the end */
  next(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw broken();
    return byte;
  }

  /** @throws TypeError when there are fewer */
  take(length: number): Uint8Array {
    if (this.left < length) throw broken();
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }
}

const broken = (): TypeError =>
  new TypeError('the key in the table has another form than its codec');

function checked(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= maxKeyBytes) return bytes;
  throw new AppFailure('InvalidInput', 400, `a key has at most ${maxKeyBytes} bytes`);
}

/**
 * Bytes inside a tuple: a zero is followed by 0xff, and two bytes 0x00 0x01 are the end, which is
 * below whatever could follow instead.
 */
function writeEscaped(bytes: Uint8Array, to: ByteList): void {
  for (const byte of bytes) {
    to.push(byte);
    if (byte === 0) to.push(0xff);
  }
  to.push(0);
  to.push(1);
}

function readEscaped(from: ByteCursor): Uint8Array {
  const bytes = new ByteList();
  for (;;) {
    const byte = from.next();
    if (byte !== 0) {
      bytes.push(byte);
      continue;
    }
    const mark = from.next();
    if (mark === 1) return bytes.take();
    if (mark !== 0xff) throw broken();
    bytes.push(0);
  }
}

function textBytes(key: string): Uint8Array {
  if (typeof key !== 'string') throw new TypeError('the key is a text');
  if (!key.isWellFormed()) {
    throw new AppFailure('InvalidInput', 400, 'half a surrogate pair is no character of a key');
  }
  return checked(encodeUtf8(key));
}

const textKey: KeyCodec<string, string> = {
  encode: textBytes,
  decode: decodeUtf8,
  encodePrefix: textBytes,
  part: {
    write: (key, to) => writeEscaped(textBytes(key), to),
    read: (from) => decodeUtf8(readEscaped(from)),
  },
};

function ownBytes(key: Uint8Array): Uint8Array {
  if (!(key instanceof Uint8Array)) throw new TypeError('the key is a Uint8Array');
  return checked(key.slice());
}

const bytesKey: KeyCodec<Uint8Array, Uint8Array> = {
  encode: ownBytes,
  decode: (bytes) => bytes.slice(),
  encodePrefix: ownBytes,
  part: {
    write: (key, to) => writeEscaped(ownBytes(key), to),
    read: readEscaped,
  },
};

const integerBytes = 8;
/** 2^63: what is below becomes a smaller unsigned number. */
const integerOffset = 1n << 63n;

const integerKey = fixed<number>(integerBytes, {
  write(key, view) {
    if (!Number.isSafeInteger(key)) {
      throw new AppFailure('InvalidInput', 400, 'the key is a whole number of at most 2^53 - 1');
    }
    view.setBigUint64(0, BigInt(key) + integerOffset);
  },
  read(view) {
    const key = Number(view.getBigUint64(0) - integerOffset);
    if (!Number.isSafeInteger(key)) throw broken();
    return key;
  },
});

const booleanKey = fixed<boolean>(1, {
  write(key, view) {
    if (typeof key !== 'boolean') throw new TypeError('the key is true or false');
    view.setUint8(0, key ? 1 : 0);
  },
  read(view) {
    const byte = view.getUint8(0);
    if (byte > 1) throw broken();
    return byte === 1;
  },
});

/** Keys of one length. */
function fixed<K>(
  length: number,
  form: {
    readonly write: (key: K, view: DataView) => void;
    readonly read: (view: DataView) => K;
  },
): KeyCodec<K> {
  const encode = (key: K): Uint8Array => {
    const bytes = new Uint8Array(length);
    form.write(key, new DataView(bytes.buffer));
    return bytes;
  };
  const decode = (bytes: Uint8Array): K => {
    if (bytes.length !== length) throw broken();
    return form.read(new DataView(bytes.buffer, bytes.byteOffset, length));
  };
  return {
    encode,
    decode,
    encodePrefix: () => {
      throw new TypeError('keys of this kind have no prefixes');
    },
    part: {
      write: (key, to) => to.append(encode(key)),
      read: (from) => decode(from.take(length)),
    },
  };
}

/** The keys that some codecs are of. */
export type TupleOf<C extends readonly AnyKeyCodec[]> = {
  readonly [N in keyof C]: KeyOf<C[N]>;
};

/** The leading parts of a tuple, one at least. */
export type Leading<T> = T extends readonly [infer A, ...infer R]
  ? readonly [A] | (R extends readonly [] ? never : readonly [A, ...Leading<R>])
  : never;

function tupleKey<const C extends readonly AnyKeyCodec[]>(
  ...codecs: C
): KeyCodec<TupleOf<C>, Leading<TupleOf<C>>> {
  const write = (key: readonly unknown[], to: ByteList): void => {
    for (const [at, part] of key.entries()) (codecs[at] as AnyKeyCodec).part.write(part, to);
  };
  const parts = (key: readonly unknown[]): Uint8Array => {
    const list = new ByteList();
    write(key, list);
    return checked(list.take());
  };
  const whole = (key: readonly unknown[]): readonly unknown[] => {
    if (Array.isArray(key) && key.length === codecs.length) return key;
    throw new TypeError(`the key is a list of ${codecs.length} parts`);
  };
  const read = (from: ByteCursor): TupleOf<C> =>
    codecs.map(({ part }) => part.read(from) as unknown) as unknown as TupleOf<C>;
  return {
    encode: (key) => parts(whole(key)),
    decode(bytes) {
      const cursor = new ByteCursor(bytes);
      const key = read(cursor);
      if (cursor.left > 0) throw broken();
      return key;
    },
    encodePrefix(prefix) {
      const given = prefix as readonly unknown[];
      if (Array.isArray(given) && given.length <= codecs.length) return parts(given);
      throw new TypeError(`a prefix is a list of at most ${codecs.length} parts`);
    },
    part: { write: (key, to) => write(whole(key), to), read },
  };
}

/**
 * Codecs of keys, each in the order of its bytes:
 * `string` by Unicode code points, `bytes` and `tuple` part by part, `integer` by value.
 */
export const key = {
  /** A text, as UTF-8. A prefix is how it begins. */
  string: () => textKey,
  /** A whole number of at most 2^53 - 1 from zero, as 8 bytes. */
  integer: () => integerKey,
  /** False before true. */
  boolean: () => booleanKey,
  /** Bytes as they are. */
  bytes: () => bytesKey,
  /** Several parts, the first of which counts most. A prefix is one or more of the first parts. */
  tuple: tupleKey,
} as const;
