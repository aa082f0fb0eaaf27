/** GET /gov/keys: the shared keys, who holds shares of them, and who was given recovery copies. */
export interface SharedKeysState {
  /** The epoch in force. */
  readonly epoch: number;
  /** Newest first: the first one encrypts session keys. */
  readonly keys: readonly SharedKeyState[];
  /** A ceremony that is under way, or due. */
  readonly ceremony?: {
    readonly state: 'open' | 'due';
    readonly purpose: 'fresh' | 'reshare';
    readonly reason: string;
    /** Number of the key. */
    readonly key: number;
  };
  /** Numbers of keys of which today's members hold too few shares: copies alone open their epochs. */
  readonly outOfReach: readonly number[];
}

/** One shared key. */
export interface SharedKeyState {
  readonly number: number;
  /** Hex, 32 bytes. */
  readonly keyId: string;
  /** Oldest first; the last one is what nodes hold shares of. */
  readonly sharings: readonly SharingState[];
}

/** One sharing of a key: copies of it add up with each other, and with no other's. */
export interface SharingState {
  /** Number of the ceremony that dealt it. */
  readonly number: number;
  /** So many shares read a session key. */
  readonly threshold: number;
  /** The public side, hex (docs/format/threshold-keys.md): what a copy is checked against. */
  readonly form: string;
  readonly holders: readonly {
    readonly actorId: string;
    /** Its name now; its id when it is an actor no more. */
    readonly name: string;
    /** How often it was given a recovery copy of its share, 0 when never. */
    readonly copies: number;
    /** When the newest copy was given, seconds since the Unix epoch. */
    readonly copiedAtSeconds?: number;
  }[];
}

/** POST /gov/key-exports, a signed `key-export` message: copies of the member's shares. */
export interface KeyExportAnswer {
  readonly copies: readonly {
    /** Number of the key. */
    readonly key: number;
    /** Number of the sharing's ceremony. */
    readonly sharing: number;
    /** The recovery file's text (docs/format/threshold-keys.md), sealed to the key in the message. */
    readonly file: string;
  }[];
  /**
   * Recorded as given, and not at hand on this node: send the same message to another node of one's own,
   * or again later.
   */
  readonly missing: readonly { readonly key: number; readonly sharing: number }[];
}
