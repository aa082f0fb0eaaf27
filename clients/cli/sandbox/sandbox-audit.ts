import { randomBytes } from 'node:crypto';
import { collectAuditShares, type EpochKeys, readKeyRecord } from '@concordat/auditor';
import { createEncryptionKey } from '@concordat/crypto';
import type { ProposedAction } from '@concordat/governance';
import type { AdminClient } from '@concordat/sdk';
import { toHex } from '@concordat/std';
import { CliError } from '../errors.ts';
import type { SandboxNode } from './layout.ts';
import { sleep } from './node-process.ts';
import type { Sandbox } from './sandbox.ts';

/** How long keys may take to be shared among all members, and records to reach all nodes. */
const patienceMs = 120_000;
const lookMs = 50;

type Members = Pick<Sandbox, 'nodes' | 'layout' | 'networkCertificate' | 'admin'>;

/**
 * The session keys of a running sandbox, gathered as an auditor gathers them: its members vote a grant
 * of all epochs so far, each has its node give its shares, and they are combined with the ledger of the
 * first node. All members of a sandbox are in one hand; of a network they are not.
 * @param serving names of the nodes to ask; by default all
 * @throws CliError NODE_FAILED, TIMEOUT; SdkError; AuditorError
 */
export async function readSandbox(
  sandbox: Members,
  serving: readonly string[] = sandbox.nodes.map(({ name }) => name),
): Promise<EpochKeys> {
  const nodes = sandbox.nodes.filter(({ name }) => serving.includes(name));
  const admins = await Promise.all(
    nodes.map(({ name, organisation }) => sandbox.admin(name, organisation)),
  );
  try {
    await keysAreShared(admins);
    const newest = Math.min(...(await Promise.all(admins.map(epochOf))));
    const key = createEncryptionKey(randomBytes(32));
    const auditor = `sandbox ${randomBytes(8).toString('hex')}`;
    const encryptionKey = toHex(key.publicKey);
    const epochs = Array.from({ length: newest }, (_, at) => at + 1);
    const grant = { auditor, encryptionKey, epochs };
    await decide(sandbox, nodes[0] as SandboxNode, { name: 'grant_audit', args: grant });
    const given: { readonly name: string; readonly text: string }[] = [];
    for (const [at, admin] of admins.entries()) {
      await knows(admin, auditor);
      const { file } = await admin.giveAuditShares(grant);
      given.push({ name: (nodes[at] as SandboxNode).organisation, text: file });
    }
    const directory = sandbox.layout.ledger((nodes[0] as SandboxNode).name);
    const { networkCertificate } = sandbox;
    const record = await readKeyRecord({ directory, networkCertificate });
    const { keys } = await collectAuditShares(record, given, { key });
    if (keys.keys.length === newest) return keys;
    const why = `of ${newest} epochs ${keys.keys.length} can be read`;
    throw new CliError('NODE_FAILED', why);
  } finally {
    for (const admin of admins) admin.close();
  }
}

const epochOf = async (admin: AdminClient): Promise<number> => (await admin.state()).epoch;

/** Waits until every key is shared among as many as the newest, and no ceremony is due. */
async function keysAreShared([admin]: readonly AdminClient[]): Promise<void> {
  await until('the shared keys are dealt to every member', async () => {
    const state = await admin?.sharedKeys();
    return state !== undefined && state.ceremony === undefined;
  });
}

/** Every member votes, also one whose own node is gone. */
async function decide(
  sandbox: Members,
  { name, organisation }: SandboxNode,
  action: ProposedAction,
): Promise<void> {
  const proposer = await sandbox.admin(name, organisation);
  const { proposalId } = await proposer.propose([action]).finally(() => proposer.close());
  for (const member of sandbox.nodes) {
    const voter = await sandbox.admin(name, member.organisation);
    const { state } = await voter.vote(proposalId, true).finally(() => voter.close());
    if (state === 'accepted') return;
  }
  throw new CliError('NODE_FAILED', `the votes did not decide ${action.name}`);
}

/** A node gives what its own copy of the ledger lets it give. */
const knows = (admin: AdminClient, auditor: string): Promise<void> =>
  until(`a node takes up the grant to ${auditor}`, async () =>
    (await admin.proposals()).some(
      ({ state, actions }) =>
        state === 'accepted' && actions.some(({ args }) => args.auditor === auditor),
    ),
  );

async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await ask())) {
    if (performance.now() > deadline)
      throw new CliError('TIMEOUT', `waited too long until ${what}`);
    await sleep(lookMs);
  }
}
