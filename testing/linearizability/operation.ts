/** What a client asked of the register under one key. */
export type Action =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: string }
  | {
      readonly kind: 'compare-and-set';
      /** Value that must be there; undefined: none may be. */
      readonly expected: string | undefined;
      readonly value: string;
    }
  | { readonly kind: 'delete' };

/** What the client was told. Whatever is left out was not told and constrains nothing. */
export interface Result {
  /** A read: the value found; undefined when there was none. */
  readonly value?: string | undefined;
  /** A compare-and-set: whether the expected value was there, so that the new one is now. */
  readonly applied?: boolean;
  /** A write or delete: whether there was a value before. */
  readonly existed?: boolean;
}

/** One call of one client, with what became of it. */
export interface Operation {
  /** Who called; only shown. */
  readonly client: string;
  /** Every key is a register of its own: linearizability is local (Herlihy and Wing 1990, 3.1). */
  readonly key: string;
  readonly action: Action;
  /** When it was sent; any unit, the same for all operations of a history. */
  readonly called: number;
  /** When the answer came; absent when none did. An answer at the moment of a call overlaps it. */
  readonly returned?: number;
  /**
   * `unknown`: it may have taken effect, may yet at any time after the call, or never will.
   * `failed`: it certainly had no effect and never will.
   */
  readonly result: Result | 'unknown' | 'failed';
}
