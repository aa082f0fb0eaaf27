import type { ReadView } from '@concordat/kv';
import { type Actor, isMember } from './constitution.ts';
import { readRows, tables } from './tables.ts';

/** The members of now. */
export const membersOf = (view: ReadView): Actor[] =>
  Array.from(readRows(view, tables.actors), ([, actor]) => actor).filter(isMember);
