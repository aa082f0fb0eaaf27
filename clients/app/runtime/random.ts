import type { Random } from './endpoint.ts';
import type { Platform } from './platform.ts';

const bytesPerDraw = 6;
const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** What handlers draw, from a platform's numbers. */
export function createRandom(platform: Pick<Platform, 'random'>): Random {
  const bytes = (length: number): Uint8Array => {
    const drawn = new Uint8Array(length);
    for (let at = 0; at < length; at += bytesPerDraw) {
      // 48 of the 53 bits of a draw.
      let bits = Math.floor(platform.random() * 2 ** (8 * bytesPerDraw));
      for (let byte = at; byte < Math.min(at + bytesPerDraw, length); byte++) {
        drawn[byte] = bits % 256;
        bits = Math.floor(bits / 256);
      }
    }
    return drawn;
  };
  return {
    number: () => platform.random(),
    integer(min, max) {
      const count = max - min + 1;
      if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max) || count < 1) {
        throw new TypeError('random.integer takes two whole numbers, the lesser first');
      }
      if (!Number.isSafeInteger(count)) throw new TypeError('the range is too large');
      // Of 53 bits, those that would make some numbers likelier than others are drawn again.
      const whole = Math.floor(2 ** 53 / count) * count;
      for (;;) {
        const drawn = platform.random() * 2 ** 53;
        if (drawn < whole) return min + (drawn % count);
      }
    },
    bytes,
    uuid() {
      const drawn = bytes(16);
      // RFC 9562, section 5.4: version 4, variant 10.
      drawn[6] = ((drawn[6] as number) & 0x0f) | 0x40;
      drawn[8] = ((drawn[8] as number) & 0x3f) | 0x80;
      const text = Array.from(drawn, (byte) => hex[byte]).join('');
      const cuts = [0, 8, 12, 16, 20, 32];
      return cuts
        .slice(1)
        .map((end, at) => text.slice(cuts[at], end))
        .join('-');
    },
  };
}
