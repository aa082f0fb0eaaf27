import type { AnyRecord } from './realm-host.ts';

/**
 * Freezes everything an application could change for others: every object that can be reached from
 * the global one, from what calls return (`made`) and from syntax alone. A property of a prototype
 * that code often overrides on its own objects becomes an accessor, as assigning over a frozen one
 * would throw.
 */
export function hardenRealm(made: readonly unknown[]): void {
  const removed = ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'WeakRef'];
  for (const name of [...removed, 'FinalizationRegistry', 'escape', 'unescape']) {
    delete (globalThis as AnyRecord)[name];
  }
  const allowOverriding = (prototype: object): void => {
    for (const name of Reflect.ownKeys(prototype)) {
      const found = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor;
      if (!('value' in found) || !found.configurable || !found.writable) continue;
      const { value, enumerable = false } = found;
      Object.defineProperty(prototype, name, {
        configurable: false,
        enumerable,
        get: () => value as unknown,
        set(this: object, given: unknown) {
          if (this === prototype) throw new TypeError(`${String(name)} is frozen`);
          const own = { configurable: true, enumerable: true, writable: true, value: given };
          Object.defineProperty(this, name, own);
        },
      });
    }
  };
  const errors = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError];
  for (const { prototype } of errors) allowOverriding(prototype);
  allowOverriding(Object.prototype);
  allowOverriding(Function.prototype);
  const bySyntax = [
    async () => {},
    function* () {},
    async function* () {},
    [][Symbol.iterator](),
    ''[Symbol.iterator](),
    new Map()[Symbol.iterator](),
    new Set()[Symbol.iterator](),
    'a'.matchAll(/a/g),
    (function* () {})(),
    (async function* () {})(),
    Object.getPrototypeOf(Int8Array) as object,
  ];
  // Newer than the declarations this code is checked against.
  const { Iterator: iterator } = globalThis as unknown as {
    readonly Iterator: { from(value: unknown): { map(each: () => unknown): unknown } };
  };
  const wrapped = iterator.from({ next: () => ({ done: true, value: 0 }) });
  bySyntax.push(wrapped as never, wrapped.map(() => 0) as never);
  const seen = new Set<unknown>();
  const pending: unknown[] = [...bySyntax, ...made, globalThis];
  while (pending.length > 0) {
    const value = pending.pop();
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) continue;
    if (seen.has(value)) continue;
    seen.add(value);
    pending.push(Object.getPrototypeOf(value));
    for (const name of Reflect.ownKeys(value)) {
      const found = Object.getOwnPropertyDescriptor(value, name) as PropertyDescriptor;
      pending.push(found.value, found.get, found.set);
    }
    Object.freeze(value);
  }
}
