const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const standard = `${alphabet}+/`;
const urlSafe = `${alphabet}-_`;

const placesOf = (signs: string): ReadonlyMap<string, number> =>
  new Map([...signs].map((sign, at) => [sign, at]));
const standardPlaces = placesOf(standard);
const urlPlaces = placesOf(urlSafe);

/** Base64 with padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  const text = encode(bytes, standard);
  return text + '='.repeat((4 - (text.length % 4)) % 4);
}

/** Base64 for URLs, without padding (RFC 4648, section 5). */
export const toBase64Url = (bytes: Uint8Array): string => encode(bytes, urlSafe);

/** The bytes; undefined for what {@link toBase64} would not have written. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const end = text.endsWith('==') ? text.length - 2 : text.length - (text.endsWith('=') ? 1 : 0);
  return decode(text.slice(0, end), standardPlaces);
}

/** The bytes; undefined for what {@link toBase64Url} would not have written. */
export const fromBase64Url = (text: string): Uint8Array | undefined => decode(text, urlPlaces);

function encode(bytes: Uint8Array, signs: string): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const group =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const count = left >= 3 ? 4 : left + 1;
    for (let sign = 0; sign < count; sign++) text += signs[(group >> (18 - 6 * sign)) & 63];
  }
  return text;
}

function decode(text: string, places: ReadonlyMap<string, number>): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let [held, bits, at] = [0, 0, 0];
  for (const sign of text) {
    const place = places.get(sign);
    if (place === undefined) return undefined;
    held = ((held << 6) | place) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (held >> bits) & 0xff;
  }
  // What is left of the last sign says nothing: one text for one value.
  return (held & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}
