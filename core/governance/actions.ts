import type { ReadView, TransactionSet } from '@concordat/kv';
import { type ActorId, type NodeId, toActorId, toHex, toNodeId } from '@concordat/std';
import { actorProperties, actorPublicKey, readActor } from './actor.ts';
import {
  applicationProperties,
  readAdapterId,
  readApplication,
  removeApplication,
  setApplication,
} from './applications.ts';
import { auditGrantProperties, readAuditGrant } from './audit-grant.ts';
import type { Actor, ApplicationEntry, NodeEntry } from './constitution.ts';
import { GovernanceError, type GovernanceErrorCode } from './errors.ts';
import { Field } from './field.ts';
import {
  type JwtIssuerEffect,
  readIssuer,
  readJwtIssuer,
  readJwtKeys,
  removeJwtIssuer,
  setJwtIssuer,
  setJwtKeys,
} from './jwt-issuers.ts';
import { requireLawful, requireTrustedNode, trustedNodes } from './laws.ts';
import { codeProperties, readCode, readTee, teeProperties } from './manifests.ts';
import { admittedNodeProperties, isSignedByOwner, readAdmittedNode } from './node-entry.ts';
import { isPolicyName, readPolicy } from './policies.ts';
import type { ProposedAction } from './proposal.ts';
import { openNetwork, requireRestored } from './recovery.ts';
import { forgetSigner } from './replay.ts';
import { deleteRow, type Rows, readRow, readRows, tables, textKey, writeRow } from './tables.ts';
import {
  type ActionName,
  actionNames,
  readVotingPolicy,
  votingPolicyKinds,
} from './voting-policy.ts';

/** What a change of the constitution means for the running network. */
export type GovernanceEffect =
  | { readonly kind: 'actor-added' | 'actor-removed'; readonly actorId: ActorId }
  | { readonly kind: 'node-admitted' | 'node-removed'; readonly nodeId: NodeId }
  | { readonly kind: 'code-added' | 'code-removed'; readonly measurement: string }
  | { readonly kind: 'tee-added' | 'tee-removed'; readonly platform: string }
  | { readonly kind: 'voting-policy-changed'; readonly policy: string }
  | { readonly kind: 'policy-changed'; readonly policy: string }
  | {
      readonly kind: 'audit-granted' | 'audit-revoked' | 'shares-given';
      readonly auditor: string;
    }
  | { readonly kind: 'network-opened' | 'epoch-asked' }
  | { readonly kind: 'application-set'; readonly adapter: string; readonly digest: string }
  | { readonly kind: 'application-removed'; readonly adapter: string }
  | JwtIssuerEffect
  | {
      readonly kind: 'recovery-consented' | 'holder-rotation-asked';
      readonly actorId: ActorId;
    }
  | {
      readonly kind: 'key-exported';
      readonly actorId: ActorId;
      /** Numbers of the keys, newest first. */
      readonly keys: readonly number[];
    };

/** Reads the arguments, then makes the change. */
type Action = (args: Field) => (set: TransactionSet) => readonly GovernanceEffect[];

/** Actions one proposal may hold. */
export const maxActions = 64;

/**
 * Reads the actions of a proposal's payload `{"actions":[{"name","args"}]}`.
 * @throws GovernanceError INVALID_ACTION with details.path
 */
export function readActions(payload: unknown): readonly ProposedAction[] {
  const root = new Field(payload, '', 'INVALID_ACTION').only(['actions']);
  const list = root.at('actions').list(maxActions);
  if (list.length === 0) root.at('actions').fail('must hold at least one action');
  return list.map((item) => {
    const name = item.only(['name', 'args']).at('name').oneOf(actionNames);
    const args = item.at('args');
    actions[name](args);
    return { name, args: args.value as Record<string, unknown> };
  });
}

/** Applications that the actions of a proposal's payload would put in force. @throws GovernanceError */
export const proposedApplications = (payload: unknown): readonly ApplicationEntry[] =>
  readActions(payload)
    .filter(({ name }) => name === 'set_application')
    .map(({ args }) => args as unknown as ApplicationEntry);

/**
 * Makes the changes in order and checks the laws of a network on the result. On a refusal the
 * caller reverts the set.
 * @throws GovernanceError of the action or law that refused
 */
export function applyActions(
  set: TransactionSet,
  proposed: readonly ProposedAction[],
): readonly GovernanceEffect[] {
  const trustedBefore = trustedNodes(set);
  const effects = proposed.flatMap(({ name, args }, i) =>
    actions[name](new Field(args, `actions[${i}].args`, 'INVALID_ACTION'))(set),
  );
  requireLawful(set);
  requireTrustedNode(set, trustedBefore);
  return effects;
}

