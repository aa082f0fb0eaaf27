import { ApiError, type Deployment } from '@concordat/api';
import {
  decodeMessage,
  programOf,
  proposedApplications,
  submitMessage,
} from '@concordat/governance';
import { emptyBytes, isHex64, toHeight, utf8 } from '@concordat/std';
import { isText, readForeignObject, requireField } from './foreign.ts';
import type { NodeContext } from './node-context.ts';

/** A worker that parses a bundle of 8 MiB takes seconds. */
const checkTimeoutMs = 40_000;
/** So long a vote waits for the worker to have the new program at hand beside the old one. */
const prepareTimeoutMs = 10_000;

/**
 * What happens on the leader before a message about programs is executed: a program that its adapter
 * could not run is refused, so nobody votes about it; and one that a vote is about to put in force
 * is made ready beside the one that runs, so that nobody waits for the change.
 */
export class DeploymentDesk {
  readonly #context: NodeContext;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /**
   * @throws GovernanceError as the execution would; ApiError PROGRAM_REFUSED with the adapter's code
   *   as details.reason, PROGRAM_UNCHECKED
   */
  async before({ message, program }: Partial<Deployment> & Pick<Deployment, 'message'>) {
    const { type, payload } = decodeMessage(message);
    const applications = type === 'proposal' ? proposedApplications(payload) : [];
    const isConcerned = type === 'vote' || applications.length > 0 || program !== undefined;
    if (!isConcerned) return;
    const effects = this.#rehearse(message, program);
    for (const { adapter, digest } of applications) {
      const bytes = program ?? programOf(this.#context.administration.head, digest);
      if (bytes) await this.#check(adapter, bytes);
    }
    for (const effect of effects) {
      if (effect.kind === 'application-set') await this.#prepare(effect.adapter, effect.digest);
    }
  }

  /** What would come of it now. Whoever may not say anything costs no worker a thing. */
  #rehearse(message: Uint8Array, program: Uint8Array | undefined) {
    const { administration, log } = this.#context;
    const nowSeconds = Math.floor(Date.now() / 1000);
    return administration.rehearse(toHeight(log.lastHeight + 1), (set) =>
      submitMessage(set, message, { nowSeconds, ...(program && { program }) }),
    ).effects;
  }

  async #check(adapterId: string, bytes: Uint8Array): Promise<void> {
    const { programs, control } = this.#context;
    const verdict = await programs.ask({ purpose: 'check', adapterId, bytes }, checkTimeoutMs);
    if (!verdict) {
      throw new ApiError('PROGRAM_UNCHECKED', `no answer from the worker of ${adapterId}`);
    }
    const { code, message, details } = verdict;
    if (code === undefined) return;
    control.log('program.refused', { adapter: adapterId, code });
    throw new ApiError('PROGRAM_REFUSED', `${code}: ${message}`, {
      ...details,
      adapter: adapterId,
      reason: code,
    });
  }

  /**
   * Has a program made ready here and on every node that is connected. One that cannot be is put in
   * force all the same: that was decided.
   */
  async #prepare(adapter: string, digest: string): Promise<void> {
    const { channel, identity, administration } = this.#context;
    const peers = administration.constitution.nodes.filter(
      ({ nodeId, status }) =>
        status === 'trusted' && nodeId !== identity.nodeId && channel.connected(nodeId),
    );
    const body = utf8(JSON.stringify({ adapter, digest }));
    await Promise.all([
      this.#prepareHere(adapter, digest),
      ...peers.map(({ nodeId }) =>
        channel.request(nodeId, 'prepare', body, prepareTimeoutMs).catch(() => undefined),
      ),
    ]);
  }

  /** The leader is about to put a program in force that is in the ledger. @throws ManagerError */
  async prepareForPeer(body: Uint8Array): Promise<Uint8Array> {
    const { adapter, digest } = readForeignObject(body, 'a program to prepare');
    requireField(isText(adapter, 32) && isHex64(digest), 'a program to prepare');
    await this.#prepareHere(adapter, digest);
    return emptyBytes;
  }

  async #prepareHere(adapterId: string, digest: string): Promise<void> {
    const { programs, control, administration } = this.#context;
    const bytes = programOf(administration.head, digest);
    if (!bytes) return;
    const startedMs = performance.now();
    const verdict = await programs.ask({ purpose: 'prepare', adapterId, bytes }, prepareTimeoutMs);
    const tookMs = Math.round(performance.now() - startedMs);
    const code = verdict === undefined ? 'TIMEOUT' : verdict.code;
    control.log('program.prepared', { adapter: adapterId, digest, tookMs, ...(code && { code }) });
  }
}
