import { type Key, type ReadView, unnumbered } from '@concordat/kv';
import { fromLatin1 } from '@concordat/std';
import { encodeAnswer, isHeader } from '../answer-form.ts';
import { type Called, maxCalledBytes } from '../call-form.ts';
import type { ApplicationLimits, Call, CallResult } from '../frames.ts';
import { decodeRequest, splitUrl } from '../request-form.ts';
import { maxRecordKeyBytes, prefixOfMap, tableOfMap } from '../tables.ts';
import type { TransactionHistory } from '../transaction-history.ts';
import type { CallPhases, OpenPhase } from './call-phases.ts';
import { bytesOf, cryptoOperations } from './crypto-operations.ts';
import { type KeyRange, type OwnWrites, rangeOf, scanEntries } from './ordered-scan.ts';
import { RequestWrites } from './own-writes.ts';
import type { PastRanges } from './past-ranges.ts';
import { PastView } from './past-view.ts';
import type { RealmBounds, RealmHost } from './realm-host.ts';
import type { SeqnoIndexes } from './seqno-indexes.ts';

/** What a request wrote, by table. */
export type Writes = ReadonlyMap<string, OwnWrites>;

/** How a request begins. */
export interface BeganRequest {
  readonly call: Call;
  readonly view: ReadView;
  readonly writable: boolean;
  /** The endpoint's path template. */
  readonly route: string;
  /** Of a function that makes calls. */
  readonly phase?: OpenPhase;
}

interface MapPlace {
  readonly table: string;
  readonly prefix: Key;
  /** Changes with every write to the map. */
  serial: number;
}

/** Bytes of values that a scan fetches at a time. */
const scanChunkBytes = 64 * 1024;

/** What a request has beside the state. */
export interface RequestSources {
  readonly random: (bytes: number) => Uint8Array;
  readonly ranges: PastRanges;
  readonly indexes: SeqnoIndexes;
  readonly phases: CallPhases;
}

type Outcome = Exclude<CallResult, { kind: 'unfinished' | 'unplaced' }>;

/**
 * What the running request sees and has done. Its writes lie here until it has ended, so that a
 * request that is interrupted anywhere has changed nothing.
 */
export class RequestState implements RealmHost {
  readonly #limits: ApplicationLimits;
  readonly #history: TransactionHistory;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #phases: CallPhases;
  #allocate: (bytes: number) => ArrayBuffer = (bytes) => new ArrayBuffer(bytes);
  #writes = new RequestWrites();
  #lastSerial = 0;
  #writtenBytes = 0;
  #began: BeganRequest | undefined;
  #requests = 0;
  #headers: readonly (readonly [string, string])[] = [];
  #body: Uint8Array = new Uint8Array(0);
  #forced = false;
  #claims: Uint8Array | undefined;
  #outcome: Outcome | undefined;
  #ok = false;
  #unplaced = false;
  readonly #places = new Map<string, MapPlace>();

  readonly past: PastView;
  readonly indexes: SeqnoIndexes;