const actions: Readonly<Record<ActionName, Action>> = {
  add_actor: (args) => {
    const actor = readActor(args.only(actorProperties));
    return (set) => {
      requireNewActor(set, actor);
      writeRow(set, tables.actors, actor.actorId, actor);
      return [{ kind: 'actor-added', actorId: actor.actorId }];
    };
  },
  remove_actor: (args) => {
    const actorId = toActorId(args.only(['actorId']).at('actorId').hex(32));
    return (set) => removeActor(set, actorId);
  },
  add_node: (args) => {
    const node = readAdmittedNode(args.only(admittedNodeProperties));
    return (set) => admitNode(set, node);
  },
  remove_node: (args) => {
    const nodeId = toNodeId(args.only(['nodeId']).at('nodeId').hex(32));
    return (set) => {
      const node = readRow(set, tables.nodes, nodeId);
      if (!node || node.status === 'retired') {
        throw new GovernanceError('NODE_NOT_FOUND', 'no such present node', { nodeId });
      }
      return removeNode(set, node);
    };
  },
  add_code: (args) => {
    const code = readCode(args.only(codeProperties));
    const { measurement } = code;
    return (set) => {
      addRow(set, tables.code, { key: measurement, row: code, exists: 'CODE_EXISTS' });
      return [{ kind: 'code-added', measurement }];
    };
  },
  remove_code: (args) => {
    const measurement = args.only(['measurement']).at('measurement').hex(32);
    return (set) => {
      removeRow(set, tables.code, { key: measurement, missing: 'CODE_NOT_FOUND' });
      return [{ kind: 'code-removed', measurement }];
    };
  },
  add_tee: (args) => {
    const tee = readTee(args.only(teeProperties));
    return (set) => {
      addRow(set, tables.tees, { key: tee.platform, row: tee, exists: 'TEE_EXISTS' });
      return [{ kind: 'tee-added', platform: tee.platform }];
    };
  },
  remove_tee: (args) => {
    const platform = args.only(['platform']).at('platform').identifier();
    return (set) => {
      removeRow(set, tables.tees, { key: platform, missing: 'TEE_NOT_FOUND' });
      return [{ kind: 'tee-removed', platform }];
    };
  },
  set_voting_policy: (args) => {
    const kind = args.only(['kind', 'policy']).at('kind').oneOf(votingPolicyKinds);
    const policy = readVotingPolicy(args.at('policy'));
    return (set) => {
      writeRow(set, tables.votingPolicies, kind, policy);
      return [{ kind: 'voting-policy-changed', policy: kind }];
    };
  },
  remove_voting_policy: (args) => {
    // The default is replaced, never removed: every kind of change needs a policy.
    const kind = args.only(['kind']).at('kind').oneOf(actionNames);
    return (set) => {
      removeRow(set, tables.votingPolicies, { key: kind, missing: 'POLICY_NOT_SET' });
      return [{ kind: 'voting-policy-changed', policy: kind }];
    };
  },
  set_policy: (args) => {
    const name = readPolicyName(args.only(['name', 'value']).at('name'));
    const value = readPolicy(name, args.at('value'));
    return (set) => {
      writeRow(set, tables.policies, name, value);
      return [{ kind: 'policy-changed', policy: name }];
    };
  },
  remove_policy: (args) => {
    const name = readPolicyName(args.only(['name']).at('name'));
    return (set) => {
      removeRow(set, tables.policies, { key: name, missing: 'POLICY_NOT_SET' });
      return [{ kind: 'policy-changed', policy: name }];
    };
  },
  grant_audit: (args) => {
    const grant = readAuditGrant(args.only(auditGrantProperties));
    const { auditor } = grant;
    return (set) => {
      const key = textKey(auditor);
      addRow(set, tables.auditGrants, { key, row: grant, exists: 'AUDITOR_EXISTS' });
      return [{ kind: 'audit-granted', auditor }];
    };
  },
  revoke_audit: (args) => {
    const auditor = args.only(['auditor']).at('auditor').name();
    return (set) => {
      const key = textKey(auditor);
      removeRow(set, tables.auditGrants, { key, missing: 'AUDITOR_NOT_FOUND' });
      return [{ kind: 'audit-revoked', auditor }];
    };
  },
  begin_epoch: (args) => {
    args.only([]);
    // What the network does about it is for whoever leads: a session key is drawn there.
    return () => [{ kind: 'epoch-asked' }];
  },
  set_application: (args) => {
    const application = readApplication(args.only(applicationProperties));
    return (set) => setApplication(set, application);
  },
  remove_application: (args) => {
    const adapter = readAdapterId(args.only(['adapter']).at('adapter'));
    return (set) => removeApplication(set, adapter);
  },
  set_jwt_issuer: (args) => {
    const given = readJwtIssuer(args);
    return (set) => setJwtIssuer(set, given);
  },
  set_jwt_public_signing_keys: (args) => {
    const given = readJwtKeys(args);
    return (set) => setJwtKeys(set, given);
  },
  remove_jwt_issuer: (args) => {
    const issuer = readIssuer(args.only(['issuer']).at('issuer'));
    return (set) => removeJwtIssuer(set, issuer);
  },
  open_network: (args) => {
    args.only([]);
    return openNetwork;
  },
};

