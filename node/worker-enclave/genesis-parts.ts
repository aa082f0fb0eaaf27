import { concatBytes } from '@concordat/std';
import { WorkerError } from './errors.ts';

/** Gathers an adapter's genesis data, which comes in parts. */
export class GenesisParts {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes one part; with the last one the whole is given back.
   * @throws WorkerError PROTOCOL
   */
  take(part: Uint8Array, last: boolean): Uint8Array | undefined {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) {
      throw new WorkerError('PROTOCOL', 'the genesis data is larger than this worker accepts');
    }
    // The part is a view of a received chunk, which it would keep whole.
    if (part.length > 0) this.#parts.push(Buffer.from(part));
    if (!last) return undefined;
    const whole = concatBytes(...this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return whole;
  }
}
