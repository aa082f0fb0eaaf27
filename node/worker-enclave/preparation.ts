/**
 * The part of an adapter's `admit` that follows from a request's bytes alone: neither from state nor
 * from configuration, order or time. The runtime does it for many requests at once in a thread of
 * its own, while the batch before is executed, where there is a processor for it; else `admit` is not given
 * anything and does it itself. The thread runs the same program, on an adapter of its own that is
 * never configured or started: it holds no state, no key and no connection.
 */
export interface Preparation {
  /** Longer requests are not prepared. It bounds what one request can cost, with what `prepare` does. */
  readonly maxBytes: number;
  /**
   * What `admit` is to be given of a request; empty bytes for nothing, as for foreign bytes that `admit`
   * refuses anyway. A throw counts as nothing. Called in any order, for any number of requests.
   */
  prepare(raw: Uint8Array): Uint8Array;
}

/** Who prepares requests beside the main thread. */
export interface Preparer {
  /**
   * Takes requests of one adapter; false when there is nobody to, who may be there later. Otherwise
   * `done` is called once, not from inside: with what was made of each, empty for nothing, or
   * without when it was lost.
   */
  prepare(
    adapterId: string,
    raws: readonly Uint8Array[],
    done: (prepared?: readonly Uint8Array[]) => void,
  ): boolean;
}
