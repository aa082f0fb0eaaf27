/** Hears the confirmed height, or undefined when this node cannot answer: it does not lead. */
export type IndexCallback = (height: number | undefined) => void;

/** Questions of one turn, put to consensus as one. */
type Questions = IndexCallback[];

/** Questions that wait at a time, over all turns; more are told that there is no answer. */
const maxWaiting = 65_536;

/**
 * The leader's side of linearizable reads: asks consensus for a ReadIndex (Raft thesis, 6.4) under
 * ids that are never used again. All that is asked in one turn of the event loop shares one.
 */
export class ReadIndex {
  readonly #ask: (requestId: string) => void;
  readonly #asked = new Map<string, Questions>();
  #collecting: Questions = [];
  #waiting = 0;
  #nextId = 1;

  /** @param ask puts a request to consensus, which answers by {@link confirmed} or {@link failed} */
  constructor(ask: (requestId: string) => void) {
    this.#ask = ask;
  }

  /**
   * Finds the height at which a read asked for now is linearizable. The callback is called once,
   * never from inside; while no quorum answers, not before this node ceases to lead.
   */
  request(callback: IndexCallback): void {
    if (this.#waiting >= maxWaiting) {
      process.nextTick(callback, undefined);
      return;
    }
    this.#waiting += 1;
    this.#collecting.push(callback);
    if (this.#collecting.length === 1) process.nextTick(() => this.#askOnce());
  }

  #askOnce(): void {
    const questions = this.#collecting;
    this.#collecting = [];
    const id = String(this.#nextId);
    this.#nextId += 1;
    this.#asked.set(id, questions);
    this.#ask(id);
  }

  /** Consensus confirmed that everything committed at the time of the request is at this height. */
  confirmed(requestId: string, height: number): void {
    this.#answer(requestId, height);
  }

  /** This node does not lead, or no longer. */
  failed(requestId: string): void {
    this.#answer(requestId, undefined);
  }

  #answer(requestId: string, height: number | undefined): void {
    const questions = this.#asked.get(requestId);
    if (!questions) return;
    this.#asked.delete(requestId);
    this.#waiting -= questions.length;
    for (const callback of questions) callback(height);
  }
}
