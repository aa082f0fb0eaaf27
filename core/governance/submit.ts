import type { ReadView, TransactionSet } from '@concordat/kv';
import { recordAcknowledgement } from './acknowledgements.ts';
import { dropUnusedPrograms } from './applications.ts';
import { GovernanceError } from './errors.ts';
import { recordKeyExport } from './key-exports.ts';
import { recordHolderRotation } from './key-rotation.ts';
import { type DecodedMessage, decodeMessage, type GovernanceMessage } from './message.ts';
import { identifyMessage, requireSignedByMember } from './message-signer.ts';
import { openProposal } from './proposal-opening.ts';
import { expireProposals } from './proposal-settling.ts';
import { recordConsent } from './recovery.ts';
import { acceptOnce } from './replay.ts';
import { recordGiving } from './share-giving.ts';
import { networkInfo } from './state.ts';
import type { Submission, SubmissionContext, Turn } from './submission.ts';
import { messagesTable, sequenceKey } from './tables.ts';
import { recordVote, withdraw } from './vote.ts';

/**
 * Executes a signed governance message (paper: Voting). Its record, the vote, and whatever the
 * vote decides are writes of this one set. A refusal leaves the set as it was.
 * @throws GovernanceError of any code that concerns messages, proposals, actions or laws
 */
export function submitMessage(
  set: TransactionSet,
  bytes: Uint8Array,
  context: SubmissionContext,
): Submission {
  const mark = set.checkpoint();
  try {
    const decoded = decodeMessage(bytes);
    requireOwnNetwork(set, decoded);
    requireSignedByMember(set, decoded, context.nowSeconds);
    const message = identifyMessage(set, decoded);
    acceptOnce(set, message, context.nowSeconds);
    const sequence = recordMessage(set, bytes);
    const ended = expireProposals(set, context.nowSeconds);
    const submission = handle(set, message, { ...context, sequence });
    dropUnusedPrograms(set);
    return { ...submission, effects: [...ended, ...submission.effects] };
  } catch (error) {
    set.revert(mark);
    throw error;
  }
}

function requireOwnNetwork(view: ReadView, { networkId }: DecodedMessage): void {
  if (networkId !== networkInfo(view).networkId) {
    throw new GovernanceError('WRONG_NETWORK', 'the message was signed for another network', {
      networkId,
    });
  }
}

/** Keeps the message verbatim; its sequence, from 1. */
function recordMessage(set: TransactionSet, bytes: Uint8Array): number {
  const messages = set.table(messagesTable);
  let sequence = 1;
  for (const [key] of messages.range({ reverse: true, limit: 1 })) sequence = Number(key) + 1;
  messages.set(sequenceKey(sequence), Uint8Array.from(bytes));
  return sequence;
}

function handle(set: TransactionSet, message: GovernanceMessage, turn: Turn): Submission {
  if (turn.program !== undefined && message.type !== 'proposal') {
    throw new GovernanceError('PROGRAM_MISMATCH', 'a program comes with a proposal only');
  }
  switch (message.type) {
    case 'proposal':
      return openProposal(set, message, turn);
    case 'vote':
      return recordVote(set, message, turn);
    case 'withdrawal':
      return withdraw(set, message, turn);
    case 'giving':
      return {
        proposalId: message.messageId,
        state: 'accepted',
        effects: recordGiving(set, message, turn.nowSeconds),
      };
    case 'recovery-consent':
      return {
        proposalId: message.messageId,
        state: 'accepted',
        effects: recordConsent(set, message, turn.nowSeconds),
      };
    case 'key-export':
      return {
        proposalId: message.messageId,
        state: 'accepted',
        effects: recordKeyExport(set, message, turn.nowSeconds),
      };
    case 'acknowledgement':
      return {
        proposalId: message.messageId,
        state: 'accepted',
        effects: recordAcknowledgement(set, message, turn.nowSeconds),
      };
    case 'holder-rotation':
      return {
        proposalId: message.messageId,
        state: 'accepted',
        effects: recordHolderRotation(set, message, turn.nowSeconds),
      };
  }
}
