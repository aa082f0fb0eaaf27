import { type QuorumSizes, quorumSize, quorumSizesFault } from '@concordat/consensus';
import type { NodeEntry, NodeStatus } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import type { Policies } from './policies.ts';

/** The policies that say how many voters make a quorum. */
export type QuorumPolicies = Pick<Policies, 'replicationQuorum' | 'electionQuorum'>;

/** The quorum sizes that policies ask of so many voters; undefined = majorities. */
export function quorumSizesUnder(
  policies: QuorumPolicies,
  voters: number,
): QuorumSizes | undefined {
  const majority = quorumSize(voters);
  const { replicationQuorum, electionQuorum } = policies;
  const replication = replicationQuorum === 'majority' ? majority : replicationQuorum;
  const election = electionQuorum === 'majority' ? majority : electionQuorum;
  const isDefault = replication === majority && election === majority;
  return isDefault ? undefined : { replication, election };
}

/**
 * Refuses quorum sizes that would be unsafe among the trusted nodes of now, or once any of those
 * that are admitted or learning are trusted as well: nobody is asked again when they get there.
 * @throws GovernanceError UNSAFE_QUORUMS with details.path and details.voters
 */
export function requireSafeQuorums(policies: QuorumPolicies, nodes: readonly NodeEntry[]): void {
  const voters = countOf(nodes, 'trusted');
  if (voters === 0) return;
  const expected = countOf(nodes, 'admitted') + newcomers(nodes);
  for (let count = voters; count <= voters + expected; count++) {
    const sizes = quorumSizesUnder(policies, count);
    const fault = sizes && quorumSizesFault(sizes, count);
    if (fault) throw unsafe(fault, { count, voters, policies });
  }
}

const countOf = (nodes: readonly NodeEntry[], status: NodeStatus): number =>
  nodes.filter((node) => node.status === status).length;

/** Learning nodes that will not take the place of a voter. */
function newcomers(nodes: readonly NodeEntry[]): number {
  const trusted = new Set(nodes.filter((n) => n.status === 'trusted').map((n) => n.nodeId));
  return nodes.filter(
    ({ status, replaces }) => status === 'learning' && !(replaces && trusted.has(replaces)),
  ).length;
}

function unsafe(
  fault: string,
  { count, voters, policies }: { count: number; voters: number; policies: QuorumPolicies },
): GovernanceError {
  const name = policies.replicationQuorum === 'majority' ? 'electionQuorum' : 'replicationQuorum';
  const when = count === voters ? '' : ` (${voters} now, the others are expected to join)`;
  const remedy = 'set both quorum policies so that they hold, in the same proposal';
  const path = `policies.${name}`;
  const why = `${path} would not hold: ${fault}${when}; ${remedy}`;
  return new GovernanceError('UNSAFE_QUORUMS', why, { path, voters: count });
}
