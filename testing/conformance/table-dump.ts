import type { ReadView, TableDeclaration } from '@concordat/kv';
import { fromLatin1, toHex } from '@concordat/std';

/** Content of tables as text, so that two states can be compared and a difference read. */
export type TableDump = Readonly<Record<string, readonly string[]>>;

/** Every pair of the tables as `key=value` in hex, sorted. */
export function dumpTables(view: ReadView, tables: readonly TableDeclaration[]): TableDump {
  const dump: Record<string, string[]> = {};
  for (const { name } of tables) {
    const pairs = [...view.table(name).entries()];
    dump[name] = pairs.map(([key, value]) => `${toHex(fromLatin1(key))}=${toHex(value)}`).sort();
  }
  return dump;
}
