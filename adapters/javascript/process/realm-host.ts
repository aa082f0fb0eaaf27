/** Bounds of a scan, as the application gave them. */
export interface RealmBounds {
  readonly prefix: unknown;
  readonly from: unknown;
  readonly to: unknown;
  readonly after: unknown;
  readonly reverse: boolean;
}

/** Committed states of the past, told apart by numbers. */
export interface RealmPast {
  /** The state the request is about; -1 when it is about none. */
  own(): number;
  /** The first of the states of a range, the others follow; -1 while they are not there. */
  range(handle: number, start: number, end: number, seconds: number): number;
  drop(handle: number): boolean;
  /** `view.seqno`. */
  id(state: number): string;
  /** JSON. */
  receipt(state: number): string;
  get(state: number, map: string, key: unknown): ArrayBuffer | undefined;
  has(state: number, map: string, key: unknown): boolean;
  size(state: number, map: string): number;
  each(state: number, map: string, visit: (key: ArrayBuffer, value: ArrayBuffer) => void): void;
}

/** The indexes of the application, told apart by numbers. */
export interface RealmIndexes {
  readonly upTo: number;
  find(name: string): number | undefined;
  seqnosOf(
    index: number,
    key: unknown,
    bounds: { readonly from: number; readonly to: number; readonly limit: number },
  ): readonly number[];
}

/** What the process offers to this code: primitives and the realm's own buffers in and out. */
export interface RealmHost {
  get(map: string, key: unknown): ArrayBuffer | undefined;
  has(map: string, key: unknown): boolean;
  /** Seqno of the transaction that wrote the key; -1 for a key without a value. */
  version(map: string, key: unknown): number;
  set(map: string, key: unknown, value: unknown): void;
  delete(map: string, key: unknown): void;
  clear(map: string): void;
  size(map: string): number;
  each(map: string, visit: (key: ArrayBuffer, value: ArrayBuffer) => void): void;
  /**
   * Visits entries in the order of their keys, each with its place as a text: `wanted` at most,
   * those after the place `at` if it is given. True when there may be more.
   */
  scan(
    map: string,
    bounds: RealmBounds,
    chunk: { readonly at: string | undefined; readonly wanted: number },
    visit: (place: string, key: ArrayBuffer, value: ArrayBuffer) => void,
  ): boolean;
  count(map: string, bounds: RealmBounds): number;
  /** A number that every write to the map changes. */
  writesOf(map: string): number;
  encode(text: string): ArrayBuffer;
  decode(bytes: unknown): string;
  body(): ArrayBuffer;
  bodyText(): string;
  part(name: 'headers' | 'params' | 'caller'): string;
  random(): number;
  applyWrites(force: boolean): void;
  claims(digest: unknown): void;
  lastCommitted(): string;
  statusOf(view: number, seqno: number): string;
  viewOf(seqno: number): number;
  crypto(
    operation: string,
    options: string,
    first: unknown,
    second: unknown,
    third: unknown,
  ): unknown;
  /** Tells requests apart: a number of the one that runs, the same at each step of its calls. */
  running(): number;
  answer(status: number, headers: string, type: string, body: unknown): void;
  failed(message: string, trace: string, code: string): void;
  /** Has a call made, `told` being JSON of all but its body; returns its number. */
  external(told: string, body: unknown): number;
  /** What the function that makes the calls returned, as JSON. */
  called(value: string): void;
  readonly past: RealmPast;
  readonly indexes: RealmIndexes;
}

/** How the process calls into the realm. */
export interface RealmCalls {
  /** Takes the application's modules; see `createModules`. */
  modules(plan: string, factories: readonly unknown[]): RealmModules;
  /** An empty buffer of the realm. */
  allocate(bytes: number): ArrayBuffer;
  /** Ends the request with what the application threw. */
  failed(error: unknown): void;
  /** Runs a handler; true when it left a promise that must settle first. */
  run(handler: unknown, line: string): boolean;
  /** Runs a function that makes calls. */
  prepare(handler: unknown, line: string): void;
  /** Gives one of its calls an answer, or a code; see `createExternal`. */
  settle(number: number, status: number, told: string, body: ArrayBuffer): void;
  /** Nobody will ever answer a call. */
  drop(number: number): void;
}

/** Runs an action of the process with its errors turned into the realm's own. */
export type Guarded = <T>(action: () => T) => T;
/** An object of unknown content. */
export type AnyRecord = Record<string, unknown>;

/** The modules of an application inside the realm. */
export interface RealmModules {
  /** No instances yet: what {@link exported} fills. */
  none(): unknown;
  /** What a module exports under a name, from these instances; makes those that are missing. */
  exported(index: number, name: string, instances: unknown): unknown;
}
