export { KvError, type KvErrorCode } from './errors.ts';
export type { FrozenState, SectionReader } from './freeze.ts';
export type { ReadTable, ReadView } from './read-table.ts';
export type { SectionWriter } from './restore.ts';
export type { RangeOptions } from './scan.ts';
export { sectionChunkBytes } from './section-form.ts';
export { Store, type TableChoice } from './store.ts';
export { type Key, type TableDeclaration, unnumbered, withVersion } from './table.ts';
export type { TransactionSet, WriteTable } from './transaction-set.ts';
export {
  decodeWriteSet,
  firstTableOf,
  maxKeyBytes,
  maxValueBytes,
  type Write,
  type WriteSet,
} from './write-set.ts';
