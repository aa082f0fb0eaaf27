import type { ApplicationState } from './deployment.ts';

/** Paths of the administrative channel (mutual TLS, served by the manager enclave). */
export const adminPaths = {
  /** GET {@link NodeState} */
  state: '/node/state',
  /** GET {@link NetworkState} */
  network: '/node/network',
  /** GET the OpenAPI 3.1 document of this channel */
  openApi: '/node/api',
  /** GET Prometheus text, version 0.0.4 */
  metrics: '/node/metrics',
  /** GET 200 {@link Health} while the process works at all */
  health: '/node/health',
  /** GET 200 {@link Health} while the node serves; 503 NODE_NOT_READY otherwise */
  ready: '/node/ready',
  /** GET ?nonce=64 hex digits {@link EvidenceAnswer}; to anybody, actor or not */
  evidence: '/node/evidence',
  /** GET ?transaction_id=view.seqno {@link TransactionState} */
  transaction: '/node/tx',
  /** GET ?transaction_id=view.seqno&format=json|cose: a receipt; 202 TRANSACTION_PENDING before */
  receipt: '/node/receipt',
  /** GET {@link CommitState} */
  commit: '/node/commit',
  /** GET {@link ConstitutionAnswer} */
  constitution: '/gov/constitution',
  /** GET {@link ProposalsAnswer}; one proposal under `/{proposalId}` */
  proposals: '/gov/proposals',
  /**
   * GET ?since=seqno a stream of {@link EventLine}: server-sent events, from what follows that
   * transaction (or the one of the header `last-event-id`), else from now on
   */
  events: '/gov/events',
  /** POST application/cose, a signed governance message; {@link SubmissionAnswer} */
  messages: '/gov/messages',
  /**
   * POST application/vnd.concordat.deployment, a signed proposal and the program it names;
   * {@link SubmissionAnswer}
   */
  deployments: '/gov/deployments',
  /** GET a program that is in force or proposed, under `/{digest}`: its bytes */
  programs: '/gov/programs',
  /** GET {@link SharedKeysState}: shared keys, who holds shares, who was given copies */
  keys: '/gov/keys',
  /** POST application/cose, a signed `key-export` message; {@link KeyExportAnswer} */
  keyExports: '/gov/key-exports',
  /** POST application/cose, a signed `giving` message; {@link AuditSharesAnswer} */
  auditShares: '/gov/audit-shares',
  /** GET {@link RecoveryState}: how far a recovered network is */
  recovery: '/gov/recovery',
  /** GET ?nonce=64 hex digits {@link RecoveryOffer}: what a recovering node attests */
  recoveryOffer: '/gov/recovery/offer',
  /** POST {@link RecoveryGift} as JSON: a member's decryption shares; {@link RecoveryState} */
  recoveryShares: '/gov/recovery/shares',
} as const;

/** Media type of governance messages and COSE receipts (RFC 9052, section 10.3). */
export const coseMediaType = 'application/cose';
/** Media type of event streams: server-sent events (WHATWG HTML, section 9.2). */
export const eventStreamMediaType = 'text/event-stream';
/** Header of every answer to an executed write: `view.seqno`. The name is CCF's. */
export const transactionIdHeader = 'x-ms-ccf-transaction-id';

/** What a node is doing; `recovering`: it holds the state of a lost network, and serves nobody. */
export type NodePhase =
  | 'starting'
  | 'joining'
  | 'catching-up'
  | 'recovering'
  | 'ready'
  | 'stopping';

/** Its part in consensus. */
export type ConsensusRole = 'leader' | 'follower' | 'candidate' | 'learner';

