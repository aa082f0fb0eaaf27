import type { TransactionStatus } from '../transaction-history.ts';
import type { AnyRecord, Guarded, RealmHost } from './realm-host.ts';

/**
 * Code that runs inside an application's realm, before the application: its functions are turned
 * into text and evaluated there, so each may use nothing but its arguments and the realm's own
 * globals. What the application gets to see is made here; functions of the process itself stay in
 * closures, because an object of another realm is a way out of this one.
 */

/** Turns errors of the process into errors of the realm. */
export function createGuard(): Guarded {
  return (action) => {
    try {
      return action();
    } catch (error) {
      let message = 'the operation failed';
      try {
        message = String((error as Error).message);
      } catch {
        // Whatever it was, it is not shown.
      }
      throw new TypeError(message);
    }
  };
}

/** `ccf.kv`: maps by name, made when first asked for. */
export function createMaps(host: RealmHost, guard: Guarded) {
  class KvMap {
    readonly #name: string;
    constructor(name: string) {
      this.#name = name;
    }
    has(key: unknown): boolean {
      return guard(() => host.has(this.#name, key));
    }
    get(key: unknown): ArrayBuffer | undefined {
      return guard(() => host.get(this.#name, key));
    }
    getVersionOfPreviousWrite(key: unknown): number | undefined {
      const version = guard(() => host.version(this.#name, key));
      return version < 0 ? undefined : version;
    }
    set(key: unknown, value: unknown): this {
      guard(() => host.set(this.#name, key, value));
      return this;
    }
    delete(key: unknown): void {
      guard(() => host.delete(this.#name, key));
    }
    clear(): void {
      guard(() => host.clear(this.#name));
    }
    get size(): number {
      return guard(() => host.size(this.#name));
    }
    forEach(callback: (value: ArrayBuffer, key: ArrayBuffer, map: KvMap) => void): void {
      const entries: [ArrayBuffer, ArrayBuffer][] = [];
      guard(() =>
        host.each(this.#name, (key, value) => {
          entries.push([key, value]);
        }),
      );
      for (const [key, value] of entries) callback(value, key, this);
    }
  }
  Object.freeze(KvMap.prototype);
  const known = new Map<string, KvMap>();
  return new Proxy(Object.freeze(Object.create(null)) as Record<string, KvMap>, {
    get(_target, name) {
      if (typeof name !== 'string') return undefined;
      let map = known.get(name);
      if (map === undefined) {
        map = new KvMap(name);
        Object.freeze(map);
        if (known.size >= 1_000) known.clear();
        known.set(name, map);
      }
      return map;
    },
  });
}

/** `ccf.crypto`, over one operation of the process. */
export function createCrypto(host: RealmHost, guard: Guarded) {
  const ask = <Result>(operation: string, options: unknown, ...given: unknown[]): Result => {
    const text = JSON.stringify(options) ?? 'null';
    return guard(() => host.crypto(operation, text, given[0], given[1], given[2])) as Result;
  };
  const parsed = <Result>(operation: string, options: unknown, given?: unknown): Result =>
    JSON.parse(String(ask(operation, options, given))) as Result;
  const plain = (value: unknown): unknown => {
    // Buffers do not travel in JSON; the one option that is a buffer is passed beside it.
    const { label: _label, ...rest } = Object(value) as AnyRecord;
    return rest;
  };
  const labelOf = (value: unknown): unknown => (Object(value) as AnyRecord).label;
  type Pair = { privateKey: string; publicKey: string };
  type Ec = { kty: string; kid?: string; crv: string; x: string; y: string };
  type Rsa = { kty: string; kid?: string; n: string; e: string };
  type RsaPrivate = Rsa & { d: string; p: string; q: string; dp: string; dq: string; qi: string };
  type Okp = { kty: string; kid?: string; crv: string; x: string };
  const toJwk =
    <Jwk>(name: string) =>
    (pem: unknown, kid?: unknown): Jwk =>
      parsed(name, { kid }, pem);
  const toPem =
    (name: string) =>
    (jwk: unknown): string =>
      ask(name, jwk);
  return {
    sign: (algorithm: unknown, key: unknown, data: unknown): ArrayBuffer =>
      ask('sign', algorithm, key, data),
    verifySignature: (
      algorithm: unknown,
      key: unknown,
      signature: unknown,
      data: unknown,
    ): boolean => ask('verifySignature', algorithm, key, signature, data),
    generateAesKey: (size: unknown): ArrayBuffer => ask('generateAesKey', { size }),
    generateRsaKeyPair: (size: unknown, exponent?: unknown): Pair =>
      parsed('generateRsaKeyPair', { size, exponent }),
    generateEcdsaKeyPair: (curve: unknown): Pair => parsed('generateEcdsaKeyPair', { curve }),
    generateEddsaKeyPair: (curve: unknown): Pair => parsed('generateEddsaKeyPair', { curve }),
    wrapKey: (key: unknown, wrapping: unknown, algorithm: unknown): ArrayBuffer =>
      ask('wrapKey', plain(algorithm), key, wrapping, labelOf(algorithm)),
    unwrapKey: (key: unknown, wrapping: unknown, algorithm: unknown): ArrayBuffer =>
      ask('unwrapKey', plain(algorithm), key, wrapping, labelOf(algorithm)),
    digest: (algorithm: unknown, data: unknown): ArrayBuffer => ask('digest', { algorithm }, data),
    isValidX509CertBundle: (pem: unknown): boolean => ask('isValidX509CertBundle', {}, pem),
    isValidX509CertChain: (chain: unknown, trusted: unknown): boolean =>
      ask('isValidX509CertChain', {}, chain, trusted),
    pubPemToJwk: toJwk<Ec>('pubPemToJwk'),
    pemToJwk: toJwk<Ec & { d: string }>('pemToJwk'),
    pubRsaPemToJwk: toJwk<Rsa>('pubRsaPemToJwk'),
    rsaPemToJwk: toJwk<RsaPrivate>('rsaPemToJwk'),
    pubEddsaPemToJwk: toJwk<Okp>('pubEddsaPemToJwk'),
    eddsaPemToJwk: toJwk<Okp & { d: string }>('eddsaPemToJwk'),
    pubJwkToPem: toPem('pubJwkToPem'),
    jwkToPem: toPem('jwkToPem'),
    pubRsaJwkToPem: toPem('pubRsaJwkToPem'),
    rsaJwkToPem: toPem('rsaJwkToPem'),
    pubEddsaJwkToPem: toPem('pubEddsaJwkToPem'),
    eddsaJwkToPem: toPem('eddsaJwkToPem'),
  };
}

/** The global `ccf`, as @microsoft/ccf-app types it. */
export function createCcf(
  host: RealmHost,
  guard: Guarded,
  parts: {
    readonly kv: ReturnType<typeof createMaps>;
    readonly crypto: ReturnType<typeof createCrypto>;
    readonly historical: AnyRecord;
    readonly own: () => unknown;
  },
) {
  const { kv, crypto, historical, own } = parts;
  const strToBuf = (text: unknown): ArrayBuffer => {
    if (typeof text !== 'string') throw new TypeError('strToBuf takes a string');
    return guard(() => host.encode(text));
  };
  const bufToStr = (bytes: unknown): string => guard(() => host.decode(bytes));
  const switchable = (initial: boolean) => {
    let state = initial;
    return (enable: unknown): boolean => {
      const before = state;
      state = Boolean(enable);
      return before;
    };
  };
  const rpc = {
    setApplyWrites: (force: unknown): void => guard(() => host.applyWrites(Boolean(force))),
    setClaimsDigest: (digest: unknown): void => guard(() => host.claims(digest)),
  };
  const consensus = {
    getLastCommittedTxId() {
      const [view, seqno] = guard(() => host.lastCommitted()).split('.');
      return { view: Number(view), seqno: Number(seqno) };
    },
    getStatusForTxId: (view: unknown, seqno: unknown): TransactionStatus =>
      guard(() => host.statusOf(Number(view), Number(seqno))) as TransactionStatus,
    getViewForSeqno(seqno: unknown): number | null {
      const view = guard(() => host.viewOf(Number(seqno)));
      return view < 0 ? null : view;
    },
  };
  const { generateAesKey, generateRsaKeyPair, generateEcdsaKeyPair, wrapKey, digest } = crypto;
  const { isValidX509CertBundle, isValidX509CertChain } = crypto;
  const deprecated = { generateAesKey, generateRsaKeyPair, generateEcdsaKeyPair, wrapKey, digest };
  return {
    ...deprecated,
    ...{ isValidX509CertBundle, isValidX509CertChain },
    ...{ kv, crypto, rpc, consensus, historical, strToBuf, bufToStr },
    jsonCompatibleToBuf: (value: unknown) => strToBuf(JSON.stringify(value)),
    bufToJsonCompatible: <Value>(bytes: unknown): Value => JSON.parse(bufToStr(bytes)) as Value,
    enableUntrustedDateTime: switchable(true),
    enableMetricsLogging: switchable(true),
    /** Of the running request; its module sees it when it is evaluated. */
    get historicalState(): unknown {
      return own();
    },
  };
}
