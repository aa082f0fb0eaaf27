import {
  type Append,
  type Configuration,
  type Effects,
  type Entry,
  type Message,
  type QuorumKind,
  quorumSizesOf,
  type VoteRequest,
} from '@concordat/consensus';
import { configurationText, entriesText, nameOf, positionText } from './names.ts';
import type { Picture, StoryNode } from './story-node.ts';

/** What was done to a node. */
export type Cause =
  | { readonly kind: 'tick' }
  | { readonly kind: 'command' }
  | { readonly kind: 'message'; readonly from: string; readonly message: Message };

/** What a node did in answer. */
export interface Work {
  readonly effects: Effects[];
  /** Entries that a truncation took from the log. */
  readonly dropped: Entry[];
}

/** The changes of a node in sentences that say why, in the order in which one follows from another. */
export function changesOf(node: StoryNode, cause: Cause, before: Picture, work: Work): string[] {
  const after = node.picture();
  const vote = cause.kind === 'message' && cause.message.type.startsWith('vote-');
  const lines = [
    // What a vote message says of commits comes before what it means for the election.
    ...(vote ? commits(node, cause, before, work) : []),
    ...campaign(node, cause, before, work),
    ...standing(node, cause, before, after),
    ...votes(cause, before, work),
    ...entries(cause, work),
    ...receptions(work),
    ...(vote ? [] : commits(node, cause, before, work)),
    ...membership(before, after),
    ...answers(node, cause, before, work),
  ];
  return lines.map((line) => `${node.name}  ${line}`);
}

const receptions = ({ effects }: Work): string[] =>
  effects.some(({ receptionDropped }) => receptionDropped)
    ? ['forgets what it has of the snapshot on its way in']
    : [];

function campaign(node: StoryNode, cause: Cause, before: Picture, work: Work): string[] {
  const request = sentBy(work).find((message) => message.type === 'vote-request');
  if (!request) return [];
  const { view, pre } = request;
  const saidYes = quorumText(node, [...node.yes].sort(), 'election');
  node.yes.clear();
  node.yes.add(node.name);
  if (!pre) {
    const why =
      cause.kind === 'message' && cause.message.type === 'timeout-now'
        ? `${cause.from} hands over`
        : `could win with ${saidYes}`;
    return [`is candidate in view ${view} and votes for itself: ${why}`];
  }
  if (node.machine.status.role === 'learner') {
    return ['is removed and was not told yet: asks the voters by a pre-vote'];
  }
  const ask = `asks whether it could win view ${view}`;
  if (before.role === 'pre-candidate' || before.role === 'candidate') {
    return [`${ask}: its ${before.role === 'candidate' ? 'campaign' : 'question'} went unanswered`];
  }
  return [`${ask}: ${before.leader ? `${before.leader} is silent` : 'hears no leader'}`];
}

function standing(node: StoryNode, cause: Cause, before: Picture, after: Picture): string[] {
  const { role, view, leader } = after;
  node.yes.add(node.name);
  if (role === 'leader' && (before.role !== 'leader' || before.view !== view)) {
    return [
      `leads view ${view}: has the votes of ${quorumText(node, [...node.yes].sort(), 'election')}`,
    ];
  }
  const from = cause.kind === 'message' ? cause.from : undefined;
  if (before.role === 'leader' && role !== 'leader') {
    if (view === before.view) {
      return [`steps down: heard only ${quorumText(node, node.recentlyHeard(), 'replication')}`];
    }
    return [`steps down: ${from} is in view ${view}`, ...(leader ? [`follows ${leader}`] : [])];
  }
  if (leader && leader !== node.name && (leader !== before.leader || view !== before.view)) {
    return [`follows ${leader} in view ${view}`];
  }
  const asking = role === 'pre-candidate' || role === 'candidate';
  if (view > before.view && !asking) return [`enters view ${view}: ${from} is in it`];
  if (before.leader && !leader && !asking) return ['hears no leader any more'];
  return [];
}

