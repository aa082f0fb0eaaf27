import type { AnyApp } from './define-app.ts';
import type { Platform, RawMap, RawRange } from './platform.ts';
import type { ServedEndpoint } from './serve.ts';
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
    strToBuf(text: string): ArrayBuffer;
    bufToStr(bytes: ArrayBuffer): string;
  };
  readonly concordat: { kv(map: string): RealmOrderedMap };
}

interface RealmMap {
  get(key: ArrayBuffer): ArrayBuffer | undefined;
  has(key: ArrayBuffer): boolean;
  set(key: ArrayBuffer, value: ArrayBuffer): void;
  delete(key: ArrayBuffer): void;
}

interface RealmOrderedMap {
  entries(range: RealmRange): IterableIterator<[ArrayBuffer, ArrayBuffer]>;
  count(range: RealmRange): number;
}

/** The endpoints of an application inside the realm of a node's application process. */
export const serveInRealm = (app: AnyApp): Readonly<Record<string, ServedEndpoint>> =>
  serveApp(app, createRealmPlatform(globalThis as unknown as RealmGlobals));

function createRealmPlatform({ ccf, concordat }: RealmGlobals): Platform {
  return {
    map: (name) => createMap(ccf.kv[name] as RealmMap, concordat.kv(name)),
    encode: (text) => new Uint8Array(ccf.strToBuf(text)),
    decode: (bytes) => ccf.bufToStr(whole(bytes)),
    digest: (bytes) => new Uint8Array(ccf.crypto.digest('SHA-256', whole(bytes))),
    setClaims: (digest) => ccf.rpc.setClaimsDigest(whole(digest)),
    nowMs: () => Date.now(),
    random: () => Math.random(),
  };
}

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
