import type { TransactionSet } from '@concordat/kv';
import type { ActorId, NodeId } from '@concordat/std';
import type { ExternalSystemEffect } from './external-systems.ts';
import type { Field } from './field.ts';
import type { JwtIssuerEffect } from './jwt-issuers.ts';

/** What a change of the constitution means for the running network. */
export type GovernanceEffect =
  | {
      readonly kind: 'actor-added' | 'actor-removed' | 'actor-roles-changed' | 'actor-kind-changed';
      readonly actorId: ActorId;
    }
  | {
      readonly kind: 'actor-certificate-added' | 'actor-certificate-removed';
      readonly actorId: ActorId;
      /** Hex SHA-256 of the certificate's DER. */
      readonly fingerprint: string;
    }
  | {
      readonly kind: 'revocation-list-set' | 'revocation-list-removed';
      /** Id of the issuer. */
      readonly issuer: string;
    }
  | { readonly kind: 'node-admitted' | 'node-removed'; readonly nodeId: NodeId }
  | { readonly kind: 'code-added' | 'code-removed'; readonly measurement: string }
  | { readonly kind: 'tee-added' | 'tee-removed'; readonly platform: string }
  | { readonly kind: 'voting-policy-changed'; readonly policy: string }
  | {
      readonly kind: 'automation-rule-set' | 'automation-rule-removed';
      /** Name of the rule. */
      readonly rule: string;
    }
  | {
      /** A rule cast a member's vote on a proposal that was opened. */
      readonly kind: 'voted-automatically';
      readonly proposalId: string;
      readonly actorId: ActorId;
      /** Name of the rule. */
      readonly rule: string;
    }
  | { readonly kind: 'policy-changed'; readonly policy: string }
  | {
      readonly kind: 'audit-granted' | 'audit-revoked' | 'shares-given';
      readonly auditor: string;
    }
  | { readonly kind: 'proposal-expired'; readonly proposalId: string }
  | {
      readonly kind: 'proposal-superseded';
      readonly proposalId: string;
      /** The proposal that was accepted first. */
      readonly by: string;
    }
  | { readonly kind: 'network-opened' | 'epoch-asked' }
  | { readonly kind: 'application-set'; readonly adapter: string; readonly digest: string }
  | { readonly kind: 'application-removed'; readonly adapter: string }
  | JwtIssuerEffect
  | ExternalSystemEffect
  | {
      readonly kind: 'recovery-consented' | 'holder-rotation-asked' | 'constitution-acknowledged';
      readonly actorId: ActorId;
    }
  | {
      readonly kind: 'key-exported';
      readonly actorId: ActorId;
      /** Numbers of the keys, newest first. */
      readonly keys: readonly number[];
    };

/** Reads the arguments of an action, then makes the change. */
export type Action = (args: Field) => (set: TransactionSet) => readonly GovernanceEffect[];
