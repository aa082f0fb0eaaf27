import type { AnyRecord, Guarded, RealmHost } from './realm-host.ts';

/** Makes maps of states of the past. See `realm-globals.ts` for what this code may use. */
export function createPastMaps(
  { past }: RealmHost,
  guard: Guarded,
): (state: number, name: string) => unknown {
  const readOnly = (): never => {
    throw new TypeError('the past is read-only');
  };
  class PastMap {
    readonly #state: number;
    readonly #name: string;
    constructor(state: number, name: string) {
      this.#state = state;
      this.#name = name;
    }
    has(key: unknown): boolean {
      return guard(() => past.has(this.#state, this.#name, key));
    }
    get(key: unknown): ArrayBuffer | undefined {
      return guard(() => past.get(this.#state, this.#name, key));
    }
    getVersionOfPreviousWrite(key: unknown): number | undefined {
      if (!this.has(key)) return undefined;
      return Number(guard(() => past.id(this.#state)).split('.')[1]);
    }
    set(): never {
      return readOnly();
    }
    delete(): never {
      return readOnly();
    }
    clear(): never {
      return readOnly();
    }
    get size(): number {
      return guard(() => past.size(this.#state, this.#name));
    }
    forEach(callback: (value: ArrayBuffer, key: ArrayBuffer, map: PastMap) => void): void {
      const entries: [ArrayBuffer, ArrayBuffer][] = [];
      guard(() =>
        past.each(this.#state, this.#name, (key, value) => {
          entries.push([key, value]);
        }),
      );
      for (const [key, value] of entries) callback(value, key, this);
    }
  }
  return (state, name) => Object.freeze(new PastMap(state, name));
}

/** `ccf.historical` and `ccf.historicalState`, over the maps of {@link createPastMaps}. */
export function createPast(
  { past }: RealmHost,
  guard: Guarded,
  mapOf: (state: number, name: string) => unknown,
): { readonly historical: AnyRecord; readonly own: () => unknown } {
  const stateOf = (state: number): unknown => {
    const transactionId = guard(() => past.id(state));
    const receipt = JSON.parse(guard(() => past.receipt(state))) as unknown;
    const kv = new Proxy(Object.freeze(Object.create(null)), {
      get(_target, name) {
        if (typeof name !== 'string') return undefined;
        return mapOf(state, name);
      },
    });
    return { transactionId, receipt, kv };
  };
  // One object a request: what it is about does not change while it runs.
  let known: { readonly state: number; readonly value: unknown } | undefined;
  const own = (): unknown => {
    const state = guard(() => past.own());
    if (state < 0) return undefined;
    if (known?.state !== state) known = { state, value: stateOf(state) };
    return known.value;
  };
  const historical = {
    getStateRange(handle: unknown, start: unknown, end: unknown, seconds: unknown): unknown {
      const [from, to] = [Number(start), Number(end)];
      const first = guard(() => past.range(Number(handle), from, to, Number(seconds)));
      if (first < 0) return null;
      const states: unknown[] = [];
      for (let at = 0; at <= to - from; at++) states.push(stateOf(first + at));
      return states;
    },
    dropCachedStates: (handle: unknown): boolean => guard(() => past.drop(Number(handle))),
  };
  return { historical, own };
}
