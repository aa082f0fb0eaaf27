import { invalidParameter, RpcError } from './errors.ts';
import { readCount, readData, readFixedData, readQuantity } from './hex.ts';

/** Reads one JSON value; `at` names it in errors. @throws RpcError INVALID_PARAMETERS */
export type Reader<Value> = (value: unknown, at: string) => Value;

/** One positional parameter of a method. */
export interface Parameter<Value> {
  readonly read: Reader<Value>;
  readonly optional: boolean;
}

/** A parameter that must be there and not null. */
export const required = <Value>(read: Reader<Value>): Parameter<Value> => ({
  read,
  optional: false,
});

/** A parameter that may be missing or null; the method sees `undefined`. */
export const optional = <Value>(read: Reader<Value>): Parameter<Value | undefined> => ({
  read,
  optional: true,
});

/** The values of a parameter list. */
export type ValuesOf<List extends readonly Parameter<unknown>[]> = {
  readonly [Index in keyof List]: List[Index] extends Parameter<infer Value> ? Value : never;
};

/**
 * Reads the parameters of one call.
 * @throws RpcError INVALID_PARAMETERS: too many, too few, or one without its form
 */
export function readParameters<const List extends readonly Parameter<unknown>[]>(
  list: List,
  params: readonly unknown[],
): ValuesOf<List> {
  if (params.length > list.length) {
    const why = `too many arguments, want at most ${list.length}`;
    throw new RpcError('INVALID_PARAMETERS', why);
  }
  return list.map((parameter, index) => {
    const value = params[index];
    if (value === undefined || value === null) {
      if (parameter.optional) return undefined;
      throw new RpcError('INVALID_PARAMETERS', `missing value for required argument ${index}`);
    }
    return parameter.read(value, `argument ${index}`);
  }) as ValuesOf<List>;
}

/** 20 bytes of hex in any case. */
export const address: Reader<Uint8Array> = (value, at) => readFixedData(value, at, 20);

/** 32 bytes of hex. */
export const hash: Reader<Uint8Array> = (value, at) => readFixedData(value, at, 32);

/** Hex data of at most so many bytes. */
export const data =
  (maxBytes: number): Reader<Uint8Array> =>
  (value, at) =>
    readData(value, at, maxBytes);

/** A quantity of at most so many bits. */
export const quantity =
  (maxBits: number): Reader<bigint> =>
  (value, at) =>
    readQuantity(value, at, maxBits);

/** A quantity that fits a safe integer. */
export const count: Reader<number> = readCount;

/** A quantity, or a JSON number as some clients send it for counts. */
export const looseCount: Reader<number> = (value, at) => {
  if (typeof value !== 'number') return readCount(value, at);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw invalidParameter(at, 'not a non-negative integer');
  }
  return value;
};

/** A storage position: a word of 32 bytes, or as Geth takes it, hex of any length up to it. */
export const storageKey: Reader<Uint8Array> = (value, at) => {
  if (typeof value !== 'string') throw invalidParameter(at, 'not a hex string');
  if (!/^0x[0-9a-fA-F]*$/.test(value)) throw invalidParameter(at, 'invalid hex string');
  if (value.length > 66) throw invalidParameter(at, 'hex string of more than 32 bytes');
  return Buffer.from(value.slice(2).padStart(64, '0'), 'hex');
};

/** A JSON boolean. */
export const flag: Reader<boolean> = (value, at) => {
  if (typeof value !== 'boolean') throw invalidParameter(at, 'not a boolean');
  return value;
};

/** A JSON text of at most so many characters. */
export const text =
  (maxCharacters: number): Reader<string> =>
  (value, at) => {
    if (typeof value !== 'string') throw invalidParameter(at, 'not a text');
    if (value.length > maxCharacters) {
      throw invalidParameter(at, `text of more than ${maxCharacters} characters`);
    }
    return value;
  };

/** A JSON object, not an array. Read only its own members, through {@link member}. */
export const object: Reader<Readonly<Record<string, unknown>>> = (value, at) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidParameter(at, 'not an object');
  }
  return value as Record<string, unknown>;
};

/** A JSON array of at most so many entries. */
export const list =
  <Value>(read: Reader<Value>, maxEntries: number): Reader<readonly Value[]> =>
  (value, at) => {
    if (!Array.isArray(value)) throw invalidParameter(at, 'not an array');
    if (value.length > maxEntries) {
      throw invalidParameter(at, `array of more than ${maxEntries} entries`);
    }
    return value.map((entry, index) => read(entry, `${at}, entry ${index}`));
  };

/** An own member of an object, `undefined` when missing or null; never one of a prototype. */
export function member<Value>(
  of: Readonly<Record<string, unknown>>,
  name: string,
  at: string,
  read: Reader<Value>,
): Value | undefined {
  if (!Object.hasOwn(of, name)) return undefined;
  const value = of[name];
  return value === undefined || value === null ? undefined : read(value, `${at}, field ${name}`);
}

/** An own member that must be there. @throws RpcError INVALID_PARAMETERS */
export function requiredMember<Value>(
  of: Readonly<Record<string, unknown>>,
  name: string,
  at: string,
  read: Reader<Value>,
): Value {
  const value = member(of, name, at, read);
  if (value === undefined) throw invalidParameter(at, `missing field ${name}`);
  return value;
}
