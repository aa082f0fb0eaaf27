const flips = 24;
const randomSamples = 8;

/**
 * Foreign forms of a request: cut short, extended, with single bits flipped, and noise of its
 * length. The same request gives the same mutations.
 */
export function* mutations(request: Uint8Array): Generator<Uint8Array> {
  // A copy as a plain array: `slice` of a Buffer would share its memory.
  const raw = Uint8Array.from(request);
  const random = generator(raw.length + 1);
  for (const length of new Set([0, 1, raw.length >> 1, raw.length - 1])) {
    if (length >= 0 && length < raw.length) yield raw.slice(0, length);
  }
  yield Uint8Array.from([...raw, 0]);
  yield Uint8Array.from([...raw, ...raw]);
  for (let count = 0; count < flips && raw.length > 0; count++) {
    const flipped = raw.slice();
    const at = random() % raw.length;
    flipped[at] = (flipped[at] as number) ^ (1 << (random() % 8));
    yield flipped;
  }
  for (let count = 0; count < randomSamples; count++) {
    yield Uint8Array.from(raw, () => random() & 0xff);
  }
}

/** xorshift32. */
function generator(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}
