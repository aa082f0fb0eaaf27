import { setTimeout as sleep } from 'node:timers/promises';
import { type Consistency, type EventLine, idempotencyWindowMs } from '@concordat/api';
import type { GovernanceEvent } from '@concordat/governance';
import type { ReceiptJson } from '@concordat/ledger';
import type { AdminClient } from './admin-client.ts';
import {
  type ApplicationAnswer,
  type ApplicationRequest,
  newIdempotencyKey,
} from './application-calls.ts';
import type { ApplicationClient } from './application-client.ts';
import type { ConnectionOptions } from './connection.ts';
import { isTransient, isUntouched, mayRepeat, SdkError } from './errors.ts';
import { type EventsWanted, followEvents } from './network-events.ts';
import { type KnownNode, NetworkNodes, type NodeAddresses, type Wanted } from './network-nodes.ts';
import { NodeVerifier, type NodeVerifierOptions } from './node-verifier.ts';
import { jittered, type Patience, within } from './retrying.ts';

/** How to reach a network. */
export interface NetworkOptions
  extends Pick<ConnectionOptions, 'networkCertificate' | 'identity' | 'maxSockets'> {
  /** Administrative addresses of some of its nodes, or both addresses; the others are learned. */
  readonly nodes: readonly (string | NodeAddresses)[];
  /** Only nodes are spoken to that prove to run pinned code; without it, any node of the network. */
  readonly attestation?: NodeVerifierOptions;
  /** Milliseconds for a call with everything that is tried; default 30,000, at most 300,000. */
  readonly timeoutMs?: number;
  /** Milliseconds after which a call that may be repeated is tried at another node; default 10,000. */
  readonly attemptTimeoutMs?: number;
  /** How fresh reads are that do not say it; default `committed`. */
  readonly consistency?: Consistency;
  /** Which of a node's application ports is used, from 0, the default. */
  readonly worker?: number;
  /** Makes an address of the node list one that can be reached from here. */
  readonly translate?: (address: string) => string;
}

/** A request to whichever node serves it. */
export interface NetworkRequest extends Omit<ApplicationRequest, 'idempotencyKey' | 'timeoutMs'> {
  /**
   * Of a write: the key it is executed once under. Drawn for each call unless given; `none` sends it
   * without, and then never twice.
   */
  readonly idempotencyKey?: string | 'none';
  /** Milliseconds for everything that is tried. */
  readonly timeoutMs?: number;
}

/** One thing to be done at whichever node does it. */
interface Task<Result> {
  readonly wanted: Wanted;
  /** Whether an attempt whose outcome is unknown may be followed by another one. */
  readonly repeatable: boolean;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly attempt: (node: KnownNode, timeoutMs: number) => Promise<Result>;
}

const longestCallMs = idempotencyWindowMs / 2;
const knowledgeLastsMs = 10_000;
const shortestRestMs = 50;
const longestRestMs = 1_000;

/**
 * A network as one thing: whichever of its nodes can be reached, and has proved what it runs where that
 * was asked for, serves. Writes go to the leader, reads to each node in turn; what fails is tried at
 * another node until the time for the call is over.
 */
export class NetworkClient {
  readonly #options: NetworkOptions;
  readonly #nodes: NetworkNodes;
  #learnedMs = Number.NEGATIVE_INFINITY;
  #learning: Promise<void> | undefined;
  #closed = false;

