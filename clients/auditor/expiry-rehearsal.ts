import { expireProposals, type Proposal } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { fromUtf8 } from '@concordat/std';
import { tableNames } from './framework-tables.ts';
import { requireRightTime } from './message-rehearsal.ts';
import type { AdministrativeBlock, Deed, RehearsalContext } from './rehearsal.ts';

/**
 * Ends, as the leader says it did, the proposals whose time is over; undefined when the block ends
 * none. Whether it was over for each of them shows when the writes are compared.
 */
export function rehearseExpiry(
  set: TransactionSet,
  { recorded, header }: AdministrativeBlock,
  { findings }: RehearsalContext,
): Deed | undefined {
  const rows = [...recorded.rows(tableNames.proposals).values()];
  const proposals = rows.map((row) => row && (JSON.parse(fromUtf8(row)) as Proposal));
  const closedAt = proposals.find((proposal) => proposal?.state === 'expired')?.closedAtSeconds;
  if (closedAt === undefined || !Number.isSafeInteger(closedAt)) return undefined;
  requireRightTime(`the end of proposals in block ${header.height}`, closedAt, {
    header,
    findings,
  });
  const ended = expireProposals(set, closedAt);
  findings.examined('governance', 'expiries', ended.length);
  return { kind: 'expiry', epochFor: [] };
}
