import {
  ApiError,
  type Deployment,
  decodeDeployment,
  encodeDeployment,
  type SubmissionAnswer,
} from '@concordat/api';
import {
  type EpochReason,
  type GovernanceEffect,
  recordEpochOwed,
  strandedKeys,
  submitMessage,
  waitsForFreshKey,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { CodedError, utf8 } from '@concordat/std';
import { epochFor } from './administrative-queue.ts';
import { DeploymentDesk } from './deployment-desk.ts';
import { entropy } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { readForeignObject } from './foreign.ts';
import type { NodeContext } from './node-context.ts';
import { ProposalExpiry } from './proposal-expiry.ts';

const forwardTimeoutMs = 30_000;
/** A program is checked, or made ready, before its message is executed. */
const deployTimeoutMs = 80_000;

/** A signed message, and the program that came with it. */
type Delivered = Partial<Deployment> & Pick<Deployment, 'message'>;

/**
 * Executes signed governance messages (paper, "Administrative Transaction Workflow"): here when
 * this node leads, else on the leader. Whoever delivers a message, its signature is what counts.
 */
export class GovernanceDesk {
  readonly #context: NodeContext;
  readonly #deployments: DeploymentDesk;
  readonly #expiry: ProposalExpiry;

  constructor(context: NodeContext) {
    this.#context = context;
    this.#deployments = new DeploymentDesk(context);
    this.#expiry = new ProposalExpiry(context);
  }

  /** What is done about once a second. */
  tick(): void {
    this.#expiry.tick();
  }

  /**
   * Executes a message of an operator connected to this node; answers after its commit.
   * @throws CodedError of governance; ManagerError LEADER_UNKNOWN, TRANSACTION_LOST,
   *   TRANSACTION_UNKNOWN, OVERLOADED
   */
  submit(message: Uint8Array): Promise<SubmissionAnswer<GovernanceEffect>> {
    return this.#deliver({ message });
  }

  /**
   * Executes a proposal that came with the program it names.
   * @throws as {@link submit}; ApiError PROGRAM_REFUSED, PROGRAM_UNCHECKED
   */
  deploy(deployment: Deployment): Promise<SubmissionAnswer<GovernanceEffect>> {
    return this.#deliver(deployment);
  }

  /** A peer leads, and is about to put a program in force. @throws ManagerError CHANNEL_FAILED */
  prepareForPeer(body: Uint8Array): Promise<Uint8Array> {
    return this.#deployments.prepareForPeer(body);
  }

  async #deliver(delivered: Delivered): Promise<SubmissionAnswer<GovernanceEffect>> {
    const { leader, identity, channel } = this.#context;
    if (leader === identity.nodeId) return this.#execute(delivered);
    if (!leader) throw new ManagerError('LEADER_UNKNOWN', 'there is no leader at present');
    try {
      const { message, program } = delivered;
      const reply = program
        ? await channel.request(
            leader,
            'deploy',
            encodeDeployment({ message, program }),
            deployTimeoutMs,
          )
        : await channel.request(leader, 'administer', message, forwardTimeoutMs);
      const { refused, details, ...answer } = readForeignObject(reply, 'answer');
      if (refused === undefined) return answer as unknown as SubmissionAnswer<GovernanceEffect>;
      throw new ApiError('PROGRAM_REFUSED', String(refused), { ...(details as object) });
    } catch (error) {
      throw asAnswer(error);
    }
  }

  /** Executes a message another node passed on. */
  async executeForPeer(message: Uint8Array): Promise<Uint8Array> {
    return utf8(JSON.stringify(await this.#execute({ message })));
  }

  /** Executes a proposal with its program, both passed on by another node. */
  async deployForPeer(body: Uint8Array): Promise<Uint8Array> {
    try {
      return utf8(JSON.stringify(await this.#execute(decodeDeployment(body))));
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'PROGRAM_REFUSED') throw error;
      // The channel tells code and message of a refusal; file and line are among the details.
      return utf8(JSON.stringify({ refused: error.message, details: error.details }));
    }
  }

  async #execute(delivered: Delivered): Promise<SubmissionAnswer<GovernanceEffect>> {
    const { queue, control } = this.#context;
    const { message, program } = delivered;
    try {
      await this.#deployments.before(delivered);
      const { result, transactionId } = await queue.administer((set) => {
        // Read when its turn has come: an auditor compares it with the time of the block.
        const nowSeconds = Math.floor(Date.now() / 1000);
        const strandedBefore = new Set(strandedKeys(set));
        const submission = submitMessage(set, message, { nowSeconds, ...(program && { program }) });
        const stranded = strandedKeys(set).filter((key) => !strandedBefore.has(key));
        const reason = epochFor(submission.effects);
        if (reason) this.#beginEpoch(set, reason);
        return { ...submission, stranded };
      });
      const { proposalId, state, effects, stranded } = result;
      control.log('governance.executed', {
        proposalId,
        state,
        effects: effects.map((e) => e.kind),
      });
      if (stranded.length > 0) {
        control.log('key.out-of-reach', { level: 'warn', keys: stranded, proposalId });
      }
      return { proposalId, state, effects, transactionId };
    } catch (error) {
      if (error instanceof CodedError) control.log('governance.refused', { code: error.code });
      throw error;
    }
  }

  /** One that nobody who is left could open any more waits for the fresh key that is due. */
  #beginEpoch(set: TransactionSet, reason: EpochReason): void {
    const { sessionKeys, log } = this.#context;
    const nowMs = Date.now();
    if (reason === 'actors' && waitsForFreshKey(set)) {
      recordEpochOwed(set, { height: log.lastHeight + 1, timeMs: nowMs });
    } else sessionKeys.begin(set, { reason, nowMs, entropy });
  }
}

/** A way that broke under a request leaves its outcome open; a repetition is refused as a replay. */
function asAnswer(error: unknown): unknown {
  const code = error instanceof CodedError ? error.code : undefined;
  if (code !== 'CHANNEL_FAILED' && code !== 'PEER_TIMEOUT') return error;
  return new ManagerError(
    'TRANSACTION_UNKNOWN',
    'the way to the leader broke; look whether the message took effect before sending it again',
  );
}
