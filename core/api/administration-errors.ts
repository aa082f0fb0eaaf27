/** What nodes answer about themselves, their leader and their ledger. */
export const administrationErrors = {
  NODE_NOT_READY: {
    status: 503,
    meaning: 'The node is starting, joining or catching up and does not serve yet.',
    remedy: 'Try again shortly, or use another node; GET /node/ready says when.',
    retryable: true,
  },
  RECOVERY_SHARES_REFUSED: {
    status: 409,
    meaning: 'The decryption shares a member gave for a recovery do not hold; the reason says why.',
    remedy: 'Make them anew with "concordat recover submit", for this node and from this ledger.',
  },
  NOT_OWN_NODE: {
    status: 403,
    meaning: 'A node gives copies of shares to the member it belongs to, and to nobody else.',
    remedy: 'Ask a node of your own: its address is in GET /node/network.',
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
  BLOCK_NOT_HELD: {
    status: 503,
    meaning:
      'The node does not hold this earlier block yet, since it began from a snapshot or its copy was damaged, and no node it could ask gave it.',
    remedy:
      'Ask another node, or again once this one has fetched it: see backfill in GET /node/state.',
    retryable: true,
  },
  SNAPSHOT_CORRUPT: {
    status: 0,
    meaning: 'A snapshot is not what was sealed here, or not what its digest names.',
    remedy:
      'None needed: it is dropped, and the node begins from an older one, from the ledger or from its peers. The log names reason and height; files that change by themselves are a reason to look at the disk.',
  },
  SNAPSHOT_MISSING: {
    status: 0,
    meaning:
      'The ledger on the host begins after block 1, and no snapshot of its beginning is left.',
    remedy: 'Restore the files, or start the node anew so that it gets a snapshot from the others.',
  },
  SNAPSHOT_UNPROVEN: {
    status: 0,
    meaning:
      'The ledger does not have the digest of the snapshot this node was given: the state could be false.',
    remedy:
      'The node discards everything and joins again. If it happens twice, look for snapshot.differs in the logs of the others: a node has diverged.',
  },
  LEDGER_CORRUPT: {
    status: 500,
    meaning: 'Ledger bytes the host handed over were altered, truncated or out of order.',
    remedy: 'Restore the files or let the node start anew; the log names the height and reason.',
  },
  LEDGER_TRUNCATED: {
    status: 500,
    meaning: 'The ledger on the host ends below a block that was committed on this node.',
    remedy: 'Restore the missing files; the log names the last block found and the one expected.',
  },
  RECORD_UNREADABLE: {
    status: 500,
    meaning: 'A sealed record was changed, or sealed by another platform or other code.',
    remedy: 'Restore it, or let the node join anew; after an upgrade of the code that is expected.',
  },
  SHARE_NOT_HELD: {
    status: 503,
    meaning: 'The node does not hold the share that is asked for, or not yet.',
    remedy:
      'Ask another node of the same actor, or again shortly: a node gets its shares after it joined.',
    retryable: true,
  },
  SESSION_KEY_MISSING: {
    status: 503,
    meaning:
      'The node, or the leader it asked, does not hold the session key of the epoch in force, or of the one the block belongs to.',
    remedy:
      'Try again shortly: a node that lacks a key gathers it from others; or ask another node.',
    retryable: true,
  },
  NETWORK_KEY_MISSING: {
    status: 503,
    meaning:
      "The node does not have the network's private key at hand, which endorses nodes that join and signs COSE receipts.",
    remedy:
      'It gets the key from another node, or gathers it once nodes of enough members are up: try again.',
    retryable: true,
  },
  KEY_SHARES_MISSING: {
    status: 503,
    meaning:
      'The session key of an epoch is not in memory, and too few actors gave decryption shares for it.',
    remedy:
      'The message and the log name who was asked and what each said: have nodes of more members run.',
    retryable: true,
  },
  EPOCH_NOT_GRANTED: {
    status: 0,
    meaning: 'A node asked for a share of an epoch that no transaction of the ledger grants to it.',
    remedy: 'None for a node that is about to join: it asks again once its joining is committed.',
  },
  EPOCH_NOT_COMMITTED: {
    status: 0,
    meaning: 'A share was asked for an epoch whose key the committed ledger at hand does not have.',
    remedy: 'None needed: the node asks again when the block that begins the epoch is final.',
  },
  EPOCH_NOT_DUE: {
    status: 0,
    meaning: 'Another epoch had begun before the one that was due got its turn.',
    remedy: 'None needed.',
  },
  NETWORK_LIVE: {
    status: 0,
    meaning: 'A node tried to resume its old identity although the network is running.',
    remedy: 'None needed: it starts once more and rejoins as a new node.',
  },
  CHANNEL_REFUSED: {
    status: 0,
    meaning: 'Another node than the expected one answered, or it broke the handshake.',
    remedy: 'Check the addresses in the node list and what forwards connections to them.',
  },
  CHANNEL_FAILED: {
    status: 502,
    meaning: 'A connection between two nodes could not be made, broke, or carried nonsense.',
    remedy: 'Check network and addresses; the nodes connect again by themselves.',
    retryable: true,
  },
  PEER_TIMEOUT: {
    status: 504,
    meaning: 'Another node did not answer in time; whether it acted is not known.',
    remedy: 'Ask for the effect before sending the request again.',
  },
  WORKER_REFUSED: {
    status: 0,
    meaning: 'The worker enclave is not genuine, broke the protocol or went away.',
    remedy: 'None needed: the host starts both enclaves anew. The log says what it did.',
  },
  INVALID_START: {
    status: 0,
    meaning: 'What the host told the enclave to start with does not make sense.',
    remedy: "Correct the node's configuration; the message names what is missing.",
  },
  HOST_FAULT: {
    status: 0,
    meaning: 'The host could not keep its promises or broke the protocol; the node ends.',
    remedy: 'Check disk space, permissions and the log of the host.',
  },
  CONTROL_CLOSED: {
    status: 0,
    meaning: 'The host went away; the enclaves end with it.',
    remedy: 'None needed: starting the host starts the enclaves.',
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
