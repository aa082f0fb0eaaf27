/**
 * Where state comes from when the engine has not seen it yet. Keys are binary (latin1) strings. The
 * engine keeps what it was given until it is told to forget, so between an answer and the next
 * write set of its own nobody else may change it.
 */
export interface EvmHost {
  /** Account record (see `encodeAccount`) by address, 20 characters. */
  account(key: string): Uint8Array | undefined;
  /**
   * Value of a slot, shortest big-endian bytes; undefined or no bytes for zero. The key is address
   * (20 characters), incarnation (4, left out while 0) and slot (32).
   */
  slot(key: string): Uint8Array | undefined;
  /** Code by its hash, 32 characters; whatever hash an account has, its code must be there. */
  code(key: string): Uint8Array | undefined;
}

/** What takes the net changes of a finished transaction. Bytes handed over belong to the sink. */
export interface EvmSink {
  /** A record, or undefined when the account is gone. */
  putAccount(key: string, record: Uint8Array | undefined): void;
  /** Shortest big-endian bytes, or undefined when the slot is zero again. */
  putSlot(key: string, value: Uint8Array | undefined): void;
  putCode(key: string, code: Uint8Array): void;
}
