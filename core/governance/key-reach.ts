import type { ReadView } from '@concordat/kv';
import { dealersOf, sharedKeys } from './key-due.ts';
import type { Candidate } from './key-holders.ts';
import { memberIds } from './state.ts';
import { readRows, tables } from './tables.ts';

/** Members with a holder key, whether their nodes are there or not. */
export function memberHolders(view: ReadView): Candidate[] {
  const members = memberIds(view);
  const holders = Array.from(readRows(view, tables.holders), ([, holder]) => holder);
  return holders.filter(({ actorId }) => members.has(actorId));
}

/** Members with a holder key and a trusted node: those that can deal, and give decryption shares. */
export function holdersWithNode(view: ReadView): Candidate[] {
  const withNode = new Set<string>();
  for (const [, { actorId, status }] of readRows(view, tables.nodes)) {
    if (status === 'trusted') withNode.add(actorId);
  }
  return memberHolders(view).filter(({ actorId }) => withNode.has(actorId));
}

/**
 * Keys that too few are left to read or to reshare: fewer members than the key's threshold have a
 * share of it, dealt to the holder key they are known by, and a trusted node. An actor's secrets live
 * in its nodes, so that without one its share is gone, unless its operators kept a recovery copy or a
 * node of it comes back with its disk. That a node is down does not count.
 * @returns numbers of the keys, newest first
 */
export function strandedKeys(view: ReadView): number[] {
  const there = holdersWithNode(view);
  return sharedKeys(view)
    .filter((shared) => dealersOf(shared, there).length < shared.sharing.threshold)
    .map(({ key }) => key.number);
}
