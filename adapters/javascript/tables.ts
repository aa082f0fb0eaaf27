import type { Key, TableDeclaration } from '@concordat/kv';
import { toLatin1, utf8 } from '@concordat/std';

/** Entries of the application's private maps. */
export const privateTable = 'javascript/records';
/** Entries of its maps whose names begin with `public:`: readable in the ledger by anyone. */
export const publicTable = 'public:javascript/records';
/** The application itself, as the framework writes it; one key, {@link programKey}. */
export const programTable = 'public:javascript/program';
/** Where the application stands. */
export const programKey = 'current';

/** The adapter's tables. All maps of an application share two, told apart by a prefix of the key. */
export const tables: readonly TableDeclaration[] = [
  { name: privateTable, kind: 'ordered', versioned: true },
  { name: publicTable, kind: 'ordered', versioned: true },
  { name: programTable, kind: 'hash' },
];

/** UTF-8 bytes of a map's name. */
export const maxMapNameBytes = 255;
/** Bytes of an application's key. */
export const maxRecordKeyBytes = 16 * 1024;

/** The table a map is in. */
export const tableOfMap = (map: string): string =>
  map.startsWith('public:') ? publicTable : privateTable;

/** What keys of a map begin with: u8 length | UTF-8 name. Undefined for a name that is none. */
export function prefixOfMap(map: string): Key | undefined {
  const name = utf8(map);
  if (name.length === 0 || name.length > maxMapNameBytes) return undefined;
  return String.fromCharCode(name.length) + toLatin1(name);
}
