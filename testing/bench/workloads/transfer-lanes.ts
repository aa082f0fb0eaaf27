import { type SendRequest, sendRequests } from '../json-rpc-load.ts';

/** Calls in one JSON-RPC body, as many as a batch of the ledger holds. */
const perRequest = 100;

/**
 * Deals transfers to lanes so that all of one sender's are in one lane, where they go one after
 * another. `first` is the position of the first in the whole set; the number of lanes divides 64.
 */
export function transferLanes(
  transfers: readonly Uint8Array[],
  lanes: number,
  path: string,
  first = 0,
): readonly (readonly SendRequest[])[] {
  const dealt: Uint8Array[][] = Array.from({ length: lanes }, () => []);
  transfers.forEach((raw, at) => {
    (dealt[(first + at) % lanes] as Uint8Array[]).push(raw);
  });
  return dealt.map((raws) => sendRequests(path, raws, perRequest));
}
