import { CodedError } from '@concordat/std';

/** What a run may violate. */
export type ViolationCode =
  // Consensus
  | 'TWO_LEADERS'
  | 'VOTED_TWICE'
  | 'VIEW_FELL'
  | 'DIVERGENT_COMMIT'
  | 'COMMIT_NOT_DURABLE'
  | 'COMMIT_LOST'
  | 'COMMITTED_TRUNCATED'
  | 'LOG_GAP'
  | 'LOG_MISMATCH'
  | 'WRONG_CONFIGURATION'
  | 'PREMATURE_RETIREMENT'
  | 'STALE_READ'
  | 'DISHONEST_PEER'
  // Ledger, state and secrets
  | 'NONCE_REUSED'
  | 'PLAINTEXT_LEAKED'
  | 'KEY_EXPOSED'
  | 'ACKNOWLEDGED_LOST'
  | 'RECEIPT_REFUSED'
  | 'LEDGER_UNSOUND'
  | 'STATE_DIFFERS'
  | 'NOT_LINEARIZABLE'
  // The network as a whole
  | 'FALSE_ALARM'
  | 'DAMAGE_UNNOTICED'
  | 'BUG'
  | 'NOT_LIVE';

/** A promise was broken. */
export class Violation extends CodedError<ViolationCode> {}