function votes(cause: Cause, before: Picture, work: Work): string[] {
  if (cause.kind !== 'message' || cause.message.type !== 'vote-request') return [];
  const answer = sentBy(work).find((message) => message.type === 'vote-response');
  if (!answer) return [];
  const { from, message } = cause;
  const logs = `${from}'s log ends at ${positionText(message.last)}, its own at ${positionText(before.last)}`;
  if (!answer.granted) return [`no vote for ${from}: ${whyNoVote(from, message, before, logs)}`];
  if (message.pre) return [`would vote for ${from}: ${logs}`];
  const again = before.votedFor === from && before.view === message.view;
  return [again ? `has voted for ${from} already` : `votes for ${from}: ${logs}`];
}

function whyNoVote(from: string, request: VoteRequest, before: Picture, logs: string): string {
  if (request.pre && before.role === 'leader') return 'leads itself';
  if (request.pre ? request.view <= before.view : request.view < before.view) {
    return `is in view ${before.view}`;
  }
  const sameView = !request.pre && request.view === before.view;
  if (sameView && before.votedFor !== undefined && before.votedFor !== from) {
    return `has voted for ${before.votedFor} in view ${before.view}`;
  }
  const { last } = request;
  const behind =
    last.view < before.last.view ||
    (last.view === before.last.view && last.height < before.last.height);
  if (behind) return logs;
  return before.leader ? `hears ${before.leader}` : 'has heard a leader lately';
}

function entries(cause: Cause, work: Work): string[] {
  const lines: string[] = [];
  if (work.dropped.length > 0) {
    const whose = cause.kind === 'message' ? `: ${cause.from} has others there` : '';
    lines.push(`drops ${entriesText(work.dropped)}${whose}`);
  }
  const added = work.effects.flatMap((effects) => effects.append);
  if (added.length > 0) lines.push(`adds ${entriesText(added)}`);
  return lines;
}

function commits(node: StoryNode, cause: Cause, before: Picture, work: Work): string[] {
  const committed = work.effects.findLast((effects) => effects.committed !== undefined)?.committed;
  if (committed !== undefined) return whyCommitted(node, cause, before, committed);
  if (cause.kind !== 'message' || cause.message.type !== 'append-response') return [];
  const doubt = whyNotCommitted(node);
  const told = doubt === undefined || doubt === node.toldDoubt;
  node.toldDoubt = doubt;
  return told ? [] : [doubt];
}

function whyCommitted(node: StoryNode, cause: Cause, before: Picture, height: number): string[] {
  const words = (at: number, why: string) => {
    const entry = node.disk.entry(at);
    return `commits ${entry ? positionText(entry) : `height ${at}`}: ${why}`;
  };
  if (before.role !== 'leader') {
    if (cause.kind !== 'message') return [words(height, 'on its own disk')];
    return [words(height, whoSaysSo(cause.from, cause.message))];
  }
  // Once a reconfiguration is committed what follows it needs the new voters only.
  const placed = node.disk.configurations();
  const from = before.committed;
  const ends = placed.map((one) => one.height).filter((at) => at > from && at < height);
  let counted = placed.findLastIndex((one) => one.height <= from);
  return [...ends, height].map((at) => {
    const list = placed.slice(Math.max(0, counted)).map(({ configuration }) => configuration);
    counted = placed.findLastIndex((one) => one.height <= at);
    return words(at, `on disk at ${quorumText(node, node.holders(at), 'replication', list)}`);
  });
}

function whoSaysSo(from: string, message: Message): string {
  if (message.type === 'append') return `${from} says so`;
  if (message.type !== 'relay') return `learns it from ${from}`;
  const leader = nameOf(message.leader);
  return leader === from ? `${leader} says so` : `${leader} says so, through ${from}`;
}

