import type { AnyRecord, RealmModules } from './realm-host.ts';

/**
 * Runs modules that were made functions (`module-transform.ts`), those they import first. See
 * `realm-globals.ts` for what this code may use.
 */
export function createModules(
  planText: string,
  given: readonly ((imported: (at: number) => unknown) => AnyRecord)[],
): RealmModules {
  const plan = JSON.parse(planText) as {
    readonly imports: readonly number[];
    readonly passedOn: readonly (readonly [alias: string, from: number, name: string | null])[];
    readonly stars: readonly number[];
  }[];
  const factories = [...given];
  const define = (namespace: AnyRecord, name: string, get: () => unknown): void => {
    Object.defineProperty(namespace, name, { configurable: true, enumerable: true, get });
  };
  const namespaceOf = (index: number, made: AnyRecord[]): AnyRecord => {
    const known = made[index];
    if (known !== undefined) return known;
    const { imports, passedOn, stars } = plan[index] as (typeof plan)[number];
    const needed = imports.map((one) => namespaceOf(one, made));
    const factory = factories[index] as (typeof factories)[number];
    const own = factory((at) => needed[at]);
    const namespace = Object.create(null) as AnyRecord;
    for (const at of stars) {
      const other = needed[at] as AnyRecord;
      for (const name of Object.keys(other)) {
        if (name !== 'default') define(namespace, name, () => other[name]);
      }
    }
    for (const [alias, at, name] of passedOn) {
      const other = needed[at] as AnyRecord;
      define(namespace, alias, () => (name === null ? other : other[name]));
    }
    for (const name of Object.keys(own)) define(namespace, name, own[name] as () => unknown);
    made[index] = Object.freeze(namespace);
    return namespace;
  };
  return {
    none: () => [],
    exported: (index, name, made) => namespaceOf(index, made as AnyRecord[])[name],
  };
}
