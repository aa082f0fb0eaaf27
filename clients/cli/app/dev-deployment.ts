import { type ProposedAction, programDigest } from '@concordat/governance';
import { type AdminClient, SdkError, type Submission } from '@concordat/sdk';
import { CliError } from '../errors.ts';
import type { SandboxNode } from '../sandbox/layout.ts';
import { sleep } from '../sandbox/node-process.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { type BundleJson, programOfBundle } from './bundle-files.ts';
import { deployApplication } from './deploy.ts';
import type { SourceFault } from './type-check.ts';

const pollMs = 20;
const startTimeoutMs = 20_000;

/** Passes a proposal in a development network, whose members all vote yes at once. */
export async function passProposal(
  sandbox: Sandbox,
  actions: readonly ProposedAction[],
): Promise<void> {
  await decide(sandbox, await asMember(sandbox, sandbox.first, (admin) => admin.propose(actions)));
}

/**
 * Puts an application to the vote of a development network and waits until every node runs it.
 * Returns what the network found wrong with it, in which case nothing was proposed.
 * @throws CliError NODE_FAILED; SdkError
 */
export async function deployToDevNetwork(
  sandbox: Sandbox,
  bundle: BundleJson,
): Promise<SourceFault | undefined> {
  try {
    const digest = programDigest(programOfBundle(bundle));
    await asMember(sandbox, sandbox.serving[0] ?? sandbox.first, async (admin) => {
      const { applications = [] } = (await admin.constitution()).constitution;
      // A network that was stopped and started again has it in force.
      if (applications.some((one) => one.digest === digest)) return;
      await decide(sandbox, await deployApplication(admin, { bundle }));
    });
    await Promise.all(sandbox.serving.map((node) => untilRunning(sandbox, node, digest)));
    return undefined;
  } catch (error) {
    if (error instanceof SdkError && error.code === 'PROGRAM_REFUSED') return faultOf(error);
    throw error;
  }
}

/** Where in the bundle the network found it: its modules are what was built of the sources. */
function faultOf({ message, details = {} }: SdkError): SourceFault {
  const { file, line } = details;
  if (typeof file !== 'string') return { message };
  return { file: `(bundle) ${file}`, ...(typeof line === 'number' && { line }), message };
}

/** Whether an application was deployed before: a network that is started again goes on with it. */
export const hasApplication = (sandbox: Sandbox): Promise<boolean> =>
  asMember(sandbox, sandbox.serving[0] ?? sandbox.first, async (admin) => {
    const { applications = [] } = (await admin.constitution()).constitution;
    return applications.length > 0;
  });

/** What one does as the organisation of a node, on that node. */
export async function asMember<T>(
  sandbox: Sandbox,
  { name, organisation }: SandboxNode,
  act: (admin: AdminClient) => Promise<T>,
): Promise<T> {
  const admin = await sandbox.admin(name, organisation);
  return act(admin).finally(() => admin.close());
}

async function decide(
  sandbox: Sandbox,
  { proposalId, state: first }: Pick<Submission, 'proposalId' | 'state'>,
): Promise<void> {
  let state = first;
  for (const node of sandbox.serving) {
    if (state !== 'open') break;
    ({ state } = await asMember(sandbox, node, (admin) => admin.vote(proposalId, true)));
  }
  if (state === 'accepted') return;
  throw new CliError('NODE_FAILED', `the members' votes left the proposal ${state}`);
}

function untilRunning(sandbox: Sandbox, node: SandboxNode, digest: string): Promise<void> {
  return asMember(sandbox, node, async (admin) => {
    const deadline = performance.now() + startTimeoutMs;
    for (;;) {
      const { workers } = await admin.state();
      const [running] = workers.flatMap(({ applications }) => applications);
      if (running?.digest === digest && running.state === 'running') return;
      const failing = running?.digest === digest && running.state === 'failing';
      if (failing || performance.now() > deadline) {
        const why = running?.reason ?? `its application is ${running?.state ?? 'not there'}`;
        throw new CliError('NODE_FAILED', `${node.name} does not run the application: ${why}`);
      }
      await sleep(pollMs);
    }
  });
}
