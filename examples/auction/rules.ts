/** A bid as it is revealed when its auction closes. */
export interface Bid {
  readonly bidder: string;
  /** Cents. */
  readonly amount: number;
  /** The how manieth of its auction: earlier bids win among equals. */
  readonly number: number;
}

/** Highest amount first; among equals the earlier bid first. */
export const byRank = (a: Bid, b: Bid): number => b.amount - a.amount || a.number - b.number;

/** Why a bid is not taken; undefined when it is. */
export function refusalOf(given: {
  readonly amount: number;
  readonly minimum: number;
  readonly isSeller: boolean;
  readonly nowMs: number;
  readonly closesAtMs: number;
}): { readonly code: string; readonly message: string } | undefined {
  const { amount, minimum, isSeller, nowMs, closesAtMs } = given;
  if (nowMs >= closesAtMs) return { code: 'TooLate', message: 'bids are not taken any more' };
  if (isSeller) return { code: 'OwnAuction', message: 'sellers do not bid on their own item' };
  if (amount < minimum) return { code: 'TooLow', message: `the least bid is ${minimum}` };
  return undefined;
}
