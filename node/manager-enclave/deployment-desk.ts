import { ApiError, type Deployment } from '@concordat/api';
import {
  decodeMessage,
  programOf,
  proposedApplications,
  submitMessage,
} from '@concordat/governance';
import { toHeight } from '@concordat/std';
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

  /** A program that cannot be made ready is put in force all the same: that was decided. */
  async #prepare(adapterId: string, digest: string): Promise<void> {
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
