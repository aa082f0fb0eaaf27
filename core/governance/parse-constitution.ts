import { toHex } from '@concordat/std';
import { readListedActor } from './actor.ts';
import { actorPublicKeys } from './actor-certificates.ts';
import { readApplications } from './applications.ts';
import { readAutomationRules } from './automation-rule.ts';
import { canonicalJson } from './canonical-json.ts';
import { type Actor, type Constitution, isMember, type NodeEntry } from './constitution.ts';
import { readExternalSystems } from './external-systems.ts';
import { Field } from './field.ts';
import { readJwtIssuers } from './jwt-issuers.ts';
import { requireKeyThreshold } from './key-threshold.ts';
import { requireOwnAddresses } from './laws.ts';
import { codeProperties, readCode, readTee, teeProperties } from './manifests.ts';
import { isSignedByOwner, readNode } from './node-entry.ts';
import { readPolicies } from './policies.ts';
import { requireSafeQuorums } from './quorum-policies.ts';
import { readVotingPolicy } from './read-voting-policy.ts';
import { readRevocationListEntry } from './revocation-lists.ts';
import {
  requireNamedMembers,
  requireSatisfiable,
  type VotingPolicies,
  votingPolicyKinds,
} from './voting-policy.ts';

const properties = [
  'version',
  'name',
  'actors',
  'nodes',
  'codeManifest',
  'teeManifest',
  'votingPolicies',
  'automationRules',
  'policies',
  'adapters',
  'applications',
  'jwtIssuers',
  'revocationLists',
  'externalSystems',
] as const;

/**
 * Reads a constitution from JSON, a text or a parsed value: checks every value, refuses unknown
 * properties, fills in defaults and sorts the lists, so the result has one digest.
 * @throws GovernanceError INVALID_CONSTITUTION with details.path; UNSATISFIABLE_VOTING_POLICY;
 *   INVALID_POLICY; UNSAFE_QUORUMS; UNSATISFIABLE_KEY_THRESHOLD; ADDRESS_TAKEN; INVALID_JSON
 */
export function parseConstitution(json: unknown): Constitution {
  const root = new Field(typeof json === 'string' ? parseText(json) : json, '', code);
  root.only(properties);
  if (root.at('version').value !== 1) root.at('version').fail('must be 1');
  const actors = readActors(root.at('actors'));
  const applications = readApplications(
    root.optional('applications') ?? new Field([], 'applications', code),
  );
  const jwtIssuers = readJwtIssuers(
    root.optional('jwtIssuers') ?? new Field([], 'jwtIssuers', code),
  );
  const externalSystems = readExternalSystems(
    root.optional('externalSystems') ?? new Field([], 'externalSystems', code),
  );
  const revocationLists = readSorted(
    root.optional('revocationLists') ?? new Field([], 'revocationLists', code),
    'issuer',
    readRevocationListEntry,
  );
  const memberIds = new Set<string>(actors.filter(isMember).map(({ actorId }) => actorId));
  const automationRules = readAutomationRules(
    root.optional('automationRules') ?? new Field([], 'automationRules', code),
    (actorId) => memberIds.has(actorId),
  );
  const constitution: Constitution = {
    version: 1,
    name: root.at('name').name(),
    actors,
    nodes: readNodes(root, actors),
    codeManifest: readSorted(root.at('codeManifest'), 'measurement', (item) =>
      readCode(item.only(codeProperties)),
    ),
    teeManifest: readSorted(root.at('teeManifest'), 'platform', (item) =>
      readTee(item.only(teeProperties)),
    ),
    votingPolicies: readVotingPolicies(root.at('votingPolicies')),
    ...(automationRules.length > 0 && { automationRules }),
    policies: readPolicies(root.optional('policies') ?? new Field({}, 'policies', code)),
    adapters: readAdapters(root),
    ...(applications.length > 0 && { applications }),
    ...(jwtIssuers.length > 0 && { jwtIssuers }),
    ...(revocationLists.length > 0 && { revocationLists }),
    ...(externalSystems.length > 0 && { externalSystems }),
  };
  requireOwnAddresses(constitution.nodes);
  requireSafeQuorums(constitution.policies, constitution.nodes);
  const members = actors.filter(isMember);
  requireNamedMembers(constitution.votingPolicies, members);
  requireSatisfiable(constitution.votingPolicies, members);
  requireKeyThreshold(constitution.policies, members.length);
  return constitution;
}

const code = 'INVALID_CONSTITUTION';

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return new Field(undefined, '', code).fail('is not JSON');
  }
}

/** Lists of a constitution hold at most so many entries. */
const maxEntries = 10_000;

function readSorted<Name extends string, Entry extends Record<Name, string>>(
  list: Field,
  identity: Name,
  read: (item: Field) => Entry,
): Entry[] {
  const seen = new Set<string>();
  const entries = list.list(maxEntries).map((item) => {
    const entry = read(item);
    if (seen.has(entry[identity])) item.at(identity).fail('is listed twice');
    seen.add(entry[identity]);
    return entry;
  });
  return entries.sort((a, b) => (a[identity] < b[identity] ? -1 : 1));
}

function readActors(list: Field): Actor[] {
  const names = new Set<string>();
  const keys = new Set<string>();
  const actors = readSorted(list, 'actorId', (item) => {
    const actor = readListedActor(item);
    const ownKeys = actorPublicKeys(actor).map(toHex);
    if (names.has(actor.name)) item.at('name').fail('is taken by another actor');
    if (ownKeys.some((key) => keys.has(key))) {
      item.at('certificate').fail('has the key of another actor');
    }
    names.add(actor.name);
    for (const key of ownKeys) keys.add(key);
    return actor;
  });
  if (!actors.some(isMember)) list.fail('must hold at least one member');
  return actors;
}

function readNodes(root: Field, actors: readonly Actor[]): NodeEntry[] {
  return readSorted(root.optional('nodes') ?? new Field([], 'nodes', code), 'nodeId', (item) => {
    const node = readNode(item);
    const owner = actors.find((actor) => actor.actorId === node.actorId);
    if (!owner) return item.at('actorId').fail('is not in the membership list');
    // The key that signed it may have been retired since, which no vote undoes for its nodes.
    const isJudged = node.signature !== undefined && owner.revision === undefined;
    if (isJudged && !isSignedByOwner(owner, node)) {
      item.at('signature').fail('is not that of the owning actor');
    }
    return node;
  });
}

function readVotingPolicies(field: Field): VotingPolicies {
  field.only(votingPolicyKinds);
  const policies = field.members(votingPolicyKinds.length).map(([kind, policy]) => {
    return [kind, readVotingPolicy(policy)] as const;
  });
  if (!field.optional('default')) field.at('default').fail('must be set');
  return Object.fromEntries(policies) as unknown as VotingPolicies;
}

function readAdapters(root: Field): Record<string, unknown> {
  const adapters = root.optional('adapters');
  if (!adapters) return {};
  const entries = adapters.members(32).map(([id, config]) => {
    new Field(id, config.path, code).identifier();
    return [id, JSON.parse(canonicalJson(config.value))] as const;
  });
  return Object.fromEntries(entries);
}
