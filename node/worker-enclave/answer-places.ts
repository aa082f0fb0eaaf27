import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';
import type { AdapterMemory, CommittedBatch } from './adapter.ts';
import type { AnswerRange } from './kept-answers.ts';

/** Where a block stands in the ledger whose first kept answer has this number. */
interface Place {
  readonly number: number;
  readonly height: number;
  readonly view: number;
  readonly firstSeqno: number;
}

const placeBytes = 32;
const placesPerPart = 2_000;

/**
 * Of which blocks the committed answers of one adapter are. A transaction's number is known only
 * after its batch was executed, so it cannot stand in the table beside the answer; it follows from the
 * blocks alone, so that every node knows the same, and travels with snapshots.
 */
export class AnswerPlaces {
  #places: Place[] = [];
  /** Where the oldest that counts lies: those before it are taken away many at a time. */
  #oldest = 0;
  #range: AnswerRange = { first: 0, next: 0 };

  /** A block is committed, and with it this range of answers. */
  committed({ height, view, firstSeqno }: CommittedBatch, range: AnswerRange): void {
    const known = this.#range;
    if (range.next === known.next && range.first === known.first) return;
    if (range.next > known.next) {
      this.#places.push({ number: known.next, height, view, firstSeqno });
    }
    this.#range = range;
    const places = this.#places;
    const nextOf = (at: number): number => places[at + 1]?.number ?? Number.POSITIVE_INFINITY;
    while (nextOf(this.#oldest) <= range.first) this.#oldest += 1;
    // Taking the front away costs a copy of the rest: only once it is the larger part.
    if (this.#oldest * 2 > places.length) {
      this.#places = places.slice(this.#oldest);
      this.#oldest = 0;
    }
  }

  /** The block of a committed answer; undefined when it is not committed. */
  find(number: number): Omit<Place, 'number'> | undefined {
    const { first, next } = this.#range;
    if (number < first || number >= next) return undefined;
    let [low, high] = [this.#oldest, this.#places.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#places[middle] as Place).number <= number) low = middle;
      else high = middle - 1;
    }
    return this.#places[low];
  }

  /** What a snapshot keeps of it: a place is u64 number | u64 height | u64 view | u64 first seqno. */
  freeze(): AdapterMemory {
    const places = this.#places.slice(this.#oldest);
    return {
      bytes: places.length * placeBytes,
      *parts() {
        for (let from = 0; from < places.length; from += placesPerPart) {
          const writer = new BinaryWriter(placesPerPart * placeBytes);
          for (const place of places.slice(from, from + placesPerPart)) {
            const { number, height, view, firstSeqno } = place;
            writer.u64(number).u64(height).u64(view).u64(firstSeqno);
          }
          yield writer.take();
        }
      },
    };
  }

  /** Takes up what a snapshot kept, with the range of its table. @throws DecodeError */
  restore(memory: Uint8Array, range: AnswerRange): void {
    const reader = new BinaryReader(memory);
    const places: Place[] = [];
    while (reader.remaining > 0) {
      const [number, height, view] = [reader.u64(), reader.u64(), reader.u64()];
      const place = { number, height, view, firstSeqno: reader.u64() };
      const last = places.at(-1);
      if (last !== undefined && (number <= last.number || height <= last.height)) {
        throw new DecodeError('INVALID', 'the blocks of kept answers are out of order');
      }
      places.push(place);
    }
    const [oldest, newest] = [places[0], places.at(-1)];
    const isWhole =
      oldest === undefined || newest === undefined
        ? range.first === range.next
        : oldest.number <= range.first && newest.number < range.next;
    if (!isWhole) throw new DecodeError('INVALID', 'kept answers without their blocks');
    this.#places = places;
    this.#oldest = 0;
    this.#range = range;
  }
}
