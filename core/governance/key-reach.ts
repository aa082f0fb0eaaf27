import type { ReadView } from '@concordat/kv';
import { dealersOf, sharedKeys } from './key-due.ts';
import { holdersWithNode } from './key-holders.ts';

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
