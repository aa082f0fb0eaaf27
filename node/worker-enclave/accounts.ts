/** What one actor holds at this worker right now. */
export interface Account {
  /** Transactions accepted and not answered. */
  inFlight: number;
  /** Linearizable reads held back. */
  reads: number;
  /** HTTP requests not answered. */
  requests: number;
  connections: number;
}

/** Accounts by actor; one without anything open is forgotten. */
export class Accounts {
  readonly #accounts = new Map<string, Account>();

  /** The actor's account, made when it has none. */
  of(actorId: string): Account {
    let account = this.#accounts.get(actorId);
    if (account === undefined) {
      account = { inFlight: 0, reads: 0, requests: 0, connections: 0 };
      this.#accounts.set(actorId, account);
    }
    return account;
  }

  /** Forgets the account if nothing is open on it. Call when a connection has gone. */
  release(actorId: string): void {
    const account = this.#accounts.get(actorId);
    if (account === undefined) return;
    const { inFlight, reads, requests, connections } = account;
    if (inFlight + reads + requests + connections === 0) this.#accounts.delete(actorId);
  }
}
