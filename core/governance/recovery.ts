import type { ReadView, TransactionSet } from '@concordat/kv';
import { assert, isHex64, parseTransactionId } from '@concordat/std';
import type { Constitution } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import { Field } from './field.ts';
import type { GovernanceMessage } from './message.ts';
import { defaultPolicy } from './policies.ts';
import { requireSafeQuorums } from './quorum-policies.ts';
import type { FormerNetwork, RecoveryConsent, RecoveryStage } from './recovery-rows.ts';
import { readRow, tables, writeRow } from './tables.ts';

/**
 * The constitution a recovered network begins with, as JSON to be parsed: everything of the former
 * one but its nodes, and the applications voted in: what ran goes on as part of the restored state. Quorum policies that its first node alone cannot meet fall back to majorities.
 */
export function successorConstitution(former: Constitution): unknown {
  const { nodes: _, applications: __, policies, ...rest } = former;
  return { ...rest, nodes: [], policies: oneNodePolicies(policies) };
}

function oneNodePolicies(policies: Constitution['policies']): Constitution['policies'] {
  try {
    requireSafeQuorums(policies, [{ status: 'trusted' } as Constitution['nodes'][number]]);
    return policies;
  } catch (error) {
    if (!(error instanceof GovernanceError)) throw error;
    return {
      ...policies,
      replicationQuorum: defaultPolicy('replicationQuorum'),
      electionQuorum: defaultPolicy('electionQuorum'),
    };
  }
}

/** Whether a foreign value has the form of a record of a former network. */
export function isFormerNetwork(value: unknown): value is FormerNetwork {
  if (typeof value !== 'object' || value === null) return false;
  const { networkId, networkCertificate, lastHeight, lastTransaction, lastTimeMs, ...rest } =
    value as Partial<FormerNetwork>;
  const { historyRoot, constitutionDigest, ...unknown } = rest;
  const isCount = (number: unknown): boolean => Number.isSafeInteger(number) && Number(number) >= 1;
  return (
    [networkId, historyRoot, constitutionDigest].every(isHex64) &&
    typeof networkCertificate === 'string' &&
    isCount(lastHeight) &&
    isCount(lastTimeMs) &&
    typeof lastTransaction === 'string' &&
    parseTransactionId(lastTransaction) !== undefined &&
    Object.keys(unknown).length === 0
  );
}

/** Names the former network in the first transaction of the one that goes on from it. */
export function writeRecoveredFrom(set: TransactionSet, former: FormerNetwork): void {
  assert(recoveredFrom(set) === undefined, 'the network names a former one already');
  writeRow(set, tables.recoveredFrom, 'network', former);
  writeRow(set, tables.recovery, 'stage', { stage: 'recovering' });
}

/** The network this one goes on from; undefined when it was begun anew. */
export const recoveredFrom = (view: ReadView): FormerNetwork | undefined =>
  readRow(view, tables.recoveredFrom, 'network');

/** How far a recovered network is; undefined for any other. */
export const recoveryStage = (view: ReadView): RecoveryStage | undefined =>
  readRow(view, tables.recovery, 'stage');

/** Whether applications may be served: a recovered network asks its members first. */
export function isOpen(view: ReadView): boolean {
  const found = recoveryStage(view);
  return found === undefined || found.stage === 'open';
}

/** What a member consented to; undefined when it did not. */
export const recoveryConsentOf = (view: ReadView, actorId: string): RecoveryConsent | undefined =>
  readRow(view, tables.recoveryConsents, actorId);

/**
 * The private state of the former network is in this one.
 * @throws GovernanceError NETWORK_NOT_RECOVERING
 */
export function markRestored(
  set: TransactionSet,
  counts: { readonly formerBlocks: number; readonly transactions: number },
): void {
  requireRecovering(set);
  writeRow(set, tables.recovery, 'stage', { stage: 'restored', ...counts });
}

/** Lets applications be served. @throws GovernanceError NETWORK_NOT_RESTORED */
export function openNetwork(set: TransactionSet) {
  const found = recoveryStage(set);
  if (found?.stage !== 'restored') {
    const why = found?.stage === 'recovering' ? 'its state is not restored yet' : 'it is open';
    throw new GovernanceError('NETWORK_NOT_RESTORED', `the network cannot be opened: ${why}`);
  }
  writeRow(set, tables.recovery, 'stage', { ...found, stage: 'open' });
  return [{ kind: 'network-opened' as const }];
}

/**
 * Until a network is restored no other node comes in: its one node may have to begin again.
 * @throws GovernanceError NETWORK_NOT_RESTORED
 */
export function requireRestored(view: ReadView): void {
  if (recoveryStage(view)?.stage !== 'recovering') return;
  const why = 'the network is being recovered: nodes are admitted once its state is restored';
  throw new GovernanceError('NETWORK_NOT_RESTORED', why);
}

function requireRecovering(view: ReadView): void {
  if (recoveryStage(view)?.stage === 'recovering') return;
  const why = 'no recovery is under way in this network';
  throw new GovernanceError('NETWORK_NOT_RECOVERING', why);
}

/** The properties of a consent's payload. */
const consentProperties = ['requester', 'former', 'epochs', 'shares'] as const;

/**
 * Records that a member gave its decryption shares for a recovery: for this very ledger of the
 * former network, to this very node.
 * @throws GovernanceError NETWORK_NOT_RECOVERING, MALFORMED_MESSAGE
 */
export function recordConsent(
  set: TransactionSet,
  { signer, messageId, payload }: GovernanceMessage,
  atSeconds: number,
) {
  requireRecovering(set);
  const root = new Field(payload, 'payload', 'MALFORMED_MESSAGE').only(consentProperties);
  const former = recoveredFrom(set);
  if (root.at('former').hex(32) !== former?.historyRoot) {
    root.at('former').fail('is not the history root of the ledger that is recovered');
  }
  const requester = root.at('requester').text(128);
  const nodeId = requester.replace(/^recovery:/, '');
  if (requester !== `recovery:${nodeId}` || !readRow(set, tables.nodes, nodeId)) {
    root.at('requester').fail('names no node of this network');
  }
  const epochs = root.at('epochs').list(2);
  const bounds = { min: 1, max: Number.MAX_SAFE_INTEGER };
  const [from = 0, to = 0] = epochs.map((epoch) => epoch.integer(bounds));
  if (epochs.length !== 2 || from > to) root.at('epochs').fail('is not a first and a last epoch');
  writeRow(set, tables.recoveryConsents, signer, {
    requester,
    epochs: [from, to],
    shares: root.at('shares').hex(32),
    messageId,
    atSeconds,
  });
  return [{ kind: 'recovery-consented' as const, actorId: signer }];
}