  /** @throws SdkError INVALID_ADDRESS, INVALID_NETWORK_CERTIFICATE, INVALID_PINNED_CODE */
  constructor(options: NetworkOptions) {
    this.#options = options;
    const { networkCertificate, identity, maxSockets, attestation } = options;
    const named = options.nodes.map((node) => (typeof node === 'string' ? { admin: node } : node));
    if (named.length === 0) throw new SdkError('NO_NODE', 'not one address was given');
    this.#nodes = new NetworkNodes(named, {
      networkCertificate,
      ...(identity && { identity }),
      ...(maxSockets !== undefined && { maxSockets }),
      verifier: attestation && new NodeVerifier(attestation),
      worker: options.worker ?? 0,
      translate: options.translate ?? ((address) => address),
    });
    for (const node of this.#nodes.all) void node.admin;
  }

  /**
   * Sends a request to an application. Reads (GET and HEAD, unless `safe` says otherwise) are asked of
   * any node; writes are sent to the leader with an idempotency key, and again until their outcome is
   * known.
   * @throws SdkError as {@link ApplicationClient.request}; NO_NODE when none of the nodes can be used;
   *   for a write CONNECTION_LOST, TIMEOUT or TRANSACTION_UNKNOWN leave open whether it took effect:
   *   the same call with the same key, within ten minutes, tells
   */
  request(path: string, request: NetworkRequest = {}): Promise<ApplicationAnswer> {
    const { idempotencyKey, timeoutMs: _, ...rest } = request;
    const isWrite = request.json !== undefined || request.body !== undefined;
    const method = request.method ?? (isWrite ? 'POST' : 'GET');
    const safe = request.safe ?? (method === 'GET' || method === 'HEAD');
    const key =
      safe || idempotencyKey === 'none' ? undefined : (idempotencyKey ?? newIdempotencyKey());
    const { consistency = 'committed' } = this.#options;
    return this.#run({
      wanted: safe ? 'any' : 'leader',
      repeatable: safe || key !== undefined,
      timeoutMs: this.#callMs(request.timeoutMs),
      signal: request.signal,
      attempt: (node, timeoutMs) =>
        node.application.request(path, {
          ...rest,
          ...(safe && { consistency: rest.consistency ?? consistency }),
          ...(key !== undefined && { idempotencyKey: key }),
          timeoutMs,
        }),
    });
  }

  /**
   * Asks the administrative channel of whichever node answers. What is asked must change nothing.
   * @throws SdkError
   */
  read<Result>(question: (admin: AdminClient) => Promise<Result>): Promise<Result> {
    return this.#run({
      wanted: 'admin',
      repeatable: true,
      timeoutMs: this.#callMs(undefined),
      attempt: (node, timeoutMs) => within(timeoutMs, question(node.admin)),
    });
  }

  /** Waits until a transaction is committed, as any node knows it. @throws SdkError */
  waitForCommit(transactionId: string, patience: Patience = {}): Promise<void> {
    const attempt = ({ admin }: KnownNode, timeoutMs: number): Promise<void> =>
      within(timeoutMs, admin.waitForCommit(transactionId, { ...patience, timeoutMs }));
    return this.#patiently(attempt, patience);
  }

  /** The verified receipt of a transaction once it is committed. @throws SdkError */
  receipt(transactionId: string, patience: Patience = {}): Promise<ReceiptJson> {
    const attempt = ({ admin }: KnownNode, timeoutMs: number): Promise<ReceiptJson> =>
      within(timeoutMs, admin.receipt(transactionId, { ...patience, timeoutMs }));
    return this.#patiently(attempt, patience);
  }

  /**
   * What committed transactions change in governance, from now on or from what follows a seqno, until
   * the signal or the end of the loop: at another node when one goes away, no event lost and none twice.
   * @throws SdkError when no node is left within the time for a call
   */
  events(wanted: EventsWanted = {}): AsyncGenerator<EventLine<GovernanceEvent>> {
    const reach = (): Promise<AdminClient> =>
      this.read(async (admin) => {
        await admin.ready();
        return admin;
      });
    return followEvents(reach, wanted);
  }

  #patiently<Result>(attempt: Task<Result>['attempt'], patience: Patience): Promise<Result> {
    const timeoutMs = this.#callMs(patience.timeoutMs);
    return this.#run({
      wanted: 'admin',
      repeatable: true,
      timeoutMs,
      signal: patience.signal,
      attempt,
    });
  }

  #callMs(asked: number | undefined): number {
    return Math.min(asked ?? this.#options.timeoutMs ?? 30_000, longestCallMs);
  }

  async #run<Result>(task: Task<Result>): Promise<Result> {
    const endMs = performance.now() + task.timeoutMs;
    const tried = new Set<KnownNode>();
    let restMs = shortestRestMs;
    let last: SdkError | undefined;
    for (;;) {
      this.#requireOpen(task.signal);
      await this.#learn(endMs, last !== undefined);
      const nowMs = performance.now();
      const node = nowMs < endMs ? this.#nodes.next(task.wanted, { nowMs, tried }) : undefined;
      if (node) {
        try {
          const result = await task.attempt(node, this.#attemptMs(task, endMs - nowMs));
          node.served();
          return result;
        } catch (error) {
          last = this.#judge(error, { node, repeatable: task.repeatable });
          tried.add(node);
          continue;
        }
      }
      // Each was tried or rests: a little later all of them may be asked again.
      const pauseMs = jittered(restMs);
      if (nowMs + pauseMs >= endMs) throw last ?? this.#noNode();
      restMs = Math.min(longestRestMs, restMs * 2);
      tried.clear();
      await sleep(pauseMs);
    }
  }

  /** What cannot be repeated has all the time there is: nothing could be done with the rest of it. */
  #attemptMs({ repeatable }: Task<unknown>, leftMs: number): number {
    const { attemptTimeoutMs = 10_000 } = this.#options;
    return Math.max(1, Math.ceil(repeatable ? Math.min(leftMs, attemptTimeoutMs) : leftMs));
  }

  /** Whether another node may be asked after this failure. @throws SdkError the failure, if not */
  #judge(
    error: unknown,
    { node, repeatable }: { readonly node: KnownNode; readonly repeatable: boolean },
  ): SdkError {
    if (!(error instanceof SdkError) || this.#closed) throw error;
    const elsewhere = nodesFault.has(error.code);
    if (!elsewhere && !(repeatable ? mayRepeat(error) : isTransient(error) && isUntouched(error))) {
      throw error;
    }
    node.failed(error, performance.now());
    return error;
  }

  /** Learns of nodes and leader, when that is not known or something has failed. */
  async #learn(endMs: number, hasFailed: boolean): Promise<void> {
    const nowMs = performance.now();
    const isStale = nowMs - this.#learnedMs > (hasFailed ? longestRestMs : knowledgeLastsMs);
    if (!isStale) return;
    this.#learning ??= this.#ask(Math.max(1, endMs - nowMs)).finally(() => {
      this.#learning = undefined;
    });
    const learning = this.#learning;
    // What is known serves on while more is learned.
    if (this.#learnedMs === Number.NEGATIVE_INFINITY) await learning;
    else learning.catch(() => undefined);
  }

  async #ask(leftMs: number): Promise<void> {
    const { attemptTimeoutMs = 10_000 } = this.#options;
    const timeoutMs = Math.min(leftMs, attemptTimeoutMs, 2_000);
    const tried = new Set<KnownNode>();
    for (;;) {
      const nowMs = performance.now();
      const node = this.#nodes.next('admin', { nowMs, tried });
      if (!node || this.#closed) return;
      tried.add(node);
      try {
        this.#nodes.learn(await within(timeoutMs, node.admin.network()));
        this.#learnedMs = performance.now();
        node.served();
        return;
      } catch (error) {
        if (!(error instanceof SdkError)) throw error;
        node.failed(error, performance.now());
      }
    }
  }

  #noNode(): SdkError {
    const nodes = Object.fromEntries(
      this.#nodes.all.map(({ addresses, failure }) => [
        addresses.admin,
        failure?.code ?? 'UNTRIED',
      ]),
    );
    const why = this.#nodes.all.map(({ failure }) => failure?.message).find((text) => text);
    return new SdkError('NO_NODE', `no node can be used${why ? `: ${why}` : ''}`, { nodes });
  }

  #requireOpen(signal: AbortSignal | undefined): void {
    if (this.#closed) throw new SdkError('CLOSED', 'the client of the network was closed');
    if (signal?.aborted) throw new SdkError('CLOSED', 'the caller gave up');
  }

  /** Cuts every connection; calls on the way fail with CLOSED. */
  close(): void {
    this.#closed = true;
    this.#nodes.close();
  }
}

/** What is wrong with one node, and may not be with the next. */
const nodesFault: ReadonlySet<string> = new Set([
  'NO_NODE',
  'NOT_TLS',
  'WRONG_NETWORK',
  'SERVER_CERTIFICATE_INVALID',
  'EVIDENCE_REFUSED',
  'NODE_NOT_VERIFIED',
  'INVALID_ADDRESS',
]);
