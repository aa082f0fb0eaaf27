import type { Key } from '@concordat/kv';
import { type BundleError, bundleError } from './errors.ts';
import { prefixOfMap, tableOfMap } from './tables.ts';

/** An index of an application: which committed transactions wrote to a map, by key. */
export interface IndexDeclaration {
  readonly name: string;
  /** Table and prefix of the keys that it follows. */
  readonly table: string;
  readonly prefix: Key;
  /** How many first bytes of a key tell entries apart; undefined for the whole key. */
  readonly keyBytes?: number;
}

/** What one committed transaction adds to an index. */
export interface IndexEntry {
  /** Place of the index in the bundle's list. */
  readonly index: number;
  /** The key, or as many bytes of it as the index tells apart. */
  readonly key: Key;
  readonly seqno: number;
}

const maxIndexes = 16;
const maxKeyBytes = 16 * 1024;
const manifest = 'app.json';

/**
 * Reads `concordat.indexes` of `app.json`: `{"name": {"map", "keyBytes"?}}`.
 * @throws BundleError BUNDLE_MALFORMED, UNKNOWN_PROPERTY
 */
export function readIndexes(concordat: unknown): IndexDeclaration[] {
  if (concordat === undefined) return [];
  const { indexes = {}, ...rest } = object(concordat, 'concordat');
  onlyNothing(rest, 'concordat');
  const declared = Object.entries(object(indexes, 'concordat.indexes'));
  if (declared.length > maxIndexes) throw malformed(`there are more than ${maxIndexes} indexes`);
  return declared.map(([name, value]) => readIndex(name, value));
}

function readIndex(name: string, value: unknown): IndexDeclaration {
  const where = `the index ${name.slice(0, 80)}`;
  if (!/^[A-Za-z][\w.-]{0,63}$/.test(name)) throw malformed(`${where} has no valid name`);
  const { map, keyBytes, ...rest } = object(value, where);
  onlyNothing(rest, where);
  const prefix = typeof map === 'string' ? prefixOfMap(map) : undefined;
  if (prefix === undefined) throw malformed(`${where} follows a map, by its name`);
  const declared = { name, table: tableOfMap(map as string), prefix };
  if (keyBytes === undefined) return declared;
  const bytes = keyBytes as number;
  if (Number.isInteger(bytes) && bytes >= 0 && bytes <= maxKeyBytes) {
    return { ...declared, keyBytes: bytes };
  }
  throw malformed(`keyBytes of ${where} is a whole number from 0 to ${maxKeyBytes}`);
}

/** What a transaction adds to the indexes; each key once. */
export function entriesOf(
  indexes: readonly IndexDeclaration[],
  seqno: number,
  writes: Iterable<{ readonly table: string; readonly key: Key }>,
): IndexEntry[] {
  const found = new Map<string, IndexEntry>();
  for (const { table, key } of writes) {
    for (const [index, { table: followed, prefix, keyBytes }] of indexes.entries()) {
      if (table !== followed || !key.startsWith(prefix)) continue;
      const from = prefix.length;
      const part = keyBytes === undefined ? key.slice(from) : key.slice(from, from + keyBytes);
      found.set(`${index} ${part}`, { index, key: part, seqno });
    }
  }
  return [...found.values()];
}

function object(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw malformed(`${what} is not an object`);
}

function onlyNothing(rest: object, what: string): void {
  const [unknown] = Object.keys(rest);
  if (unknown === undefined) return;
  const why = `${what} has an unknown property ${unknown}`;
  throw bundleError('UNKNOWN_PROPERTY', why, { file: manifest });
}

const malformed = (why: string): BundleError =>
  bundleError('BUNDLE_MALFORMED', why, { file: manifest });