function readPolicyName(field: Field) {
  const name = field.text(64);
  if (isPolicyName(name)) return name;
  throw new GovernanceError('UNSUPPORTED_POLICY', `${field.path} names no supported policy`, {
    path: field.path,
  });
}

function addRow<Row>(
  set: TransactionSet,
  to: Rows<Row>,
  add: { readonly key: string; readonly row: Row; readonly exists: GovernanceErrorCode },
): void {
  if (set.table(to.table).has(add.key)) {
    throw new GovernanceError(add.exists, `${add.key} is listed already`, { key: add.key });
  }
  writeRow(set, to, add.key, add.row);
}

function removeRow<Row>(
  set: TransactionSet,
  from: Rows<Row>,
  remove: { readonly key: string; readonly missing: GovernanceErrorCode },
): void {
  if (!set.table(from.table).has(remove.key)) {
    throw new GovernanceError(remove.missing, `${remove.key} is not set`, { key: remove.key });
  }
  deleteRow(set, from, remove.key);
}

/** One key is one actor: a second certificate over it would be a second vote. */
function requireNewActor(view: ReadView, actor: Actor): void {
  const key = toHex(actorPublicKey(actor));
  for (const [actorId, other] of readRows(view, tables.actors)) {
    const sameKey = toHex(actorPublicKey(other)) === key;
    if (actorId !== actor.actorId && other.name !== actor.name && !sameKey) continue;
    const shared = actorId === actor.actorId ? 'certificate' : sameKey ? 'key' : 'name';
    throw new GovernanceError('ACTOR_EXISTS', `an actor has that ${shared} already`, { actorId });
  }
}

function removeActor(set: TransactionSet, actorId: ActorId): GovernanceEffect[] {
  if (!readRow(set, tables.actors, actorId)) {
    throw new GovernanceError('ACTOR_NOT_FOUND', 'no such actor', { actorId });
  }
  const effects: GovernanceEffect[] = [];
  for (const [, node] of [...readRows(set, tables.nodes)]) {
    if (node.actorId === actorId && node.status !== 'retired') effects.push(strike(set, node));
  }
  deleteRow(set, tables.actors, actorId);
  forgetSigner(set, actorId);
  deleteRow(set, tables.holders, actorId);
  return [...effects, { kind: 'actor-removed', actorId }];
}

function admitNode(set: TransactionSet, node: NodeEntry): GovernanceEffect[] {
  const { nodeId, actorId } = node;
  requireRestored(set);
  const owner = readRow(set, tables.actors, actorId);
  if (!owner) throw new GovernanceError('ACTOR_NOT_FOUND', 'no such actor', { actorId });
  if (readRow(set, tables.nodes, nodeId)) {
    throw new GovernanceError('NODE_EXISTS', 'that node was listed before', { nodeId });
  }
  if (!isSignedByOwner(owner, node)) {
    throw new GovernanceError(
      'BAD_NODE_SIGNATURE',
      'the tuple {actor key, address, node key} is not signed by the owning actor',
      { actorId, nodeId },
    );
  }
  writeRow(set, tables.nodes, nodeId, node);
  return [{ kind: 'node-admitted', nodeId }];
}

/** With a node goes the successor that is about to take its place. */
function removeNode(set: TransactionSet, node: NodeEntry): GovernanceEffect[] {
  const struck = [...readRows(set, tables.nodes)].filter(
    ([, other]) => other.replaces === node.nodeId && other.status === 'learning',
  );
  return [node, ...struck.map(([, other]) => other)].map((other) => strike(set, other));
}

function strike(set: TransactionSet, node: NodeEntry): GovernanceEffect {
  const { nodeId } = node;
  // A node that never joined signed nothing, so nobody will look for its key.
  if (node.status === 'admitted') deleteRow(set, tables.nodes, nodeId);
  else writeRow(set, tables.nodes, nodeId, { ...node, status: 'retired', retired: 'removed' });
  return { kind: 'node-removed', nodeId };
}
