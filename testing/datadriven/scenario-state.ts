import { DatadrivenError } from './errors.ts';
import type { Item } from './scenario-batch.ts';
import type { ScenarioNetwork } from './scenario-network.ts';
import type { ScenarioNode } from './scenario-node.ts';

/** How far a node's removal has come, in the words of the format. */
type Phase = 'Ordered' | 'Signed' | 'Completed' | 'RetiredCommitted';

/** The configurations that count for a node: from its newest committed one on. */
export function activeConfigurations(node: ScenarioNode): Item[] {
  const all = node.positions().filter(({ kind }) => kind === 'configuration');
  const settled = all.findLastIndex(({ index }) => index <= node.commitIndex);
  return all.slice(Math.max(0, settled));
}

/** How far a node knows its removal to have come; undefined when it is not removed. */
export function retirementPhase(node: ScenarioNode): Phase | undefined {
  const positions = node.positions();
  const all = positions.filter(({ kind }) => kind === 'configuration');
  const last = all.findLastIndex(({ words }) => words.includes(node.name));
  const removal = all[last + 1];
  if (last < 0 || !removal) return undefined;
  if (removal.index > node.signedIndex) return 'Ordered';
  if (removal.index > node.commitIndex) return 'Signed';
  const cleaned = positions.some(
    ({ kind, index, words }) =>
      kind === 'cleanup' && index <= node.commitIndex && words.includes(node.name),
  );
  return cleaned ? 'RetiredCommitted' : 'Completed';
}

/** The role of a node in the words of the format. */
export function leadershipState(node: ScenarioNode): string {
  const { role, leader, view } = node.machine.status;
  switch (role) {
    case 'leader':
      return 'Leader';
    case 'candidate':
      return 'Candidate';
    case 'pre-candidate':
      return 'PreVoteCandidate';
    default: {
      if (leader !== undefined) return 'Follower';
      const outside = node.log.length === 0 && view === 0;
      return outside || retirementPhase(node) === 'RetiredCommitted' ? 'None' : 'Follower';
    }
  }
}

/**
 * A field of a node's state.
 * @throws DatadrivenError BAD_ARGUMENT for a field that is not in the format
 */
export function detailOf(node: ScenarioNode, field: string): string | undefined {
  switch (field) {
    case 'leadership_state':
      return leadershipState(node);
    case 'membership_state':
      return retirementPhase(node) === undefined ? 'Active' : 'Retired';
    case 'retirement_phase':
      return retirementPhase(node);
    case 'current_view':
      return `${node.machine.status.view}`;
    default:
      throw new DatadrivenError('BAD_ARGUMENT', `there is no detail ${field}`);
  }
}

/** View and index of a node's last position. */
export function lastTransaction(node: ScenarioNode): string {
  const { view, lastView } = node.machine.status;
  return `${node.lastIndex > node.signedIndex ? view : lastView}.${node.lastIndex}`;
}

/** A node in a line. */
export function stateLine(node: ScenarioNode): string {
  const phase = retirementPhase(node) ?? 'Active';
  const configurations = activeConfigurations(node).map(
    ({ index, words }) => `{${words.join(' ')}}@${index}`,
  );
  const queued = node.queue.map(({ to, message }) => `${message.type}->${to}`).join(' ');
  const where = `${lastTransaction(node)} commit ${node.commitIndex}`;
  const view = node.machine.status.view;
  return `${node.name}: ${leadershipState(node)} in ${view} at ${where} ${phase} ${configurations.join(' ')} [${queued}]`;
}

/** How nodes differ from the first of them; none when they are in sync. */
export function differences(nodes: readonly ScenarioNode[]): string[] {
  const [first, ...others] = nodes;
  if (!first) return [];
  const found: string[] = [];
  for (const node of others) {
    const say = (what: string, mine: unknown, theirs: unknown) => {
      if (mine !== theirs) {
        found.push(`${what} of ${node.name} is ${mine}, of ${first.name} ${theirs}`);
      }
    };
    say('the view', node.machine.status.view, first.machine.status.view);
    say('the last index', node.signedIndex, first.signedIndex);
    say('the commit index', node.commitIndex, first.commitIndex);
    say('the log', prefixText(node, node.log.length), prefixText(first, first.log.length));
  }
  return found;
}

/** A log up to a height, for comparison. */
export const prefixText = (node: ScenarioNode, height: number): string =>
  node.log
    .slice(0, height)
    .map((entry) => `${entry.view}:${Buffer.from(entry.payload).toString('utf8')}`)
    .join('\n');

/** The nodes that are not removed, as far as they know. */
export const remaining = (network: ScenarioNetwork): ScenarioNode[] =>
  network.all().filter((node) => retirementPhase(node) === undefined);
