import type { SnapshotPosition } from '@concordat/consensus';

/** Snapshots a node has taken, and the chunks of those it receives. */
export class SnapshotShelf {
  /** By digest. */
  readonly taken = new Map<string, SnapshotPosition>();
  readonly #received = new Map<string, Uint8Array[]>();
  /** Probability that a received chunk is damaged before it is stored. */
  damages: () => boolean = () => false;

  /** Stores a chunk; index 0 begins the snapshot anew. */
  store({ digest }: SnapshotPosition, index: number, bytes: Uint8Array): void {
    const chunks = (index > 0 && this.#received.get(digest)) || [];
    this.#received.set(digest, chunks);
    chunks[index] = this.damages() ? Uint8Array.of(...bytes, 0) : bytes;
  }

  /** Forgets what was received. */
  forget(): void {
    this.#received.clear();
  }

  /** Whether every chunk is there and is the one that was offered. */
  isWhole(position: SnapshotPosition): boolean {
    const chunks = this.#received.get(position.digest) ?? [];
    for (let index = 0; index < position.chunks; index += 1) {
      const chunk = chunks[index];
      if (!chunk || Buffer.compare(chunk, chunkOf(position, index)) !== 0) return false;
    }
    return true;
  }
}

/** Chunks of the snapshot of a state: the same on every node. */
export const chunkOf = ({ digest }: SnapshotPosition, index: number): Uint8Array =>
  Buffer.from(`chunk ${index} of ${digest}`);
