import { sha256 } from '@concordat/crypto';
import { toLatin1 } from '@concordat/std';

/** A request may travel on behalf of an actor so long after its last connection ended. */
const keptMs = 120_000;
/** Identities remembered that left; an actor may have any number of certificates issued. */
const maxPast = 65_536;

/** Who is or was lately connected to a worker, by the digest of the identity record. */
export class PresentIdentities {
  /** Connections by identity. */
  readonly #open = new Map<string, number>();
  /** When those left who have no connection any more, the longest gone first. */
  readonly #past = new Map<string, number>();
  readonly #nowMs: () => number;

  /** @param nowMs monotonic milliseconds */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Identities remembered now. */
  get size(): number {
    return this.#open.size + this.#past.size;
  }

  /** A connection of this identity began; call the answer once when it has ended. */
  arrive(identity: Uint8Array): () => void {
    const key = keyOf(identity);
    this.#past.delete(key);
    this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#leave(key);
    };
  }

  /** Whether the identity has a connection, or had one a short time ago. */
  has(identity: Uint8Array): boolean {
    const key = keyOf(identity);
    if (this.#open.has(key)) return true;
    const leftMs = this.#past.get(key);
    return leftMs !== undefined && this.#nowMs() - leftMs < keptMs;
  }

  #leave(key: string): void {
    const others = (this.#open.get(key) ?? 1) - 1;
    if (others > 0) {
      this.#open.set(key, others);
      return;
    }
    this.#open.delete(key);
    const nowMs = this.#nowMs();
    for (const [past, leftMs] of this.#past) {
      if (this.#past.size < maxPast && nowMs - leftMs < keptMs) break;
      this.#past.delete(past);
    }
    this.#past.set(key, nowMs);
  }
}

const keyOf = (identity: Uint8Array): string => toLatin1(sha256(identity));