  constructor(
    limits: ApplicationLimits,
    history: TransactionHistory,
    { random, ranges, indexes, phases }: RequestSources,
  ) {
    this.#limits = limits;
    this.#history = history;
    this.#random = random;
    this.#phases = phases;
    this.indexes = indexes;
    this.past = new PastView(ranges, (bytes) => this.#give(bytes));
  }

  /** Buffers for the application are made in its realm. */
  allocateWith(allocate: (bytes: number) => ArrayBuffer): void {
    this.#allocate = allocate;
  }

  /** Begins a request; returns the JSON of what its handler gets at once. @throws DecodeError */
  begin(began: BeganRequest): string {
    this.#began = began;
    this.#requests += 1;
    if (!this.#writes.isEmpty) this.#writes = new RequestWrites();
    this.#writtenBytes = 0;
    this.#forced = false;
    this.#claims = undefined;
    this.#outcome = undefined;
    this.#unplaced = false;
    this.past.begin(began.call.state);
    const { method, url, headers, body } = decodeRequest(began.call.request);
    this.#headers = headers;
    this.#body = body;
    const { path, query } = splitUrl(url);
    const hostname = headers.find(([name]) => name === 'host')?.[1] ?? null;
    const line = { method, url, path, query, route: began.route, hostname };
    return withCalled(line, began.call.called);
  }

  /** What became of the request; undefined while it has not answered. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** Whether it asked for a version that is not certain yet: whatever it did then counts for nothing. */
  get isUnplaced(): boolean {
    return this.#unplaced;
  }

  /** What is to be written: nothing unless the answer is a success or the application insists. */
  get writes(): Writes | undefined {
    const keep = this.#outcome?.kind === 'answered' && (this.#ok || this.#forced);
    return keep && !this.#writes.isEmpty ? this.#writes.tables : undefined;
  }

  get claimsDigest(): Uint8Array | undefined {
    return this.#claims;
  }

  get(map: string, key: unknown): ArrayBuffer | undefined {
    const place = this.#place(map);
    const value = this.#read(place, this.#key(place, key));
    return value === undefined ? undefined : this.#give(value);
  }

  has(map: string, key: unknown): boolean {
    const place = this.#place(map);
    return this.#read(place, this.#key(place, key)) !== undefined;
  }

  version(map: string, key: unknown): number {
    const place = this.#place(map);
    const version = this.#request.view.table(place.table).versionOf(this.#key(place, key));
    if (version !== unnumbered) return version ?? -1;
    this.#unplaced = true;
    throw new TypeError('the version is not certain yet: the request begins again');
  }

  set(map: string, key: unknown, value: unknown): void {
    const place = this.#place(map);
    this.#write(place, this.#key(place, key), bytesOf(value, 'the value').slice());
  }

  delete(map: string, key: unknown): void {
    const place = this.#place(map);
    this.#write(place, this.#key(place, key), undefined);
  }

  clear(map: string): void {
    const place = this.#place(map);
    for (const [key] of [...this.#entries(place)]) this.#write(place, key, undefined);
  }

  size(map: string): number {
    let size = 0;
    for (const _ of this.#entries(this.#place(map))) size += 1;
    return size;
  }

  each(map: string, visit: (key: ArrayBuffer, value: ArrayBuffer) => void): void {
    const place = this.#place(map);
    for (const [key, value] of this.#entries(place)) {
      visit(this.#give(fromLatin1(key.slice(place.prefix.length))), this.#give(value));
    }
  }

  scan(
    map: string,
    bounds: RealmBounds,
    { at, wanted }: { readonly at: string | undefined; readonly wanted: number },
    visit: (place: string, key: ArrayBuffer, value: ArrayBuffer) => void,
  ): boolean {
    const place = this.#place(map);
    let [count, bytes] = [0, 0];
    for (const [key, value] of this.#scan(place, this.#range(place, bounds, at))) {
      const own = key.slice(place.prefix.length);
      visit(own, this.#give(fromLatin1(own)), this.#give(value));
      count += 1;
      bytes += value.length;
      if (count >= wanted || bytes >= scanChunkBytes) return true;
    }
    return false;
  }

  count(map: string, bounds: RealmBounds): number {
    const place = this.#place(map);
    let count = 0;
    for (const _ of this.#scan(place, this.#range(place, bounds))) count += 1;
    return count;
  }

  writesOf(map: string): number {
    return this.#place(map).serial;
  }

  encode(text: string): ArrayBuffer {
    return this.#give(Buffer.from(text, 'utf8'));
  }

  decode(bytes: unknown): string {
    return textOf(bytesOf(bytes, 'the buffer'));
  }

  body(): ArrayBuffer {
    return this.#give(this.#body);
  }

  bodyText(): string {
    return textOf(this.#body);
  }

  part(name: 'headers' | 'params' | 'caller'): string {
    if (name === 'headers') return JSON.stringify(Object.fromEntries(this.#headers));
    const call = this.#began?.call;
    return (name === 'params' ? call?.params : call?.caller) ?? '';
  }

  random(): number {
    // 53 bits, as many as a double below 1 can tell apart.
    return Number(Buffer.from(this.#random(8)).readBigUInt64BE() >> 11n) / 2 ** 53;
  }

  applyWrites(force: boolean): void {
    this.#forced = force;
  }

  claims(digest: unknown): void {
    const bytes = bytesOf(digest, 'the claims digest');
    if (bytes.length !== 32) throw new TypeError('a claims digest has 32 bytes');
    this.#claims = bytes.slice();
  }

  lastCommitted(): string {
    const { view, seqno } = this.#history.last;
    return `${view}.${seqno}`;
  }

  statusOf(view: number, seqno: number): string {
    return this.#history.statusOf(view, seqno);
  }

  viewOf(seqno: number): number {
    return this.#history.viewOf(seqno) ?? -1;
  }

  crypto(
    operation: string,
    options: string,
    first: unknown,
    second: unknown,
    third: unknown,
  ): unknown {
    const known = Object.hasOwn(cryptoOperations, operation);
    const run = known ? cryptoOperations[operation] : undefined;
    if (run === undefined) throw new TypeError('unknown operation');
    const given = JSON.parse(options) as unknown;
    const fields = typeof given === 'object' && given !== null ? given : {};
    const result = run(fields as Record<string, unknown>, [first, second, third]);
    return typeof result === 'object' ? this.#give(result) : result;
  }

  running(): number {
    const { phase } = this.#request;
    return phase === undefined ? this.#requests : -phase.phase;
  }

  answer(status: number, headers: string, type: string, body: unknown): void {
    if (this.#outcome !== undefined) return;
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new TypeError('statusCode is a whole number from 200 to 599');
    }
    const content = typeof body === 'string' ? Buffer.from(body) : bytesOf(body, 'the body');
    const { maxAnswerBytes } = this.#limits;
    if (content.length > maxAnswerBytes) {
      this.refuse('APPLICATION_LIMIT', `an answer has at most ${maxAnswerBytes} bytes`);
      return;
    }
    const given = JSON.parse(headers) as [string, unknown][];
    const own = given.map(([name, value]): [string, string] => [name.toLowerCase(), `${value}`]);
    const wrong = own.find(([name, value]) => !isHeader(name, value));
    if (wrong !== undefined || own.length > 40) throw new TypeError('a header is not acceptable');
    const typed = type === '' || own.some(([name]) => name === 'content-type');
    const all: [string, string][] = typed ? own : [['content-type', type], ...own];
    const answer = encodeAnswer({ status, headers: all, body: content });
    this.#ok = status < 300;
    this.#outcome = { kind: 'answered', answer };
  }

  failed(message: string, trace: string, thrown: string): void {
    if (this.#outcome !== undefined) return;
    const code = externalCode.test(thrown) ? thrown : 'APPLICATION_FAILED';
    this.refuse(code, message.slice(0, 1_000), ownFrames(trace));
  }

  external(told: string, body: unknown): number {
    const { phase } = this.#request;
    if (phase !== undefined) return this.#phases.want(phase, told, body);
    throw new TypeError('calls are made before the transaction, where concordat_calls says');
  }

  called(value: string): void {
    if (this.#outcome !== undefined) return;
    const bytes = Buffer.from(value);
    if (bytes.length > maxCalledBytes) {
      throw new TypeError(`what calls leave has at most ${maxCalledBytes} bytes`);
    }
    this.#outcome = { kind: 'called', value: bytes };
  }

  /** Ends the request with a code; the first end counts, except that a limit overrides it. */
  refuse(code: string, message: string, trace = ''): void {
    this.#outcome = { kind: 'failed', code, message, trace };
  }

  #place(map: string): MapPlace {
    const known = this.#places.get(map);
    if (known !== undefined) return known;
    const prefix = prefixOfMap(map);
    if (prefix === undefined) throw new TypeError('the name of a map has 1 to 255 bytes of UTF-8');
    const place = { table: tableOfMap(map), prefix, serial: this.#nextSerial() };
    if (this.#places.size >= 1_000) this.#places.clear();
    this.#places.set(map, place);
    return place;
  }

  #key({ prefix }: MapPlace, key: unknown): Key {
    const bytes = bytesOf(key, 'the key');
    if (bytes.length > maxRecordKeyBytes) {
      throw new TypeError(`a key has at most ${maxRecordKeyBytes} bytes`);
    }
    return prefix + Buffer.prototype.latin1Slice.call(bytes);
  }

  #nextSerial(): number {
    this.#lastSerial += 1;
    return this.#lastSerial;
  }

  #range(place: MapPlace, bounds: RealmBounds, at?: Key): KeyRange {
    const [prefix, from, to, after] = [bounds.prefix, bounds.from, bounds.to, bounds.after].map(
      (bound) => (bound === undefined ? undefined : this.#key({ ...place, prefix: '' }, bound)),
    );
    return rangeOf(place.prefix, { prefix, from, to, after: at ?? after, reverse: bounds.reverse });
  }

  #scan({ table }: MapPlace, range: KeyRange): Iterable<[Key, Uint8Array]> {
    return scanEntries(this.#request.view.table(table), range, this.#writes.ordered(table));
  }

  #read({ table }: MapPlace, key: Key): Uint8Array | undefined {
    const own = this.#writes.of(table);
    if (own?.has(key)) return own.get(key);
    return this.#request.view.table(table).get(key);
  }

  #write(place: MapPlace, key: Key, value: Uint8Array | undefined): void {
    if (!this.#request.writable) throw new TypeError('this endpoint is read-only');
    this.#writtenBytes += key.length + (value?.length ?? 0);
    if (this.#writtenBytes > this.#limits.maxWriteBytes) {
      throw new TypeError(`a request writes at most ${this.#limits.maxWriteBytes} bytes`);
    }
    place.serial = this.#nextSerial();
    this.#writes.put(place.table, key, value);
  }

  #entries(place: MapPlace): Iterable<[Key, Uint8Array]> {
    return this.#scan(place, rangeOf(place.prefix, { reverse: false }));
  }

  #give(bytes: Uint8Array): ArrayBuffer {
    const buffer = this.#allocate(bytes.length);
    new Uint8Array(buffer).set(bytes);
    return buffer;
  }

  get #request(): BeganRequest {
    if (this.#began === undefined) throw new TypeError('no request is running');
    return this.#began;
  }
}

/** What a call fails with keeps its code where the application does not care. */
const externalCode = /^EXTERNAL_[A-Z_]{1,50}$/;

/** The beginning of a request, with what its calls left. */
function withCalled(line: Readonly<Record<string, unknown>>, called: Called | undefined): string {
  if (called === undefined) return JSON.stringify(line);
  const text = JSON.stringify({ ...line, idempotencyKey: called.key });
  return called.value.length === 0
    ? text
    : `${text.slice(0, -1)},"called":${textOf(called.value)}}`;
}

/** Frames of this process, whatever the application may see of them, are nobody's business. */
const foreignFrame = /\((?:realm|file:|node:)|at (?:realm|file:|node:|evalmachine)/;
const maxTraceLength = 4_000;

const ownFrames = (trace: string): string =>
  trace
    .slice(0, maxTraceLength)
    .split('\n')
    .filter((line) => !foreignFrame.test(line))
    .join('\n');

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
