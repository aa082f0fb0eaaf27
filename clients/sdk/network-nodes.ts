import type { NetworkNode, NetworkState } from '@concordat/api';
import { AdminClient } from './admin-client.ts';
import { ApplicationClient } from './application-client.ts';
import type { ConnectionOptions } from './connection.ts';
import { SdkError } from './errors.ts';
import { gateTo } from './node-gate.ts';
import type { NodeVerifier } from './node-verifier.ts';
import { jittered } from './retrying.ts';

/** Where one node of a network is reached. */
export interface NodeAddresses {
  /** Administrative address, `host:port`. */
  readonly admin: string;
  /** Address of the application port that is used, `host:port`. */
  readonly application?: string;
}

/** What all clients of one network have in common. */
export interface SharedOptions
  extends Pick<ConnectionOptions, 'networkCertificate' | 'identity' | 'maxSockets'> {
  readonly verifier: NodeVerifier | undefined;
}

const firstPauseMs = 100;
const longestPauseMs = 5_000;
const noRetry = { attempts: 1 };

/** One node: its clients, made when they are needed, and how it has served of late. */
export class KnownNode {
  readonly addresses: NodeAddresses;
  /** As the network names it, once it has. */
  nodeId: string | undefined;
  /** Why it failed last, if it did last. */
  failure: SdkError | undefined;
  readonly #options: SharedOptions;
  #admin: AdminClient | undefined;
  #application: ApplicationClient | undefined;
  #failures = 0;
  #pausedUntilMs = 0;

  constructor(addresses: NodeAddresses, options: SharedOptions) {
    this.addresses = addresses;
    this.#options = options;
  }

  /** The administrative channel. @throws SdkError INVALID_ADDRESS */
  get admin(): AdminClient {
    this.#admin ??= new AdminClient({ ...this.#connecting(this.addresses.admin), retry: noRetry });
    return this.#admin;
  }

  /** The application port. @throws SdkError INVALID_ADDRESS, NO_NODE when it has none */
  get application(): ApplicationClient {
    const { application: address } = this.addresses;
    if (address === undefined) throw new SdkError('NO_NODE', 'no application port is known');
    this.#application ??= new ApplicationClient({ ...this.#connecting(address), retry: noRetry });
    return this.#application;
  }

  #connecting(address: string): ConnectionOptions {
    const { verifier, ...options } = this.#options;
    const { networkCertificate } = options;
    const adminAddress = this.addresses.admin;
    return {
      ...options,
      address,
      ...(verifier && { gate: gateTo({ verifier, adminAddress, networkCertificate }) }),
    };
  }

  /** Milliseconds until it is worth asking, 0 for now. */
  pause(nowMs: number): number {
    return Math.max(0, this.#pausedUntilMs - nowMs);
  }

  served(): void {
    this.failure = undefined;
    this.#failures = 0;
    this.#pausedUntilMs = 0;
  }

  failed(error: SdkError, nowMs: number): void {
    this.failure = error;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 16);
    this.#pausedUntilMs = nowMs + jittered(pauseMs);
  }

  close(): void {
    this.#admin?.close();
    this.#application?.close();
  }
}

const maxNodes = 1_024;

/** What is to be asked: the leader's application port, that of any node, any administrative port. */
export type Wanted = 'leader' | 'any' | 'admin';

/** The nodes of one network: those that were named, and those that they name. */
export class NetworkNodes {
  readonly #named: readonly KnownNode[];
  readonly #options: SharedOptions;
  readonly #worker: number;
  readonly #translate: (address: string) => string;
  #nodes: KnownNode[];
  #turn = 0;
  leader: string | undefined;

  constructor(
    named: readonly NodeAddresses[],
    options: SharedOptions & {
      readonly worker: number;
      readonly translate: (address: string) => string;
    },
  ) {
    const { worker, translate, ...shared } = options;
    this.#options = shared;
    this.#worker = worker;
    this.#translate = translate;
    this.#named = named.map((addresses) => new KnownNode(addresses, shared));
    this.#nodes = [...this.#named];
  }

  get all(): readonly KnownNode[] {
    return this.#nodes;
  }

  /** The next node to ask: the leader when it is wanted and well, else each in turn. */
  next(
    wanted: Wanted,
    { nowMs, tried }: { readonly nowMs: number; readonly tried: ReadonlySet<KnownNode> },
  ): KnownNode | undefined {
    const well = this.#nodes.filter(
      (node) =>
        !tried.has(node) &&
        node.pause(nowMs) === 0 &&
        (wanted === 'admin' || node.addresses.application !== undefined),
    );
    const { leader: leaderId } = this;
    const leader = leaderId !== undefined && well.find(({ nodeId }) => nodeId === leaderId);
    if (leader && wanted === 'leader') return leader;
    this.#turn += 1;
    return well[this.#turn % well.length];
  }

  /** Takes up what a node says of the network. @throws SdkError UNEXPECTED_ANSWER */
  learn({ nodes, leader }: NetworkState): void {
    if (!Array.isArray(nodes) || nodes.length > maxNodes) throw noNodes();
    const known = new Map(this.#nodes.map((node) => [node.addresses.admin, node]));
    const trusted = (nodes as readonly (NetworkNode | null)[]).filter(
      (node): node is NetworkNode => node?.status === 'trusted',
    );
    const next = trusted.map(({ nodeId, adminAddress, applicationAddresses }) => {
      const application = applicationAddresses?.[this.#worker];
      if (typeof adminAddress !== 'string' || typeof (application ?? '') !== 'string')
        throw noNodes();
      const admin = this.#translate(adminAddress);
      const place = application === undefined ? undefined : this.#translate(application);
      let node = known.get(admin);
      if (node === undefined || (place && node.addresses.application !== place)) {
        node = new KnownNode({ admin, ...(place && { application: place }) }, this.#options);
      }
      node.nodeId = nodeId;
      return node;
    });
    // Those that were named stay, whatever a node says, so that the way back is never lost.
    const named = this.#named.filter(
      ({ addresses }) => !next.some((node) => node.addresses.admin === addresses.admin),
    );
    const kept = [...next, ...named];
    for (const node of this.#nodes) {
      if (!kept.includes(node) && !this.#named.includes(node)) node.close();
    }
    this.#nodes = kept;
    this.leader = typeof leader === 'string' ? leader : undefined;
  }

  close(): void {
    for (const node of new Set([...this.#nodes, ...this.#named])) node.close();
  }
}

const noNodes = (): SdkError =>
  new SdkError('UNEXPECTED_ANSWER', 'the answer does not list the nodes of a network');
