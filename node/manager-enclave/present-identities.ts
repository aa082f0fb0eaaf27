/** A request may travel on behalf of an actor so long after its last connection ended. */
const keptMs = 120_000;
const maxPast = 4_096;

/** Connections of one identity record. */
interface Presence {
  open: number;
  leftMs: number;
}

/** Who is or was lately connected to a worker, by identity record. */
export class PresentIdentities {
  readonly #presences = new Map<string, Presence>();

  /** A connection of this identity began; call the answer once when it has ended. */
  arrive(identity: Uint8Array): () => void {
    const presence = this.#presenceOf(keyOf(identity));
    presence.open += 1;
    let left = false;
    return () => {
      if (!left) presence.open -= 1;
      left = true;
      presence.leftMs = performance.now();
    };
  }

  /** Whether the identity has a connection, or had one a short time ago. */
  has(identity: Uint8Array): boolean {
    const presence = this.#presences.get(keyOf(identity));
    return presence !== undefined && isRecent(presence);
  }

  #presenceOf(key: string): Presence {
    const known = this.#presences.get(key);
    if (known) return known;
    if (this.#presences.size >= maxPast) this.#forgetPast();
    const presence = { open: 0, leftMs: performance.now() };
    this.#presences.set(key, presence);
    return presence;
  }

  #forgetPast(): void {
    for (const [key, presence] of this.#presences) {
      if (!isRecent(presence)) this.#presences.delete(key);
    }
  }
}

const isRecent = ({ open, leftMs }: Presence): boolean =>
  open > 0 || performance.now() - leftMs < keptMs;

const keyOf = (identity: Uint8Array): string => Buffer.from(identity).toString('latin1');
