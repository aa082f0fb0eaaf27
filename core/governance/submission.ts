import type { GovernanceEffect } from './effects.ts';
import type { ProposalState } from './proposal.ts';

/** What came of a message. */
export interface Submission {
  /** Hex, 32 bytes: the proposal it made, voted on or withdrew; of others its own id. */
  readonly proposalId: string;
  /** Where that proposal stands now. */
  readonly state: ProposalState;
  /** What took effect with this message, of every proposal it decided, in order. */
  readonly effects: readonly GovernanceEffect[];
}

/** What the caller knows. */
export interface SubmissionContext {
  /** The network's time, seconds since the Unix epoch. */
  readonly nowSeconds: number;
  /** The program that came with a proposal. */
  readonly program?: Uint8Array;
}

/** One message's turn. */
export interface Turn extends SubmissionContext {
  /** Of the message among all governance messages, from 1. */
  readonly sequence: number;
}
