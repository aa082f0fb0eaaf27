import type { RecordedTransaction } from '@concordat/api';
import type { QuestionSubject } from '@concordat/bridge';
import type { ReadView, TableDeclaration, WriteSet, WriteTable } from '@concordat/kv';
import { CodedError, type Digest } from '@concordat/std';
import type { Actor, NetworkTrust } from './actors.ts';
import type { ExternalAnswer, ExternalCall } from './external-call.ts';
import type { PastRange, PastTransactionView } from './past-reader.ts';
import type { Preparation } from './preparation.ts';

/** Why an adapter cannot work with what the constitution, genesis data or a snapshot says. */
export type AdapterErrorCode =
  | 'INVALID_CONFIGURATION'
  | 'INVALID_GENESIS'
  | 'INVALID_MEMORY'
  | 'NOT_EXECUTABLE'
  | 'CONTRACT_BROKEN';

/** An adapter that cannot be configured or started, or that broke a rule of the contract. */
export class AdapterError extends CodedError<AdapterErrorCode> {}

/**
 * The writable state of one batch: the speculative head below it, this batch's writes above. Tables
 * got from it stay valid until the hook that received the set returns.
 */
export interface BatchSet extends ReadView {
  /** A table of this adapter; asking for another adapter's table is a broken contract. */
  table(name: string): WriteTable;
  /** A mark to which `revert` takes the state back; marks end with the transaction. */
  checkpoint(): number;
  /** Undoes every write since the mark. */
  revert(mark: number): void;
  /**
   * Ends one transaction: its net writes become one leaf of the block. Call it exactly once for
   * every transaction that is kept, in the order of the batch. The claims digest (32 bytes) goes
   * into the leaf and so into the receipt; absent means 32 zero bytes.
   */
  endTransaction(claimsDigest?: Digest): void;
}

/** A transaction that may be ordered; `transaction` is whatever the adapter parsed. */
export interface Admitted<Tx> {
  readonly ok: true;
  readonly transaction: Tx;
  /** What it holds beside the request. */
  readonly bytes?: number;
  /**
   * Admitting it had effects outside of the network: another node does not admit it again of its own
   * accord; when this one cannot order it, whoever asked is told, and may ask again.
   */
  readonly hasActed?: true;
}

/** A request that cannot be ordered or was dropped; code from the catalogue of `@concordat/api`. */
export interface Refused {
  readonly ok: false;
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  /** As of {@link Admitted}. */
  readonly hasActed?: true;
}

/**
 * The outcome of a transaction that cannot be judged before the blocks under it, or its own batch's
 * transactions before it, have seqnos: it is left out of the batch and executed again once they do.
 */
export const deferred: Refused = {
  ok: false,
  code: 'EXECUTION_DEFERRED',
  message: 'it has to wait until the blocks before it have seqnos',
};

/** What became of one transaction of a batch: kept as one leaf, or refused without a trace. */
export type Outcome<Result> = { readonly ok: true; readonly result: Result } | Refused;

/** What the runtime tells an adapter about the batch it executes. */
export interface BatchEnvironment {
  /** Leader's wall clock at execution, milliseconds since 1970; never runs backwards. */
  readonly timeMs: number;
  readonly view: number;
  /** Identity of the executing node, 64 hex digits; zeros while the genesis state is made. */
  readonly nodeId: string;
  /** Bytes from the enclave's entropy source. */
  random(bytes: number): Uint8Array;
}

/** One committed block of this worker. */
export interface CommittedBatch {
  readonly height: number;
  readonly view: number;
  /** Seqno of the block's first leaf; leaf i has `firstSeqno + i`. */
  readonly firstSeqno: number;
  readonly timeMs: number;
  /** Leaves in the block, the closing leaf of `seal` included. */
  readonly count: number;
}

/** Success of a submitted transaction. */
export interface Accepted<Result> {
  readonly ok: true;
  readonly result: Result;
  /** `view.seqno`; absent with `wait: 'local'`, which answers before the block is numbered. */
  readonly transactionId?: string;
  /** Height of the transaction's block; 0 with `wait: 'local'`. */
  readonly height: number;
}