/** GET /node/state: this node, as it sees itself. */
export interface NodeState {
  /** Hex, 32 bytes. */
  readonly nodeId: string;
  readonly name: string;
  readonly phase: NodePhase;
  readonly role: ConsensusRole;
  readonly view: number;
  /** Node id of the leader, when one is known. */
  readonly leader?: string;
  /** Highest block in this node's log, and highest committed one. */
  readonly lastHeight: number;
  readonly committedHeight: number;
  readonly committedSeqno: number;
  /** Height of the newest snapshot on its host; 0 = none. */
  readonly snapshotHeight: number;
  /** While its host lacks earlier blocks: how many, and the height of the first. */
  readonly backfill?: { readonly missing: number; readonly from: number };
  readonly epoch: number;
  /** Hex, 32 bytes each. */
  readonly measurement: string;
  readonly platform: string;
  readonly workers: readonly WorkerState[];
}

/** One worker enclave of a node. */
export interface WorkerState {
  /** From 1. */
  readonly index: number;
  readonly adapters: readonly string[];
  readonly ready: boolean;
  /** What its adapters run, as far as they take programs by vote. */
  readonly applications: readonly ApplicationState[];
}

/** GET /node/network: what does not depend on the node that answers. */
export interface NetworkState {
  /** Hex, 32 bytes. */
  readonly networkId: string;
  readonly name: string;
  /** PEM. */
  readonly networkCertificate: string;
  /** Hex, 32 bytes: digest of the constitution in force. */
  readonly constitutionDigest: string;
  readonly view: number;
  readonly leader?: string;
  /**
   * Base64 of the key that requests to applications are sealed to, endorsed by the network's key
   * (docs/format/sealed-request.md); absent while the node that answers lacks the keys it is made of.
   */
  readonly requestKey?: string;
  readonly nodes: readonly NetworkNode[];
}

/** A node of the VN list. */
export interface NetworkNode {
  /** Hex, 32 bytes each. */
  readonly nodeId: string;
  readonly actorId: string;
  readonly name: string;
  readonly status: string;
  /** `host:port` */
  readonly address: string;
  readonly adminAddress: string;
  readonly applicationAddresses: readonly string[];
}

/** GET /node/health and /node/ready. */
export interface Health {
  readonly status: 'ok';
  readonly phase: NodePhase;
}

/**
 * Where a transaction stands: `Unknown` = not heard of (yet), `Pending` = in a block that is not
 * committed, `Committed`, `Invalid` = lost for ever. The words and names are CCF's.
 */
export type TransactionStatus = 'Unknown' | 'Pending' | 'Committed' | 'Invalid';

/** GET /node/tx. */
export interface TransactionState {
  /** `view.seqno` */
  readonly transaction_id: string;
  readonly status: TransactionStatus;
}

/** GET /node/commit. */
export interface CommitState {
  /** `view.seqno` of the last committed transaction. */
  readonly transaction_id: string;
}

/** GET /gov/constitution. */
export interface ConstitutionAnswer<Constitution = unknown> {
  readonly networkId: string;
  /** Hex SHA-256 of its canonical JSON. */
  readonly digest: string;
  readonly constitution: Constitution;
}

/** GET /gov/proposals. */
export interface ProposalsAnswer<Proposal = unknown> {
  /** In the order of opening. */
  readonly proposals: readonly Proposal[];
}

/** POST /gov/messages, after the message's block is committed. */
export interface SubmissionAnswer<Effect = unknown> {
  /** Hex, 32 bytes. */
  readonly proposalId: string;
  readonly state:
    | 'open'
    | 'accepted'
    | 'rejected'
    | 'withdrawn'
    | 'failed'
    | 'expired'
    | 'superseded';
  readonly effects: readonly Effect[];
  /** `view.seqno` of the message's transaction. */
  readonly transactionId: string;
}

/** The data of one event of GET /gov/events: what a committed transaction changed. */
export interface EventLine<Event = unknown> {
  /** `view.seqno` of the transaction that made the change. */
  readonly transactionId: string;
  /** Milliseconds since the Unix epoch, of its block. */
  readonly timeMs: number;
  readonly event: Event;
}
