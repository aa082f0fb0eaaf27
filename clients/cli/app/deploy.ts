import { programDigest } from '@concordat/governance';
import { type AdminClient, isTransient, isUntouched, type Submission } from '@concordat/sdk';
import { CliError } from '../errors.ts';
import { sleep } from '../sandbox/node-process.ts';
import { type BundleJson, programOfBundle } from './bundle-files.ts';

/** What became of a proposal to run an application. */
export interface DeployedApplication extends Pick<Submission, 'proposalId' | 'state'> {
  /** Hex SHA-256 of the program: what members compare before they vote. */
  readonly digest: string;
  /** Of the proposal. */
  readonly transactionId: string;
}

/** How to deploy. */
export interface DeployOptions {
  readonly bundle: BundleJson;
  /** Default `javascript`. */
  readonly adapter?: string;
  /** Waits so long for the vote to be decided, milliseconds; default 0: not at all. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

const pollMs = 200;

/**
 * Proposes that the network run an application, as the member that the client connects as. It is
 * checked before anything is recorded; votes follow as for any proposal.
 * @throws SdkError PROGRAM_REFUSED with details.reason, `file` and `line`; CliError TIMEOUT when it
 *   is not decided in time
 */
export async function deployApplication(
  admin: AdminClient,
  { bundle, adapter = 'javascript', waitMs = 0, signal }: DeployOptions,
): Promise<DeployedApplication> {
  const program = programOfBundle(bundle);
  const digest = programDigest(program);
  const proposing = () => admin.deploy({ program, adapter });
  const { proposalId, state, transactionId } = await withPatience(proposing, signal);
  const deadline = performance.now() + waitMs;
  let now = state;
  while (now === 'open' && waitMs > 0) {
    if (performance.now() > deadline || signal?.aborted) {
      throw new CliError('TIMEOUT', `the vote on proposal ${proposalId} is still open`);
    }
    await sleep(pollMs);
    // What becomes of it does not depend on the node that is asked.
    now = await admin.proposal(proposalId).then(
      ({ state }) => state,
      (error: unknown) => {
        if (isTransient(error)) return now;
        throw error;
      },
    );
  }
  return { proposalId, state: now, digest, transactionId };
}

const [attempts, pauseMs] = [5, 500];

/** A change of leaders takes a proposal with it now and then, a large one sooner: it is signed anew. */
async function withPatience(
  propose: () => Promise<Submission>,
  signal: AbortSignal | undefined,
): Promise<Submission> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await propose();
    } catch (error) {
      const isWorthIt = isTransient(error) && isUntouched(error);
      if (!isWorthIt || attempt === attempts || signal?.aborted) throw error;
      await sleep(pauseMs * attempt);
    }
  }
}
