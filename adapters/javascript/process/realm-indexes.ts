import type { AnyRecord, Guarded, RealmHost } from './realm-host.ts';

/** `concordat.index`. See `realm-globals.ts` for what this code may use. */
export function createIndexes(host: RealmHost, guard: Guarded): (name: unknown) => unknown {
  const { indexes } = host;
  return (name) => {
    if (typeof name !== 'string') throw new TypeError('the name of an index is a string');
    const index = guard(() => indexes.find(name));
    if (index === undefined) throw new TypeError('the application declares no such index');
    return Object.freeze({
      /** Every committed transaction of the application up to this seqno is in the index. */
      get upTo(): number {
        return guard(() => indexes.upTo);
      },
      seqnosOf(key: unknown, options: unknown = {}): number[] {
        const { from, to, limit } = Object(options) as AnyRecord;
        const bounds = {
          from: from === undefined ? 0 : Number(from),
          to: to === undefined ? Number.POSITIVE_INFINITY : Number(to),
          limit: limit === undefined ? Number.POSITIVE_INFINITY : Number(limit),
        };
        const found: number[] = [];
        guard(() => {
          for (const seqno of indexes.seqnosOf(index, key, bounds)) found.push(seqno);
        });
        return found;
      },
    });
  };
}
