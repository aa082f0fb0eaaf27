import { ApiError, type Deployment } from '@concordat/api';
import {
  decodeMessage,
  identifyMessage,
  programOf,
  proposedApplications,
  submitMessage,
} from '@concordat/governance';
import { type ActorId, CodedError, isHex64, type NodeId, toHeight, utf8 } from '@concordat/std';
import { isText, readForeignObject, requireField } from './foreign.ts';
import type { NodeContext } from './node-context.ts';
import type { ProgramVerdict } from './worker-programs.ts';

/** A worker that parses a bundle of 8 MiB takes seconds. */
const checkTimeoutMs = 40_000;
/** So long a vote waits for the worker to have the new program at hand beside the old one. */
const prepareTimeoutMs = 10_000;

const noAnswer: ProgramVerdict = {
  code: 'TIMEOUT',
  message: 'the worker did not have it ready in time',
  details: {},
};

const whyOf = (error: unknown): string =>
  error instanceof CodedError ? `${error.code} ${error.message}` : String(error);

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
    const decoded = decodeMessage(message);
    const { type, payload } = decoded;
    const applications = type === 'proposal' ? proposedApplications(payload) : [];
    const isConcerned = type === 'vote' || applications.length > 0 || program !== undefined;
    if (!isConcerned) return;
    const effects = this.#rehearse(message, program);
    const { signer } = identifyMessage(this.#context.administration.head, decoded);
    for (const { adapter, digest } of applications) {
      const bytes = program ?? programOf(this.#context.administration.head, digest);
      if (bytes) await this.#check(signer, adapter, bytes);
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

  async #check(signer: ActorId, adapterId: string, bytes: Uint8Array): Promise<void> {
    const { programs, control } = this.#context;
    const verdict = await programs.check(signer, { adapterId, bytes }, checkTimeoutMs);
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
        channel.request(nodeId, 'prepare', body, prepareTimeoutMs).then(
          (answer) => this.#heard(nodeId, adapter, digest, answer),
          (error: unknown) =>
            this.#notPrepared({ node: nodeId, adapter, digest, why: whyOf(error) }),
        ),
      ),
    ]);
  }

  /** The leader is about to put a program in force that is in the ledger. @throws ManagerError */
  async prepareForPeer(body: Uint8Array): Promise<Uint8Array> {
    const { adapter, digest } = readForeignObject(body, 'a program to prepare');
    requireField(isText(adapter, 32) && isHex64(digest), 'a program to prepare');
    return utf8(JSON.stringify(await this.#prepareHere(adapter, digest)));
  }

  /** What a peer answered: `{}`, or `{code, message}` where the program could not be made ready. */
  #heard(node: NodeId, adapter: string, digest: string, answer: Uint8Array): void {
    const { code, message } = readForeignObject(answer, 'the outcome of a preparation');
    if (code === undefined) return;
    requireField(isText(code, 64), 'the code of a preparation');
    const why = typeof message === 'string' ? message.slice(0, 1_024) : '';
    this.#notPrepared({ node, adapter, digest, why: `${code} ${why}` });
  }

  /** Whoever looks after the network may still take the vote back, or look at that node. */
  #notPrepared(fields: Readonly<Record<string, unknown>>): void {
    this.#context.control.log('program.not-prepared', { level: 'error', ...fields });
  }

  async #prepareHere(adapter: string, digest: string): Promise<Pick<ProgramVerdict, 'code'>> {
    const { programs, control, administration } = this.#context;
    const bytes = programOf(administration.head, digest);
    if (!bytes) return { code: 'NOT_HELD' };
    const startedMs = performance.now();
    const question = { purpose: 'prepare', adapterId: adapter, bytes } as const;
    const verdict = (await programs.ask(question, prepareTimeoutMs)) ?? noAnswer;
    const tookMs = Math.round(performance.now() - startedMs);
    const { code, message } = verdict;
    const failure = code === undefined ? {} : { code, message };
    programs.prepared({ adapter, digest, ...failure });
    if (code === undefined) control.log('program.prepared', { adapter, digest, tookMs });
    else this.#notPrepared({ adapter, digest, tookMs, ...failure });
    return failure;
  }
}