/** A leader holds an entry on enough disks of some configuration, and yet it is not committed. */
function whyNotCommitted(node: StoryNode): string | undefined {
  const { role, view, committed, configurations, lastHeight } = node.machine.status;
  if (role !== 'leader') return undefined;
  const reached = configurations.map(({ voters, quorums }) => {
    const needed = quorumSizesOf({ voters, ...(quorums && { quorums }) }).replication;
    let height: number = lastHeight;
    while (height > committed && overlap(node.holders(height), voters) < needed) height -= 1;
    return height;
  });
  const most = Math.max(...reached);
  if (most <= committed) return undefined;
  const entry = node.disk.entry(most) as Entry;
  const held = quorumText(node, node.holders(most), 'replication');
  return Math.min(...reached) < most
    ? `cannot commit ${positionText(entry)} yet: on disk at ${held}`
    : `does not commit ${positionText(entry)} by counting ${held}: it leads view ${view}`;
}

function membership(before: Picture, after: Picture): string[] {
  const lines: string[] = [];
  if (before.configurations !== after.configurations) {
    const sets = after.configurations.split(' + ');
    lines.push(
      sets.length > 1
        ? `needs quorums of ${sets.join(' and of ')} from now on`
        : `needs a quorum of ${sets[0]} only from now on`,
    );
  }
  if (before.role === 'learner' && after.role !== 'learner') lines.push('may vote');
  if (before.role !== 'learner' && after.role === 'learner') lines.push('does not vote any more');
  if (after.role === 'leader') {
    const fresh = after.fed.filter((peer) => !before.fed.includes(peer));
    const gone = before.fed.filter((peer) => !after.fed.includes(peer));
    if (fresh.length > 0 && before.role === 'leader')
      lines.push(`feeds ${fresh.join(' ')} as well`);
    if (gone.length > 0) lines.push(`feeds ${gone.join(' ')} no more`);
  }
  if (after.retired && !before.retired) {
    lines.push('may be switched off: its successors know that it is removed');
  }
  return lines;
}

function answers(node: StoryNode, cause: Cause, before: Picture, work: Work): string[] {
  const lines: string[] = [];
  for (const effects of work.effects) {
    for (const { requestId, height } of effects.reads) {
      lines.push(`answers read ${requestId} at height ${height}`);
    }
    for (const requestId of effects.failedReads) lines.push(`cannot answer read ${requestId}`);
    for (const { peer, from } of effects.fetch) {
      lines.push(`looks on its disk for ${from} and what follows, for ${nameOf(peer)}`);
    }
  }
  const nack = sentBy(work).find(
    (message) => message.type === 'append-response' && message.rejected !== undefined,
  );
  if (nack && cause.kind === 'message' && cause.message.type === 'append') {
    lines.push(...whyRejected(node, cause.message, before));
  }
  return lines;
}

function whyRejected(node: StoryNode, { previous }: Append, before: Picture): string[] {
  if (previous.height > before.last.height) {
    return [
      `cannot add after ${positionText(previous)}: its log ends at ${positionText(before.last)}`,
    ];
  }
  const mine = node.disk.entry(previous.height);
  const instead = mine ? positionText(mine) : 'nothing it can tell';
  return [`cannot add after ${positionText(previous)}: it has ${instead} there`];
}

/** Names, and how many of each configuration they are: `a d (1 of abc, needs 2, and 2 of ade)`. */
function quorumText(
  node: StoryNode,
  names: readonly string[],
  kind: QuorumKind,
  configurations: readonly Configuration[] = node.machine.status.configurations,
): string {
  const parts = configurations.map((configuration) => {
    const needed = quorumSizesOf(configuration)[kind];
    const count = overlap(names, configuration.voters);
    const lacking = count < needed ? `, needs ${needed}` : '';
    return `${count} of ${configurationText(configuration)}${lacking}`;
  });
  return `${names.join(' ')} (${parts.join(' and ')})`;
}

const overlap = (names: readonly string[], voters: Configuration['voters']): number =>
  voters.filter((voter) => names.includes(nameOf(voter))).length;

/** Every message of some work, whether it waits for the disk or not. */
export const sentBy = (work: Work): Message[] =>
  work.effects
    .flatMap((effects) => [...effects.messages, ...effects.afterHardState])
    .map(({ message }) => message);
