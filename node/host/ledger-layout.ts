import type { HeightRange } from '@concordat/bridge';
import { setChunkAside } from './damaged-chunks.ts';
import { HostError } from './errors.ts';
import { addBase, gapBelow, removeBase } from './ledger-bases.ts';
import { type Chunk, markCommitted, truncateChunks } from './ledger-directory.ts';

/**
 * What of a ledger is on the disk: chunks in height order, with gaps only where a base explains
 * them. Every change of it is a sequence of steps each of which leaves a ledger that opens.
 */
export class LedgerLayout {
  readonly #directory: string;
  #chunks: Chunk[];
  /** Heights in order. */
  #bases: number[];
  #missing: readonly HeightRange[] | undefined;

  constructor(directory: string, chunks: Chunk[], bases: number[]) {
    this.#directory = directory;
    this.#chunks = chunks;
    this.#bases = bases;
  }

  /** In height order; whoever adds blocks to them says so by {@link changed}. */
  get chunks(): Chunk[] {
    return this.#chunks;
  }

  /** Height of the newest block, or of the base above it; 0 for no ledger. */
  get last(): number {
    return Math.max(this.#chunks.at(-1)?.last ?? 0, this.#topBase);
  }

  /** The ledger is whole from here to `last`. */
  get first(): number {
    return this.#bases.length === 0 ? (this.#chunks[0]?.first ?? 1) : this.#topBase + 1;
  }

  /** Heights below the bases of which there is no block, lowest first. */
  get missing(): readonly HeightRange[] {
    this.#missing ??= this.#bases.flatMap(
      (base) => gapBelow(base, this.#chunks, this.#bases) ?? [],
    );
    return this.#missing;
  }

  get #topBase(): number {
    return this.#bases.at(-1) ?? 0;
  }

  /** Blocks were added to the chunks. */
  changed(): void {
    this.#missing = undefined;
  }

  /** The oldest chunk above the bases whose name does not say yet that it is committed. */
  get oldestUncommitted(): Chunk | undefined {
    let oldest: Chunk | undefined;
    for (let index = this.#chunks.length - 1; index >= 0; index--) {
      const chunk = this.#chunks[index]!;
      if (chunk.committed || chunk.first <= this.#topBase) break;
      oldest = chunk;
    }
    return oldest;
  }

  /** Gives the complete chunks of committed blocks their last name. */
  async nameCommitted(committed: number): Promise<void> {
    for (;;) {
      const oldest = this.oldestUncommitted;
      if (!oldest?.complete || oldest.last > committed) return;
      await markCommitted(this.#directory, oldest);
    }
  }

  /** Drops every block above a height. */
  async truncate(after: number): Promise<void> {
    const holds = this.#chunks.some(({ first, last }) => first <= after && after <= last);
    // What a crash on the way leaves must say as well that the ledger goes on after this height.
    if (this.#topBase > after && after > 0 && !holds) await this.#addBase(after);
    this.#chunks = await truncateChunks(this.#directory, this.#chunks, after);
    while (this.#topBase > after) await this.#dropBase(this.#topBase);
    this.changed();
  }

  /** Lets the ledger go on after a height, whatever blocks it has. */
  async goOnAfter(height: number): Promise<void> {
    if (height <= this.last) {
      await this.truncate(height);
      return;
    }
    const before = this.#topBase;
    await this.#addBase(height);
    // Nothing was appended above the base before: it explains nothing any more.
    const isIdle = before > 0 && gapBelow(before, this.#chunks, this.#bases) === undefined;
    if (isIdle) await this.#dropBase(before);
  }

  /** The block at this height was added: if it closed a gap, the parts are one from now on. */
  async join(height: number): Promise<void> {
    this.changed();
    if (this.#bases.includes(height)) await this.#dropBase(height);
  }

  /** The committed chunk of a height. @throws HostError NOT_STORED */
  committedChunkAt(height: number): Chunk {
    const chunk = this.#chunks.find(({ first, last }) => first <= height && height <= last);
    if (chunk?.committed) return chunk;
    throw new HostError('NOT_STORED', `no committed chunk holds height ${height}`, { height });
  }

  /**
   * Keeps the file of a committed chunk under another name; its blocks are missing from then on.
   * A base that says so is there before: whenever the machine stops, the ledger opens.
   * @throws HostError CHUNK_NEEDED when nothing committed follows it, or when what came before it
   *   was moved elsewhere: the gap would reach down to block 1
   */
  async setAside(from: number, to: number): Promise<string> {
    const at = this.#chunks.findIndex(({ first, last }) => first === from && last === to);
    const chunk = this.#chunks[at];
    const isBeginning = at === 0 && from > 1 && !this.missing.some((gap) => gap.to === from - 1);
    if (!chunk?.committed || at === this.#chunks.length - 1 || isBeginning) {
      throw new HostError('CHUNK_NEEDED', `chunk ${from}-${to} cannot be set aside`, { from, to });
    }
    if (this.#chunks[at + 1]?.first === to + 1) await this.#addBase(to);
    const keptAs = await setChunkAside(this.#directory, chunk);
    this.#chunks.splice(at, 1);
    this.changed();
    // What was a gap before it is part of a longer one now.
    if (this.#bases.includes(from - 1)) await this.#dropBase(from - 1);
    return keptAs;
  }

  async #addBase(height: number): Promise<void> {
    if (this.#bases.includes(height)) return;
    await addBase(this.#directory, height);
    this.#bases = [...this.#bases, height].sort((a, b) => a - b);
    this.changed();
  }

  async #dropBase(height: number): Promise<void> {
    await removeBase(this.#directory, height);
    this.#bases = this.#bases.filter((base) => base !== height);
    this.changed();
  }
}
