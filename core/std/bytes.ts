/** No bytes at all; shared, never written to. */
export const emptyBytes: Uint8Array = new Uint8Array(0);

/** Joins byte strings in order into one new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Whether two byte strings are equal. Not constant time: never for secrets. */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && Buffer.compare(a, b) === 0;

/** Lowercase hex, two digits a byte, no prefix. */
export const toHex = (bytes: Uint8Array): string => viewOf(bytes).toString('hex');

/** Reads hex of either case without prefix; undefined when it is not an even run of hex digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return Buffer.from(text, 'hex');
}

/** Standard base64 with padding. */
export const toBase64 = (bytes: Uint8Array): string => viewOf(bytes).toString('base64');

/** Reads standard padded base64 strictly; undefined when it is not canonical. */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** UTF-8 bytes of a text. */
export const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8');

/** Text of UTF-8 bytes; invalid sequences become U+FFFD. */
export const fromUtf8 = (bytes: Uint8Array): string => viewOf(bytes).toString('utf8');

/** A binary string: one character of code 0-255 a byte. The key type of maps on hot paths. */
export const toLatin1 = (bytes: Uint8Array): string => viewOf(bytes).toString('latin1');

/** Bytes of a binary string made by {@link toLatin1}. */
export const fromLatin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** A Buffer over the same memory, for its fast native conversions. */
export const viewOf = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
