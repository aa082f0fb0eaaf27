import type { Height, View } from '@concordat/std';
import type { Entry } from './consensus.ts';
import type { Append } from './message.ts';
import type { RaftState } from './state.ts';

/** The append of entries that follow each other, the first of them at `next`. */
export function appendOf(
  state: RaftState,
  next: Height,
  entries: readonly Entry[],
  retire = false,
): Append {
  const height = (next - 1) as Height;
  const { view, committed, round, log } = state;
  const previous = { height, view: log.viewAt(height) ?? (0 as View) };
  return { type: 'append', view, previous, committed, round, retire, entries };
}
