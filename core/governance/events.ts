import { decodeWriteSet, type ReadView, type Write } from '@concordat/kv';
import type { ActorId, NodeId } from '@concordat/std';
import type { NodeStatus } from './constitution.ts';
import { decodeEpochBegun, type EpochReason, isEpochBegun } from './epoch-rows.ts';
import { decodeMessage, type MessageType } from './message.ts';
import type { Proposal } from './proposal.ts';
import { decodeRow, messagesTable, readRow, readRows, tables, textKey } from './tables.ts';

/** What an actor did, signed with its own key. */
export interface SignedDeed {
  readonly type: MessageType;
  readonly actorId: ActorId;
  /** Hex, 32 bytes: the message is in the ledger verbatim. */
  readonly messageId: string;
}

/**
 * A change members are notified of (paper: Voting, "all existing members are notified"). Made from
 * a transaction's public writes, so every node that applies the ledger can tell its own clients.
 */
export type GovernanceEvent =
  | {
      /** A proposal was opened, voted on, withdrawn, decided, or counted anew. */
      readonly event: 'proposal';
      readonly proposal: Proposal;
      /** What an actor did about this very proposal; absent where it follows from something else. */
      readonly by?: SignedDeed;
    }
  | {
      readonly event: 'constitution-acknowledged';
      readonly actorId: ActorId;
      /** Hex, 32 bytes. */
      readonly terms: string;
    }
  | { readonly event: 'epoch-begun'; readonly epoch: number; readonly reason: EpochReason }
  | {
      readonly event: 'actor-added' | 'actor-changed' | 'actor-removed';
      readonly actorId: ActorId;
    }
  | { readonly event: 'node-changed'; readonly nodeId: NodeId; readonly status: NodeStatus }
  | { readonly event: 'node-unlisted'; readonly nodeId: NodeId }
  | { readonly event: 'constitution-changed'; readonly part: ConstitutionPart };

/** A part of the constitution beyond its actors and nodes. */
export type ConstitutionPart =
  | 'network'
  | 'code'
  | 'tees'
  | 'votingPolicies'
  | 'automationRules'
  | 'policies'
  | 'adapters'
  | 'applications'
  | 'jwtIssuers'
  | 'revocationLists'
  | 'externalSystems';

const parts: ReadonlyMap<string, ConstitutionPart> = new Map(
  (
    [
      'network',
      'code',
      'tees',
      'votingPolicies',
      'automationRules',
      'policies',
      'adapters',
      'applications',
      'jwtIssuers',
      'revocationLists',
      'externalSystems',
    ] as const
  ).map((part) => [tables[part].table, part]),
);

/**
 * What a transaction changed in governance: none when it has no such writes; any event but
 * `proposal`, `epoch-begun` and `constitution-acknowledged` means that the constitution is not the one read before.
 * @param publicWrites the public segment of a write set that the ledger holds
 * @throws KvError MALFORMED
 */
export function eventsOfWrites(publicWrites: Uint8Array): GovernanceEvent[] {
  const events: GovernanceEvent[] = [];
  const changed = new Set<ConstitutionPart>();
  if (publicWrites.length === 0) return events;
  const writes = [...decodeWriteSet(publicWrites)];
  const deed = deedIn(writes);
  for (const { table, key, value } of writes) {
    const part = parts.get(table);
    if (part !== undefined) {
      changed.add(part);
    } else if (table === tables.proposals.table && value) {
      const proposal = decodeRow(tables.proposals, value);
      const isMeant = deed?.proposalId === proposal.proposalId;
      events.push({ event: 'proposal', proposal, ...(isMeant && { by: deed.by }) });
    } else if (value && table === tables.acknowledgements.table) {
      const { terms } = decodeRow(tables.acknowledgements, value);
      events.push({ event: 'constitution-acknowledged', actorId: key as ActorId, terms });
    } else if (value && isEpochBegun(table, key)) {
      const { epoch, reason } = decodeEpochBegun(value);
      events.push({ event: 'epoch-begun', epoch, reason });
    } else if (table === tables.actors.table) {
      events.push({ event: actorEvent(value), actorId: key as ActorId });
    } else if (table === tables.nodes.table) {
      const nodeId = key as NodeId;
      if (!value) events.push({ event: 'node-unlisted', nodeId });
      else {
        const { status } = decodeRow(tables.nodes, value);
        events.push({ event: 'node-changed', nodeId, status });
      }
    }
  }
  for (const part of changed) events.push({ event: 'constitution-changed', part });
  return events;
}

/** The signed message of a transaction, and the proposal it is about. */
function deedIn(
  writes: readonly Write[],
): { readonly proposalId: string; readonly by: SignedDeed } | undefined {
  const value = writes.find(({ table }) => table === messagesTable)?.value;
  if (!value) return undefined;
  const { type, kid, messageId, proposalId } = decodeMessage(value);
  const actorId = signerIn(writes, messageId) ?? (kid as ActorId);
  return { proposalId: proposalId || messageId, by: { type, actorId, messageId } };
}

/** What is remembered of the message against replay begins with its actor. */
function signerIn(writes: readonly Write[], messageId: string): ActorId | undefined {
  const remembered = writes.find(
    ({ table, value }) =>
      table === tables.recent.table && value && decodeRow(tables.recent, value) === messageId,
  );
  return remembered?.key.slice(0, 64) as ActorId | undefined;
}

/** An actor's row says how often it was changed since it was added. */
function actorEvent(
  row: Uint8Array | undefined,
): 'actor-added' | 'actor-changed' | 'actor-removed' {
  if (!row) return 'actor-removed';
  return decodeRow(tables.actors, row).revision === undefined ? 'actor-added' : 'actor-changed';
}

/** Every proposal, in the order of opening. */
export const listProposals = (view: ReadView): Proposal[] =>
  Array.from(readRows(view, tables.proposals), ([, proposal]) => proposal).sort(
    (a, b) => a.sequence - b.sequence,
  );

/** One proposal; undefined when there is none of that id. */
export const getProposal = (view: ReadView, proposalId: string): Proposal | undefined =>
  readRow(view, tables.proposals, textKey(proposalId));
