import { type Constitution, quorumSizesUnder } from '@concordat/governance';
import type { NodeId } from '@concordat/std';

/** Who orders blocks under a constitution, and by how many. */
export interface VotersUnder {
  readonly voters: readonly NodeId[];
  /** Absent when both are majorities. */
  readonly quorums?: { readonly replication: number; readonly election: number };
}

/** The trusted nodes of a constitution, sorted, with its quorums. */
export function configurationUnder({ nodes, policies }: Constitution): VotersUnder {
  const voters = nodes.filter(({ status }) => status === 'trusted').map(({ nodeId }) => nodeId);
  const quorums = quorumSizesUnder(policies, voters.length);
  return { voters: voters.sort(), ...(quorums && { quorums }) };
}

/** The same as the ledger records it (docs/format/governance.md). */
export const configurationValue = (constitution: Constitution): string =>
  JSON.stringify(configurationUnder(constitution));
