import { KvError } from './errors.ts';
import { SectionDecoder, type SectionSink, sectionChunkBytes } from './section-form.ts';
import { type Key, type Table, unshare, versionOf } from './table.ts';

/** Fills an empty store from the chunks of a section, in order. */
export interface SectionWriter {
  /**
   * Takes the next chunk; its bytes may be kept. When it is refused the store is empty again and
   * the restore is over.
   * @throws KvError MALFORMED, UNKNOWN_TABLE
   */
  chunk(bytes: Uint8Array): void;
  /**
   * Ends the restore: the store has the state and goes on from it.
   * @throws KvError MALFORMED when the section does not end here; the store is empty again then
   */
  finish(): void;
}

/** What a restore needs of its store. */
export interface RestoreOwner {
  find(name: string): Table;
  /** The restore is over: the store is kept as it is, or emptied. */
  ended(outcome: 'restored' | 'refused'): void;
}

/** The one restore of a store. */
export class Restore implements SectionWriter, SectionSink {
  readonly #owner: RestoreOwner;
  readonly #decoder = new SectionDecoder(this);
  readonly #chunks: number;
  #taken = 0;
  #table: Table | undefined;
  #open = true;

  constructor(chunks: number, owner: RestoreOwner) {
    this.#chunks = chunks;
    this.#owner = owner;
  }

  chunk(bytes: Uint8Array): void {
    this.#attempt(() => {
      this.#taken++;
      const last = this.#taken === this.#chunks;
      const whole = bytes.length === sectionChunkBytes;
      const fits = last ? bytes.length > 0 && bytes.length <= sectionChunkBytes : whole;
      if (this.#taken > this.#chunks || !fits) {
        throw new KvError('MALFORMED', `chunk ${this.#taken} of a section has no such length`, {
          bytes: bytes.length,
        });
      }
      this.#decoder.feed(bytes);
    });
  }

  finish(): void {
    this.#attempt(() => {
      if (this.#taken < this.#chunks) {
        throw new KvError('MALFORMED', `a section of ${this.#chunks} chunks has ${this.#taken}`);
      }
      this.#decoder.end();
    });
    this.#end('restored');
  }

  /** Ends a restore that its store no longer waits for. */
  abandon(): void {
    this.#open = false;
  }

  table(name: string): void {
    this.#table = this.#owner.find(name);
  }

  pair(key: Key, value: Uint8Array): void {
    const table = this.#table as Table;
    if (table.isVersioned && versionOf(value) === undefined) {
      throw new KvError('MALFORMED', 'a value of a versioned table has no seqno before it', {
        table: table.name,
      });
    }
    table.keep(key, unshare(value));
  }

  #attempt(step: () => void): void {
    if (!this.#open) throw new KvError('NOT_EMPTY', 'the restore is over');
    try {
      step();
    } catch (error) {
      this.#end('refused');
      throw error;
    }
  }

  #end(outcome: 'restored' | 'refused'): void {
    this.#open = false;
    this.#owner.ended(outcome);
  }
}
