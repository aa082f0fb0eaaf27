import type {
  Append,
  AppendResponse,
  Install,
  InstallResponse,
  Message,
  Relay,
  VoteRequest,
  VoteResponse,
} from '@concordat/consensus';
import { entriesText, nameOf, positionText } from './names.ts';
import { snapshotName } from './story-snapshots.ts';

/** A message in words. */
export function messageWords(message: Message): string {
  switch (message.type) {
    case 'append':
      return appendWords(message);
    case 'append-response':
      return answerWords(message);
    case 'vote-request':
      return requestWords(message);
    case 'vote-response':
      return voteWords(message);
    case 'timeout-now':
      return `take over from view ${message.view}`;
    case 'install':
      return installWords(message);
    case 'install-response':
      return installAnswerWords(message);
    case 'relay':
      return relayWords(message);
  }
}

function appendWords(append: Append): string {
  const { view, previous, entries, committed, round, retire } = append;
  const what =
    entries.length === 0
      ? `heartbeat of view ${view} at ${positionText(previous)}`
      : `append of view ${view} after ${positionText(previous)}: ${entriesText(entries)}`;
  const reads = round > 0 ? `; round ${round}` : '';
  return `${what}; commit ${committed}${reads}${retire ? '; you may go' : ''}`;
}

function answerWords(answer: AppendResponse): string {
  const { view, match, received, committed, round, rejected } = answer;
  const reads = round > 0 ? `; round ${round}` : '';
  const end = `commit ${committed}${reads}`;
  if (rejected) {
    const { previousHeight, estimate } = rejected;
    return `in view ${view}: no to what follows ${previousHeight}, at most ${positionText(estimate)} is shared; ${end}`;
  }
  const held = received > match ? `got ${received}, on disk ${match}` : `holds ${match}`;
  return `in view ${view}: ${held}; ${end}`;
}

function requestWords({ pre, view, last, committed }: VoteRequest): string {
  const what = pre ? 'pre-vote' : 'vote';
  const known = committed.height > 0 ? `, committed ${positionText(committed)}` : '';
  return `${what} for view ${view}? log ends at ${positionText(last)}${known}`;
}

function voteWords({ pre, view, granted, committed }: VoteResponse): string {
  const what = pre ? 'pre-vote' : 'vote';
  const known = committed.height > 0 ? `; committed ${positionText(committed)}` : '';
  return granted ? `${what} for view ${view}: yes${known}` : `${what}: no, in view ${view}${known}`;
}

function installWords({ view, position, index, bytes }: Install): string {
  const snapshot = `snapshot ${snapshotName(position.digest)}`;
  if (bytes.length === 0) return `view ${view}, ${snapshot}: how much of it is there?`;
  return `view ${view}, ${snapshot}: chunk ${index}`;
}

function installAnswerWords(answer: InstallResponse): string {
  const { view, digest, next, received, height, refused } = answer;
  const end = `; commit ${height}${refused ? `; ${refused}` : ''}`;
  const has = received > next ? `got ${received} chunks, stored ${next}` : `stored ${next} chunks`;
  return `in view ${view}, snapshot ${snapshotName(digest)}: ${has}${end}`;
}

function relayWords({ leader, targets, append }: Relay): string {
  const others = targets.length > 0 ? `, for ${targets.map(nameOf).join(' ')} as well` : '';
  return `from ${nameOf(leader)}${others}: ${appendWords(append)}`;
}
