/** Which keys of a map a scan gives, all as bytes; the bounds combine. */
export interface RawRange {
  readonly prefix?: Uint8Array;
  /** The first key, included. */
  readonly from?: Uint8Array;
  /** The end, excluded. */
  readonly to?: Uint8Array;
  /** Keys that come after this one in the direction of the scan. */
  readonly after?: Uint8Array;
  /** From the last key down. */
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** A map of the ledger. What it hands out is a copy. */
export interface RawMap {
  get(key: Uint8Array): Uint8Array | undefined;
  has(key: Uint8Array): boolean;
  set(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
  /** In the order of the keys' bytes, as far as it is asked; writes ahead of it are seen. */
  entries(range: RawRange): IterableIterator<[Uint8Array, Uint8Array]>;
  count(range: RawRange): number;
}

/** What an application stands on: a node, or a test. */
export interface Platform {
  map(name: string): RawMap;
  /** UTF-8. */
  encode(text: string): Uint8Array;
  decode(bytes: Uint8Array): string;
  /** SHA-256. */
  digest(bytes: Uint8Array): Uint8Array;
  /** Binds 32 bytes into the transaction's receipt. */
  setClaims(digest: Uint8Array): void;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** At least 0 and below 1, in 53 bits. */
  random(): number;
}

/** A request as CCF's interface hands it over, as far as it is used. */
export interface RawRequest {
  readonly params: Readonly<Record<string, string>>;
  /** Without `?`. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly caller?: unknown;
  readonly body: { text(): string };
}

/** An answer in the same form. */
export interface RawResponse {
  readonly statusCode: number;
  readonly body?: unknown;
}
