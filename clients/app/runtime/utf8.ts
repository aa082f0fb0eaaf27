/** UTF-8 of a well-formed text (RFC 3629). The realm of an application has no `TextEncoder`. */
export function encodeUtf8(text: string): Uint8Array {
  const ascii = new Uint8Array(text.length);
  let at = 0;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) break;
    ascii[at] = unit;
  }
  if (at === text.length) return ascii;
  // A code unit has at most three bytes, and of two that are a pair each has two.
  const bytes = new Uint8Array(text.length * 3);
  bytes.set(ascii.subarray(0, at));
  let length = at;
  while (at < text.length) {
    const point = text.codePointAt(at) as number;
    at += point > 0xffff ? 2 : 1;
    length = writePoint(bytes, length, point);
  }
  return bytes.slice(0, length);
}

function writePoint(bytes: Uint8Array, start: number, point: number): number {
  let at = start;
  if (point < 0x80) {
    bytes[at++] = point;
    return at;
  }
  if (point < 0x800) bytes[at++] = 0xc0 | (point >> 6);
  else if (point < 0x10000) {
    bytes[at++] = 0xe0 | (point >> 12);
    bytes[at++] = 0x80 | ((point >> 6) & 63);
  } else {
    bytes[at++] = 0xf0 | (point >> 18);
    bytes[at++] = 0x80 | ((point >> 12) & 63);
    bytes[at++] = 0x80 | ((point >> 6) & 63);
  }
  bytes[at++] = 0x80 | (point & 63);
  return at;
}

/** The text of UTF-8. @throws TypeError for bytes that are none */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = '';
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at] as number;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    const point = length === 1 ? first : readPoint(bytes, at, length);
    text += String.fromCodePoint(point);
    at += length;
  }
  return text;
}

/** The least code point that needs so many bytes. */
const leastOf = [0, 0, 0x80, 0x800, 0x10000];

function readPoint(bytes: Uint8Array, start: number, length: number): number {
  let point = (bytes[start] as number) & (0x7f >> length);
  for (let at = start + 1; at < start + length; at++) {
    const byte = bytes[at];
    if (byte === undefined || byte >> 6 !== 2) throw new TypeError('the bytes are not UTF-8');
    point = (point << 6) | (byte & 63);
  }
  const isSurrogate = point >= 0xd800 && point < 0xe000;
  const first = bytes[start] as number;
  if (first < 0xc2 || first > 0xf4 || isSurrogate || point > 0x10ffff) {
    throw new TypeError('the bytes are not UTF-8');
  }
  if (point < (leastOf[length] as number)) throw new TypeError('the bytes are not UTF-8');
  return point;
}
