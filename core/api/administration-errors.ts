/** What nodes answer about themselves, their leader and their ledger. */
export const administrationErrors = {
  NODE_NOT_READY: {
    status: 503,
    meaning: 'The node is starting, joining or catching up and does not serve yet.',
    remedy: 'Try again shortly, or use another node; GET /node/ready says when.',
    retryable: true,
  },
  NODE_STOPPING: {
    status: 503,
    meaning: 'The node is shutting down and takes no more work.',
    remedy: 'Use another node.',
    retryable: true,
  },
  NODE_QUARANTINED: {
    status: 503,
    meaning: 'The node did not renew its lease and is cut off from the network.',
    remedy: 'Restart it so that it attests anew; use another node meanwhile.',
  },
  NOT_LEADER: {
    status: 503,
    meaning: 'This node is not the leader and was asked not to forward the request.',
    remedy: 'Send it to the leader named in the details.',
    retryable: true,
  },
  LEADER_UNKNOWN: {
    status: 503,
    meaning: 'No leader is known: an election runs, or a majority of nodes is out of reach.',
    remedy: 'Try again shortly; if it lasts, check that a majority of nodes is up.',
    retryable: true,
  },
  FORWARDING_FAILED: {
    status: 502,
    meaning: 'The request could not be handed to the leader; it was not started.',
    remedy: 'Send it again.',
    retryable: true,
  },
  CONFIGURATION_PENDING: {
    status: 503,
    meaning: 'Another change of the set of voting nodes is not committed yet.',
    remedy: 'Try again after it is.',
    retryable: true,
  },
  WORKER_UNAVAILABLE: {
    status: 503,
    meaning: 'The worker enclave behind this port is not running or not attested.',
    remedy: 'Try again shortly; the host restarts it. Its log says why it ended.',
    retryable: true,
  },
  RECEIPT_UNAVAILABLE: {
    status: 503,
    meaning: 'The block of the transaction is not at hand on this node at the moment.',
    remedy: 'Try again, or ask another node.',
    retryable: true,
  },
  LEDGER_CORRUPT: {
    status: 500,
    meaning: 'Ledger bytes the host handed over were altered, truncated or out of order.',
    remedy: 'Restore the files or let the node start anew; the log names the height and reason.',
  },
  STORAGE_FAILED: {
    status: 500,
    meaning: 'The host could not write or sync the ledger.',
    remedy: 'Check disk space and permissions of the ledger directory.',
  },
  UNSUPPORTED_VERSION: {
    status: 400,
    meaning: 'A file, message or node uses a version of a format this node does not know.',
    remedy: 'Upgrade the older side.',
  },
  INVALID_CONFIGURATION: {
    status: 400,
    meaning: 'A configuration has an unknown key or a value out of bounds.',
    remedy: 'Correct the value at the path in the message.',
  },
} as const;
