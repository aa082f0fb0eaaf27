import type { Random } from '../random.ts';

/** A change of a file that a crash may still take back. */
type Change =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly length: number };

/** How a crash treats what was not synced. */
export type CrashKind =
  /** All of it is lost. */
  | 'lost'
  /** What came first is there, the last write perhaps in part. */
  | 'torn'
  /** The file has its length, and zeros where the last write should be. */
  | 'zeros'
  /** Of the last write some pages are there and others are not: zeros stand for them. */
  | 'holes'
  /** All of it is there. */
  | 'kept';

/** What a disk writes at once. */
const pageBytes = 512;

/** Bytes that grow. */
class Content {
  #bytes = Buffer.alloc(256);
  length = 0;

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  apply(change: Change): void {
    if (change.kind === 'truncate') {
      if (change.length > this.length) this.#reserve(change.length);
      this.#bytes.fill(0, Math.min(this.length, change.length));
      this.length = change.length;
      return;
    }
    const end = change.at + change.bytes.length;
    this.#reserve(end);
    this.#bytes.set(change.bytes, change.at);
    this.length = Math.max(this.length, end);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(bytes, this.#bytes.length * 2));
    grown.set(this.bytes);
    this.#bytes = grown;
  }
}

/** A file as the system shows it and, apart from that, as the disk would give it back after a crash. */
export class SimulatedFile {
  readonly #shown = new Content();
  readonly #durable = new Content();
  #changes: Change[] = [];
  /** Counts whenever durable bytes are taken back: whoever follows them begins anew. */
  generation = 0;

  /** What is read. A view: it changes with the next write. */
  get bytes(): Buffer {
    return this.#shown.bytes;
  }

  /** What is certain to outlive a crash. A view: it changes with the next sync. */
  get durableBytes(): Buffer {
    return this.#durable.bytes;
  }

  /** Changes no sync has covered. */
  get unsynced(): number {
    return this.#changes.length;
  }

  write(at: number, bytes: Uint8Array): void {
    this.#change({ kind: 'write', at, bytes: Buffer.from(bytes) });
  }

  truncate(length: number): void {
    this.#change({ kind: 'truncate', length });
  }

  #change(change: Change): void {
    this.#shown.apply(change);
    this.#changes.push(change);
  }

  /** Begins a sync of what was written before it. @returns completes it */
  beginSync(): () => void {
    const covered = [...this.#changes];
    return () => {
      for (const change of covered) {
        if (this.#changes[0] !== change) break;
        this.#changes.shift();
        if (change.kind === 'truncate') this.generation += 1;
        this.#durable.apply(change);
      }
    };
  }

  /** A sync failed: what it should have covered is gone, as a later read finds. */
  loseUnsynced(): void {
    this.#changes = [];
    this.#show(this.#durable.bytes);
  }

  /** The machine lost power. */
  crash(random: Random, kind: CrashKind): void {
    const changes = this.#changes;
    this.#changes = [];
    if (kind !== 'lost' && changes.length > 0) {
      const whole = kind === 'kept' ? changes.length : random.between(0, changes.length - 1);
      for (const change of changes.slice(0, whole)) this.#durable.apply(change);
      const next = changes[whole];
      if (next?.kind === 'write') this.#tear(next, random, kind);
    }
    this.#show(this.#durable.bytes);
  }

  #tear({ at, bytes }: Change & { kind: 'write' }, random: Random, kind: CrashKind): void {
    if (kind === 'holes') {
      const page = random.between(0, Math.floor(bytes.length / pageBytes));
      const end = Math.min((page + 1) * pageBytes, bytes.length);
      const part = Buffer.from(bytes).fill(0, page * pageBytes, end);
      this.#durable.apply({ kind: 'write', at, bytes: part });
      return;
    }
    const cut = random.between(0, bytes.length);
    const part = kind === 'zeros' ? Buffer.alloc(cut) : bytes.subarray(0, cut);
    this.#durable.apply({ kind: 'write', at, bytes: part });
  }

  /** Replaces the content, durably, behind everybody's back: what a host or a failing disk can do. */
  tamper(bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    this.#changes = [];
    for (const content of [this.#durable]) {
      content.apply({ kind: 'truncate', length: 0 });
      content.apply({ kind: 'write', at: 0, bytes: copy });
    }
    this.#show(copy);
  }

  #show(bytes: Buffer): void {
    const copy = Buffer.from(bytes);
    this.generation += 1;
    this.#shown.apply({ kind: 'truncate', length: 0 });
    this.#shown.apply({ kind: 'write', at: 0, bytes: copy });
  }
}
