import type { ReadView, TransactionSet } from '@concordat/kv';
import { assert, isHex64 } from '@concordat/std';
import { writeActor } from './actor-certificates.ts';
import { readInForce } from './applications.ts';
import { listAutomationRules } from './automation-actions.ts';
import type { Constitution } from './constitution.ts';
import { listExternalSystems } from './external-systems.ts';
import { readTrustedIssuers } from './jwt-issuers.ts';
import { requireLawful } from './laws.ts';
import { membersOf } from './members.ts';
import { completePolicies, defaultPolicy, policyNames } from './policies.ts';
import { listRevocationLists } from './revocation-lists.ts';
import { type NetworkInfo, readRow, readRows, tables, textKey, writeRow } from './tables.ts';
import { type VotingPolicies, votingPolicyKinds } from './voting-policy.ts';

/** What a genesis fixes besides the constitution. */
export interface GenesisFacts {
  /** Hex, 32 bytes: see {@link networkIdOf}. */
  readonly networkId: string;
  /** PEM of the network certificate. */
  readonly networkCertificatePem: string;
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
}

/**
 * Writes a parsed constitution as the first state of a network. Who wrote it is not recorded: the
 * member that starts a network has no extra privileges (paper: Bringing up the Network).
 * @throws GovernanceError LAST_MEMBER, UNSATISFIABLE_VOTING_POLICY, ADDRESS_TAKEN,
 *   INVALID_POLICY, UNSAFE_QUORUMS
 */
export function writeGenesis(
  set: TransactionSet,
  constitution: Constitution,
  facts: GenesisFacts,
): void {
  assert(readRow(set, tables.network, 'info') === undefined, 'the network has a genesis already');
  assert(isHex64(facts.networkId), 'network id is not 64 lowercase hex digits');
  writeRow(set, tables.network, 'info', {
    version: 1,
    name: constitution.name,
    networkId: facts.networkId,
    networkCertificate: facts.networkCertificatePem,
    genesisTimeMs: facts.timeMs,
  });
  for (const actor of constitution.actors) writeActor(set, actor);
  for (const node of constitution.nodes) writeRow(set, tables.nodes, node.nodeId, node);
  for (const code of constitution.codeManifest) writeRow(set, tables.code, code.measurement, code);
  for (const tee of constitution.teeManifest) writeRow(set, tables.tees, tee.platform, tee);
  for (const kind of votingPolicyKinds) {
    const policy = constitution.votingPolicies[kind];
    if (policy) writeRow(set, tables.votingPolicies, kind, policy);
  }
  for (const rule of constitution.automationRules ?? []) {
    writeRow(set, tables.automationRules, rule.name, rule);
  }
  for (const name of policyNames) {
    const value = constitution.policies[name];
    if (value !== defaultPolicy(name)) writeRow(set, tables.policies, name, value);
  }
  for (const [id, config] of Object.entries(constitution.adapters)) {
    writeRow(set, tables.adapters, id, config);
  }
  for (const row of constitution.jwtIssuers ?? []) {
    writeRow(set, tables.jwtIssuers, textKey(row.issuer), row);
  }
  for (const row of constitution.revocationLists ?? []) {
    writeRow(set, tables.revocationLists, row.issuer, row);
  }
  for (const row of constitution.externalSystems ?? []) {
    writeRow(set, tables.externalSystems, row.name, row);
  }
  requireLawful(set);
}

/** Whether the state holds a network at all. */
export const hasGenesis = (view: ReadView): boolean => view.table(tables.network.table).has('info');

/** What never changes about the network. */
export function networkInfo(view: ReadView): NetworkInfo {
  const info = readRow(view, tables.network, 'info');
  assert(info !== undefined, 'the state has no genesis');
  return info;
}

/**
 * The constitution in force, assembled from the tables. It costs a parse of every row, some
 * microseconds each: keep the result and read anew after a block that changed governance tables
 * ({@link eventsOfWrites} tells).
 */
export function readConstitution(view: ReadView): Constitution {
  const { version, name } = networkInfo(view);
  const applications = readInForce(view);
  const jwtIssuers = readTrustedIssuers(view);
  const externalSystems = listExternalSystems(view);
  const revocationLists = listRevocationLists(view);
  const automationRules = listAutomationRules(view);
  return {
    version,
    name,
    actors: values(view, tables.actors),
    nodes: values(view, tables.nodes),
    codeManifest: values(view, tables.code),
    teeManifest: values(view, tables.tees),
    votingPolicies: readVotingPolicies(view),
    ...(automationRules.length > 0 && { automationRules }),
    policies: completePolicies((policy) => readRow(view, tables.policies, policy)),
    adapters: Object.fromEntries(readRows(view, tables.adapters)),
    ...(applications.length > 0 && { applications }),
    ...(jwtIssuers.length > 0 && { jwtIssuers }),
    ...(revocationLists.length > 0 && { revocationLists }),
    ...(externalSystems.length > 0 && { externalSystems }),
  };
}

function values<Row>(view: ReadView, from: { readonly table: string; readonly row?: Row }): Row[] {
  return Array.from(readRows(view, from), ([, row]) => row);
}

/** The voting policies in force. */
export const readVotingPolicies = (view: ReadView): VotingPolicies =>
  Object.fromEntries(readRows(view, tables.votingPolicies)) as unknown as VotingPolicies;

/** Ids of the present members. */
export function memberIds(view: ReadView): Set<string> {
  return new Set(membersOf(view).map(({ actorId }) => actorId));
}
