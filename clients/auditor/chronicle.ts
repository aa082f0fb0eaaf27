import {
  type ActorKind,
  eventsOfWrites,
  getNode,
  listProposals,
  type NodeEntry,
  type NodeStatus,
  type ProposalState,
  type Requirement,
  type RetirementReason,
  readConstitution,
} from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import type { ActorId, NodeId } from '@concordat/std';

/** An organisation of the network, present or past. */
export interface OrganisationReport {
  readonly actorId: ActorId;
  readonly name: string;
  readonly kind: readonly ActorKind[];
  /** Height of the block it came with. */
  readonly since: number;
  /** Height of the block it left with. */
  readonly until?: number;
}

/** A node of the network, present or past. */
export interface NodeReport {
  readonly nodeId: NodeId;
  readonly name: string;
  /** Name of the organisation that runs it. */
  readonly organisation: string;
  readonly status: NodeStatus;
  readonly retired?: RetirementReason;
  readonly platform?: string;
  readonly measurement?: string;
  /** Height of the block by which it reached each status. */
  readonly heights: Readonly<Partial<Record<NodeStatus, number>>>;
}

/** A member's last vote on a proposal. */
export interface VoteReport {
  readonly member: string;
  readonly accept: boolean;
  /** Name of the rule that cast it; absent when the member did itself. */
  readonly rule?: string;
  /** How often the member changed it. */
  readonly changes: number;
}

/** A proposal with what became of it. */
export interface ProposalReport {
  readonly proposalId: string;
  readonly proposer: string;
  readonly actions: readonly { readonly name: string; readonly args: unknown }[];
  /** For each kind of change in it, the policy it was judged by. */
  readonly requirements: readonly Requirement[];
  readonly openedHeight: number;
  readonly openedAtMs: number;
  /** Height of the block that decided it. */
  readonly closedHeight?: number;
  readonly closedAtMs?: number;
  readonly state: ProposalState;
  /** Members that voted, by name, in the order they did. */
  readonly votes: readonly VoteReport[];
  /** Members in the network when it was decided, or now while it is open. */
  readonly members: number;
  /** The proposal that was accepted first and set the same thing. */
  readonly supersededBy?: string;
  /** Code of what made it impossible although it was accepted. */
  readonly failure?: string;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Who came, what was proposed, and when: what a report says of governance beside its verdict. */
export class Chronicle {
  readonly #organisations = new Map<ActorId, Mutable<OrganisationReport>>();
  readonly #nodes = new Map<NodeId, Mutable<Partial<Record<NodeStatus, number>>>>();
  readonly #proposals = new Map<
    string,
    { openedHeight: number; closedHeight?: number; members: number }
  >();
  #members = 0;

  /**
   * Takes up an administrative block, after it was applied; returns the nodes it retired.
   * @throws TypeError, SyntaxError: rows without their form
   */
  block(height: number, publicWrites: Uint8Array, state: ReadView): NodeId[] {
    const retired: NodeId[] = [];
    const { actors } = readConstitution(state);
    const members = this.#members;
    this.#members = actors.filter(({ kind }) => kind.includes('member')).length;
    for (const event of eventsOfWrites(publicWrites)) {
      if (event.event === 'actor-added') {
        const actor = actors.find(({ actorId }) => actorId === event.actorId);
        if (actor) this.#came(actor, height);
      } else if (event.event === 'actor-changed') {
        const actor = actors.find(({ actorId }) => actorId === event.actorId);
        const known = this.#organisations.get(event.actorId);
        if (actor && known) known.kind = actor.kind;
      } else if (event.event === 'actor-removed') {
        const known = this.#organisations.get(event.actorId);
        if (known) known.until = height;
      } else if (event.event === 'node-changed') {
        const heights = this.#nodes.get(event.nodeId) ?? {};
        heights[event.status] ??= height;
        this.#nodes.set(event.nodeId, heights);
        if (event.status === 'retired') retired.push(event.nodeId);
      } else if (event.event === 'node-unlisted') {
        this.#nodes.delete(event.nodeId);
      } else if (event.event === 'proposal') {
        const { proposalId, state: stands } = event.proposal;
        const known = this.#proposals.get(proposalId) ?? { openedHeight: height, members };
        this.#proposals.set(proposalId, known);
        // Votes are counted among the members there were before their own consequences.
        if (known.closedHeight === undefined) known.members = members;
        if (stands !== 'open') known.closedHeight ??= height;
      }
    }
    return retired;
  }

  #came({ actorId, name, kind }: Omit<OrganisationReport, 'since'>, since: number): void {
    this.#organisations.set(actorId, { actorId, name, kind, since });
  }

  /** Organisations, in the order they came. */
  organisations(): OrganisationReport[] {
    return [...this.#organisations.values()];
  }

  /** Nodes, in the order they were listed. */
  nodes(state: ReadView): NodeReport[] {
    return Array.from(this.#nodes, ([nodeId, heights]) => {
      const entry = getNode(state, nodeId) as NodeEntry;
      const { name, actorId, status, retired, platform, measurement } = entry;
      return {
        nodeId,
        name,
        organisation: this.nameOf(actorId),
        status,
        ...(retired && { retired }),
        ...(platform && { platform }),
        ...(measurement && { measurement }),
        heights,
      };
    });
  }

  /** Every proposal, in the order of opening. */
  proposals(state: ReadView): ProposalReport[] {
    return listProposals(state).map((proposal) => {
      const { proposalId, actions, requirements, closedAtSeconds, failure, supersededBy } =
        proposal;
      const { openedHeight = 0, closedHeight, members = 0 } = this.#proposals.get(proposalId) ?? {};
      return {
        proposalId,
        proposer: this.nameOf(proposal.proposer),
        actions,
        requirements,
        openedHeight,
        openedAtMs: proposal.openedAtSeconds * 1000,
        ...(closedHeight !== undefined && { closedHeight }),
        ...(closedAtSeconds !== undefined && { closedAtMs: closedAtSeconds * 1000 }),
        state: proposal.state,
        votes: proposal.votes.map(({ actorId, accept, rule, earlier = [] }) => {
          const member = this.nameOf(actorId);
          return { member, accept, ...(rule !== undefined && { rule }), changes: earlier.length };
        }),
        members,
        ...(supersededBy !== undefined && { supersededBy }),
        ...(failure && { failure: failure.code }),
      };
    });
  }

  /** What an organisation is called; its id when it is not known. */
  nameOf(actorId: string): string {
    return this.#organisations.get(actorId as ActorId)?.name ?? actorId;
  }
}
