import type { AnyApp } from './define-app.ts';
import type { ExternalRequest } from './external.ts';
import type { Platform, RawIndex, RawMap, RawPast, RawRange, SeqnoBounds } from './platform.ts';
import type { ServedCalls, ServedEndpoint } from './serve.ts';
import { serveApp } from './serve.ts';

/** The bounds of a scan as the global `concordat` takes them. */
interface RealmRange {
  readonly prefix?: ArrayBuffer;
  readonly from?: ArrayBuffer;
  readonly to?: ArrayBuffer;
  readonly after?: ArrayBuffer;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** The part of the realm's globals that is used; see `docs/javascript.md`. */
interface RealmGlobals {
  readonly ccf: {
    readonly kv: Readonly<Record<string, RealmMap>>;
    readonly crypto: { digest(algorithm: string, data: ArrayBuffer): ArrayBuffer };
    readonly rpc: { setClaimsDigest(digest: ArrayBuffer): void };
    readonly historicalState?: RealmPast;
    readonly historical: {
      getStateRange(handle: number, from: number, to: number, seconds: number): RealmPast[] | null;
    };
    strToBuf(text: string): ArrayBuffer;
    bufToStr(bytes: ArrayBuffer): string;
  };
  readonly concordat: {
    kv(map: string): RealmOrderedMap;
    index(name: string): RealmIndex;
    external(system: string, request: ExternalRequest): Promise<RealmAnswer>;
  };
}

interface RealmAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { arrayBuffer(): ArrayBuffer };
}

interface RealmPast {
  readonly transactionId: string;
  readonly receipt: unknown;
  readonly kv: Readonly<Record<string, RealmPastMap>>;
}

interface RealmPastMap {
  get(key: ArrayBuffer): ArrayBuffer | undefined;
  forEach(visit: (value: ArrayBuffer, key: ArrayBuffer) => void): void;
}

interface RealmIndex {
  readonly upTo: number;
  seqnosOf(key: ArrayBuffer, bounds: SeqnoBounds): number[];
}

interface RealmMap {
  get(key: ArrayBuffer): ArrayBuffer | undefined;
  has(key: ArrayBuffer): boolean;
  set(key: ArrayBuffer, value: ArrayBuffer): void;
  delete(key: ArrayBuffer): void;
  getVersionOfPreviousWrite(key: ArrayBuffer): number | undefined;
}

interface RealmOrderedMap {
  entries(range: RealmRange): IterableIterator<[ArrayBuffer, ArrayBuffer]>;
  count(range: RealmRange): number;
}

/** The endpoints of an application inside the realm of a node's application process. */
export const serveInRealm = (app: AnyApp): Readonly<Record<string, ServedEndpoint | ServedCalls>> =>
  serveApp(app, createRealmPlatform(globalThis as unknown as RealmGlobals));

function createRealmPlatform({ ccf, concordat }: RealmGlobals): Platform {
  return {
    map: (name) => createMap(ccf.kv[name] as RealmMap, concordat.kv(name)),
    external: async (system, request) => {
      const { status, headers, body } = await concordat.external(system, request);
      return { status, headers, body: new Uint8Array(body.arrayBuffer()) };
    },
    index: (name) => createIndex(concordat.index(name)),
    past: () => (ccf.historicalState === undefined ? undefined : pastOf(ccf.historicalState)),
    pastRange(from, to) {
      // Ranges that begin alike share what was read for them, as long as they are asked for.
      const handle = from % 2 ** 32;
      const states = ccf.historical.getStateRange(handle, from, to, keptSeconds);
      return states === null ? undefined : states.map(pastOf);
    },
    encode: (text) => new Uint8Array(ccf.strToBuf(text)),
    decode: (bytes) => ccf.bufToStr(whole(bytes)),
    digest: (bytes) => new Uint8Array(ccf.crypto.digest('SHA-256', whole(bytes))),
    setClaims: (digest) => ccf.rpc.setClaimsDigest(whole(digest)),
    nowMs: () => Date.now(),
    random: () => Math.random(),
  };
}

/** How long what was read of the past is kept for the next request. */
const keptSeconds = 60;

const createIndex = (index: RealmIndex): RawIndex => ({
  get upTo() {
    return index.upTo;
  },
  seqnosOf: (key, bounds) => index.seqnosOf(whole(key), bounds),
});

const pastOf = ({ transactionId, receipt, kv }: RealmPast): RawPast => ({
  transactionId,
  receipt,
  map(name) {
    const map = kv[name] as RealmPastMap;
    return {
      get(key) {
        const value = map.get(whole(key));
        return value === undefined ? undefined : new Uint8Array(value);
      },
      entries() {
        const found: [Uint8Array, Uint8Array][] = [];
        map.forEach((value, key) => {
          found.push([new Uint8Array(key), new Uint8Array(value)]);
        });
        return found;
      },
    };
  },
});

function createMap(map: RealmMap, ordered: RealmOrderedMap): RawMap {
  return {
    get(key) {
      const value = map.get(whole(key));
      return value === undefined ? undefined : new Uint8Array(value);
    },
    has: (key) => map.has(whole(key)),
    set: (key, value) => {
      map.set(whole(key), whole(value));
    },
    delete: (key) => map.delete(whole(key)),
    *entries(range) {
      for (const [key, value] of ordered.entries(realmRange(range))) {
        yield [new Uint8Array(key), new Uint8Array(value)];
      }
    },
    count: (range) => ordered.count(realmRange(range)),
    versionOf: (key) => map.getVersionOfPreviousWrite(whole(key)),
  };
}

function realmRange({ prefix, from, to, after, reverse, limit }: RawRange): RealmRange {
  return {
    ...(prefix !== undefined && { prefix: whole(prefix) }),
    ...(from !== undefined && { from: whole(from) }),
    ...(to !== undefined && { to: whole(to) }),
    ...(after !== undefined && { after: whole(after) }),
    ...(reverse !== undefined && { reverse }),
    ...(limit !== undefined && { limit }),
  };
}

/** The bytes as a buffer of their own: a view may be of a part of one. */
function whole(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteLength } = bytes;
  const isWhole = buffer.byteLength === byteLength;
  return (isWhole ? buffer : bytes.slice().buffer) as ArrayBuffer;
}