/** Answer to a submitted transaction. */
export type Submitted<Result> = Accepted<Result> | Refused;

/**
 * When a submission is answered: durably committed on a majority (default), or once executed. What was
 * told then is a forecast: a block that is thrown away before it has its number is executed again, and
 * nobody hears of it when that ends otherwise. It is lost with its leader, and when no block could be
 * sealed for as long as anybody waits (`commitTimeoutMs`).
 */
export type Wait = 'commit' | 'local';

/** How one transaction is submitted. */
export interface SubmitOptions {
  /** Default: commit. */
  readonly wait?: Wait;
  /**
   * Whom the adapter has verified to ask behind the actor's connection, so that idempotency keys of
   * two of them are two keys; absent for the actor itself.
   */
  readonly subject?: string;
}

/** What the runtime offers an adapter's endpoints. */
export interface AdapterHost<Result = unknown> {
  /** Live view of the committed state of the adapter's own tables. */
  committed(): ReadView;
  /** Live view of the speculative head: nothing read from it may leave before it commits. */
  head(): ReadView;
  /** Orders one transaction, on whichever node leads. */
  submit(raw: Uint8Array, actor: Actor, options?: SubmitOptions): Promise<Submitted<Result>>;
  /** The same without a promise, for hot paths; `done` is called once, never synchronously. */
  submitWith(
    raw: Uint8Array,
    actor: Actor,
    wait: Wait,
    done: (answer: Submitted<Result>) => void,
  ): void;
  /**
   * For linearizable reads that an endpoint tells apart itself: calls `done`, never synchronously,
   * once the committed state holds everything that was committed anywhere when this was called, or
   * with the reason why that is not certain. HTTP requests and WebSockets that ask for it by the
   * `concordat-consistency` header are held before an endpoint sees them.
   */
  whenCurrent(actor: Actor, done: (refused?: Refused) => void): void;
  /**
   * What the manager says about the ledger, which the worker does not hold: a receipt (its JSON, or
   * COSE bytes) of the transaction `view.seqno`, or the view history (JSON `[{view, firstSeqno}]`).
   * @throws ApiError TRANSACTION_PENDING, TRANSACTION_NOT_FOUND, OVERLOADED, and what else the
   *   manager refuses with
   */
  askLedger(
    actor: Actor,
    about: { readonly subject: QuestionSubject; readonly view?: number; readonly seqno?: number },
  ): Promise<Uint8Array>;
  /**
   * Consecutive committed transactions of any age, from the first of a range on: at least one, as
   * many as fit one answer. Of each, what it wrote to this adapter's tables, and its receipt. Actors
   * take turns; without one it is for the adapter itself.
   * @throws ApiError TRANSACTION_PENDING when the first is not committed here, OVERLOADED, and what
   *   else the manager refuses with (BLOCK_NOT_HELD, KEY_SHARES_MISSING)
   */
  readPast(range: PastRange, actor?: Actor): Promise<readonly PastTransactionView[]>;
  /**
   * Calls a system outside of the network over HTTPS, if the constitution lists it for this adapter.
   * Called from `admit` alone it is made once, by the leader, and nobody waits for it but whoever
   * asked.
   * @throws ExternalError
   */
  callExternal(call: ExternalCall): Promise<ExternalAnswer>;
  role(): { readonly leader: boolean; readonly view: number };
  /** Wall clock, milliseconds since 1970. */
  timeMs(): number;
  /** One structured log line; never a key, a secret or a payload. */
  log(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A request after the runtime's own checks: limits, path form, framing. */
export interface HttpRequest {
  readonly method: string;
  /** Path as sent, percent-encoding untouched, without the query; begins with `/`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names; a repeated header is joined with `, `. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The whole body, at most the runtime's `maxBodyBytes`. */
  readonly body: Uint8Array;
}

/** An endpoint's answer. */
export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Sent as `x-ms-ccf-transaction-id`. */
  readonly transactionId?: string;
}

/** One side of a WebSocket. Assign the callbacks inside `open`. */
export interface WebSocketLike {
  /** Path as the client asked for it, without the query: which of a prefix endpoint's it was. */
  readonly path: string;
  /** Queues one message: text for a string, binary for bytes. */
  send(data: string | Uint8Array): void;
  /** Bytes queued and not yet taken by the peer; the runtime drops peers beyond its limit. */
  readonly bufferedBytes: number;
  close(code?: number, reason?: string): void;
  onMessage: (data: Buffer, isBinary: boolean) => void;
  /**
   * A message on a connection opened for linearizable reads that could not be made certain to be
   * current; unless assigned, the connection is closed with 1013.
   */
  onRefused?: (data: Buffer, isBinary: boolean, refused: Refused) => void;
  onClose: () => void;
}

/**
 * Framed stream over one connection (`Upgrade: concordat-stream/1`): u32 length, u32 id, body, both
 * ways. Any number of requests in flight; answers carry the request's id, in any order.
 */
export interface FrameStream {
  /** Queues one frame; what is queued in one turn leaves in one write. The body is copied. */
  send(id: number, body: Uint8Array): void;
  close(): void;
  /** `body` is a view valid for as long as it is kept; the runtime never reuses its memory. */
  onFrame: (id: number, body: Buffer) => void;
  onClose: () => void;
}

/** An HTTP endpoint; `path` is exact, or a prefix when it ends in `/*`. */
export interface HttpEndpoint<Result = unknown> {
  readonly kind: 'http';
  readonly path: string;
  readonly methods: readonly string[];
  /**
   * `anyone`: requests of nobody in particular reach it too (`isNobody` of the actor's id), and it
   * judges for itself. Default `actors`: they are answered 401.
   */
  readonly callers?: 'actors' | 'anyone';
  handle(
    request: HttpRequest,
    actor: Actor,
    host: AdapterHost<Result>,
  ): Promise<HttpResponse> | HttpResponse;
}

/** A WebSocket endpoint. */
export interface WebSocketEndpoint<Result = unknown> {
  readonly kind: 'websocket';
  readonly path: string;
  /** Subprotocols the endpoint speaks, best first; none when absent. */
  readonly protocols?: readonly string[];
  open(socket: WebSocketLike, actor: Actor, host: AdapterHost<Result>): void;
}

/** A framed stream endpoint. */
export interface StreamEndpoint<Result = unknown> {
  readonly kind: 'stream';
  readonly path: string;
  open(stream: FrameStream, actor: Actor, host: AdapterHost<Result>): void;
}

/** Where clients reach an adapter. Paths of different adapters must not overlap. */
export type EndpointDeclaration<Result = unknown> =
  | HttpEndpoint<Result>
  | WebSocketEndpoint<Result>
  | StreamEndpoint<Result>;

/**
 * What an adapter has learned beside its tables, as it was when it was frozen. Read step by step
 * while the adapter goes on learning.
 */
export interface AdapterMemory {
  /** Length of all parts together, in bytes. */
  readonly bytes: number;
  /** The bytes in parts, each made in about a millisecond. Called once. */
  parts(): Iterable<Uint8Array>;
}

/**
 * One change of the worker's whole state, for an adapter that keeps a copy of its tables elsewhere.
 * Layers are numbered from 1 without gaps, in the order they are put on top.
 */
export type StateChange =
  /**
   * A batch that was executed here, of whichever adapter, is this layer now: of the set that was given
   * to `execute`, each transaction's write set in their order.
   */
  | {
      readonly kind: 'executed';
      readonly layer: number;
      readonly set: BatchSet;
      readonly writeSets: readonly WriteSet[];
    }
  /** Seqno of the first transaction of a layer that was executed here: it is sealed now. */
  | { readonly kind: 'numbered'; readonly layer: number; readonly firstSeqno: number }
  /** A block of the ledger is this layer; write set i is that of the transaction `firstSeqno + i`. */
  | {
      readonly kind: 'applied';
      readonly layer: number;
      readonly firstSeqno: number;
      readonly writeSets: readonly WriteSet[];
    }
  /** A committed block went straight into the base; there was no layer. */
  | {
      readonly kind: 'replayed';
      readonly firstSeqno: number;
      readonly writeSets: readonly WriteSet[];
    }
  /** Every layer up to this one is part of the base. */
  | { readonly kind: 'committed'; readonly layer: number }
  /** This layer and all above it are gone; their numbers are not used again. */
  | { readonly kind: 'dropped'; readonly layer: number };

/**
 * What an adapter runs: `none`; `starting`, with requests that wait; `running`; `failing`: it ended and
 * is started again and again.
 */
export interface ProgramState {
  readonly state: 'none' | 'starting' | 'running' | 'failing';
  /** Hex SHA-256 of the program. */
  readonly digest?: string;
  /** Why it is failing; it is shown to members. */
  readonly reason?: string;
}

/**
 * The side of an adapter whose application is a program that votes put in force. It declares the hash
 * table `public:<id>/program`, whose key `current` holds the program: bytes that are the adapter's own
 * affair. The framework writes there, as a transaction among all others (`stateChanged` tells); the
 * adapter itself does in `genesis` alone. What is executed on a state runs under the program in it.
 */
export interface ProgramHolder {
  /**
   * Whether it could run this: asked of the leader's worker before a proposal is recorded.
   * @throws CodedError with `file` and `line` among its details, where there are any
   */
  check(program: Uint8Array): Promise<void>;
  /**
   * It is about to be put in force: makes it ready beside the one that runs, which goes on. It may
   * never be put in force after all.
   * @throws CodedError
   */
  prepare?(program: Uint8Array): Promise<void>;
  /** Calls back whenever what runs, or how it does, has changed. */
  watch(changed: (state: ProgramState) => void): void;
}

/**
 * A ledger protocol or application that runs in the worker enclave (M25). It never touches disk,
 * network, or another adapter's tables; all that it writes goes through the set it is given.
 */
export interface LedgerAdapter<Tx = unknown, Result = unknown> {
  /** `[a-z][a-z0-9-]*`, at most 32 characters; the prefix of its tables. */
  readonly id: string;
  /** Names begin with `<id>/` or `public:<id>/`. */
  readonly tables: readonly TableDeclaration[];
  readonly endpoints: readonly EndpointDeclaration<Result>[];
  /** Absent for adapters whose code is all in the image. */
  readonly program?: ProgramHolder;
  /**
   * Takes the constitution's configuration for this adapter; called before anything else, and
   * again when the constitution changes.
   * @throws AdapterError INVALID_CONFIGURATION
   */
  configure(config: unknown): void;
  /**
   * Whom the network trusts, now or since a vote changed it: for adapters that know callers by more
   * than their connection. Called after `configure`.
   */
  trustChanged?(trust: NetworkTrust): void;
  /** Called once the state is complete, before the first request. */
  start?(host: AdapterHost<Result>): void;
  /**
   * Writes the initial state of a new network, on its first node only. Each `yield` ends one
   * transaction (one leaf); call `open()` again after it, since the runtime may have cut a block.
   * What was written after the last `yield` becomes one last leaf.
   * @throws AdapterError INVALID_GENESIS
   */
  genesis?(
    open: () => BatchSet,
    data: Uint8Array | undefined,
    env: BatchEnvironment,
  ): Iterable<void>;
  /**
   * What of `admit` follows from a request's bytes alone and is worth a thread: signatures above all.
   * Absent: requests are admitted as they come.
   */
  readonly preparation?: Preparation;
  /**
   * Parses one request and checks what does not depend on order: form, signature, permission. Runs
   * on the node that leads, with its speculative head, in the order of receipt. Must refuse, never
   * throw, on foreign bytes. `prepared` is what `preparation` made of these very bytes, where it was
   * asked and had an answer; the verdict is the same with and without it.
   */
  admit(
    raw: Uint8Array,
    actor: Actor,
    view: ReadView,
    prepared?: Uint8Array,
  ): Admitted<Tx> | Refused | Promise<Admitted<Tx> | Refused>;
  /**
   * Executes a batch in order, on the leader only, once; outcomes in the order of the batch. Each
   * kept transaction calls `set.endTransaction`; a dropped one reverts to its own checkpoint first.
   * A throw, or a promise not settled within the deadline, loses the whole batch.
   */
  execute(
    set: BatchSet,
    batch: readonly Admitted<Tx>[],
    env: BatchEnvironment,
  ): readonly Outcome<Result>[] | Promise<readonly Outcome<Result>[]>;
  /** The protocol's own block over the batch; its writes become the closing leaf. Synchronous. */
  seal?(set: BatchSet, outcomes: readonly Outcome<Result>[], env: BatchEnvironment): void;
  /**
   * Executes the first batch of these recorded transactions anew, for an audit: on the state before
   * it, with what was given to it (requests, times, random values) taken from what it wrote, and
   * nothing else from there. It ends each transaction and seals as `execute` and `seal` do; whatever
   * differs from the recorded is for the caller to find. Only for adapters whose execution follows
   * from that. They may be more than one batch, and end within one: a recovered network keeps the
   * transactions of the former one in blocks of its own.
   * @returns transactions of the batch; 0 when no request made the first: a part of the initial
   *   state, to be taken as it stands; undefined while the batch does not end with these
   * @throws AdapterError NOT_EXECUTABLE with details.transaction: what was recorded cannot be the
   *   result of any execution
   */
  reexecute?(
    set: BatchSet,
    recorded: readonly RecordedTransaction[],
  ): number | undefined | Promise<number | undefined>;
  /**
   * On every node, once for each committed block of this worker, in order, whichever adapter of
   * the worker it is of; those that were replayed come before `start`, those a snapshot stands for
   * never come. `view` is the committed state of exactly that block. Publish events here.
   */
  committed?(info: CommittedBatch, view: ReadView): void;
  /**
   * Freezes what the adapter keeps beside its tables and could not make from them again, for a
   * snapshot. It follows from the committed blocks alone, whatever the configuration was, so that
   * its bytes are the same on every node. Called right after `committed` of the snapshot's last
   * block, between any two of its blocks; costs next to nothing. Without it nothing is kept.
   */
  freezeMemory?(): AdapterMemory;
  /**
   * The committed tables were replaced by those of a snapshot: make anew, or drop, what was made
   * from the old ones. `memory` is what `freezeMemory` gave then, empty for nothing; tables and
   * memory are empty when the snapshot turned out to be none. Before `start` or later; the blocks
   * after it follow by `committed`, those before it never do. Clients' connections are closed.
   * @throws AdapterError INVALID_MEMORY when `memory` is not its own: the snapshot is refused
   */
  restored?(memory: Uint8Array, view: ReadView): void;
  /**
   * The speculative head changed by another way than this adapter's execution, a batch that it executed
   * or executes is to be executed again, or this node ceased to lead and gave away what it had
   * admitted: drop caches of both.
   * @param waiting what it admitted and is still to execute, some of it again; everything else that it
   *   admitted is executed, or will never be here
   */
  headReset?(waiting: readonly Admitted<Tx>[]): void;
  /**
   * Every change of the worker's state, as it happens, but for `restored`. The bytes of write sets
   * may be kept.
   */
  stateChanged?(change: StateChange): void;
  /** The worker ends: whatever the adapter has running ends with it. */
  stop?(): void;
  /** A result as bytes, to travel from the leader to the follower that was asked; default JSON. */
  encodeResult?(result: Result): Uint8Array;
  /** Reads what `encodeResult` wrote. */
  decodeResult?(bytes: Uint8Array): Result;
}
