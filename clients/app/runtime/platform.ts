import type { ExternalRequest } from './external.ts';

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
  /** Seqno of the committed transaction that wrote the key. */
  versionOf(key: Uint8Array): number | undefined;
}

/** What one transaction wrote to a map; a key that it deleted is not there. */
export interface RawPastMap {
  get(key: Uint8Array): Uint8Array | undefined;
  entries(): readonly (readonly [Uint8Array, Uint8Array])[];
}

/** One committed transaction. */
export interface RawPast {
  /** `view.seqno` */
  readonly transactionId: string;
  /** As CCF's interface has it; see `verifyReceipt` of the sdk. */
  readonly receipt: unknown;
  map(name: string): RawPastMap;
}

/** Which committed transactions wrote to a map. */
export interface RawIndex {
  /** All of the application's transactions up to this seqno are in the index. */
  readonly upTo: number;
  /** Those that wrote or deleted a key, in order, at most 10,000; both bounds included. */
  seqnosOf(key: Uint8Array, bounds: SeqnoBounds): number[];
}

/** A range of transactions, both ends included. */
export interface SeqnoBounds {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly limit?: number | undefined;
}

/** What a system outside of the network answered. */
export interface RawExternal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What an application stands on: a node, or a test. */
export interface Platform {
  map(name: string): RawMap;
  /** The index over a map, by the name of its table. */
  index(name: string): RawIndex;
  /** The transaction that a request to a historical endpoint is about. */
  past(): RawPast | undefined;
  /** Committed transactions from one seqno to another; undefined while they are being read. */
  pastRange(from: number, to: number): readonly RawPast[] | undefined;
  /** UTF-8. */
  encode(text: string): Uint8Array;
  decode(bytes: Uint8Array): string;
  /** SHA-256. */
  digest(bytes: Uint8Array): Uint8Array;
  /** Binds 32 bytes into the transaction's receipt. */
  setClaims(digest: Uint8Array): void;
  /** Calls a system outside of the network, before a transaction. */
  external(system: string, request: ExternalRequest): Promise<RawExternal>;
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
  /** Of endpoints that make calls: what the calls left, and a key for the systems that were called. */
  readonly called?: unknown;
  readonly idempotencyKey?: string;
  readonly body: { text(): string };
}

/** An answer in the same form. */
export interface RawResponse {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}
