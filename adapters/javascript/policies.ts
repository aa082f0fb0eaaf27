import type { ErrorCode } from '@concordat/api';
import type { Actor } from '@concordat/worker-enclave';

/** Policies that name one way of being known, as CCF calls them. */
export const policyNames = [
  'user_cert',
  'member_cert',
  'any_cert',
  'jwt',
  'user_cose_sign1',
  'member_cose_sign1',
  'no_auth',
] as const;

/** One of them. */
export type PolicyName = (typeof policyNames)[number];

/** An entry of `authn_policies`: one policy, or several that must all hold. */
export type Policy = PolicyName | { readonly all_of: readonly PolicyName[] };

/**
 * Who called, as `request.caller` shows it (`AuthnIdentity` of @microsoft/ccf-app); of a signed body
 * `cose.content` says from where to where in the body its content lies.
 */
export interface Caller {
  readonly policy: string | readonly string[];
  readonly [part: string]: unknown;
}

/** Who called, and who that is beyond the actor of the connection. */
export interface Identity {
  readonly caller: Caller;
  /** Absent where it is the actor of the connection, or nobody in particular. */
  readonly subject?: string;
}

/** What a request presents for its policies to look at. */
export interface Presented {
  readonly actor: Actor;
  /** Value of a header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
  /** This node's clock, milliseconds since 1970. */
  readonly timeMs: number;
}

/** What one policy says. */
export type PolicyVerdict =
  | ({ readonly ok: true } & Identity)
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** The identity of an actor; `cert` is what was presented on the connection, or signed with. */
export const certifiedIdentity = (policy: PolicyName, actor: Actor): Caller => {
  const { actorId, name, kinds, roles, staff, certificate = '' } = actor;
  const data = { name, kinds, roles, ...(staff && { staff }) };
  return { policy, id: actorId, data, cert: certificate };
};
