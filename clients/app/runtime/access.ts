import type { Access, Caller, CallerToken, EndUser, Group } from './endpoint.ts';
import { AppFailure } from './failure.ts';

/** CCF's policies that stand for a group. */
const policies: Readonly<Record<Group, string>> = {
  anyone: 'any_cert',
  participants: 'user_cert',
  members: 'member_cert',
};

/** Whether there is such a group. */
export const isGroup = (name: unknown): boolean =>
  typeof name === 'string' && Object.hasOwn(policies, name);

/** `authn_policies` of an endpoint. */
export const policiesOf = (access: Access): readonly (string | { all_of: string[] })[] =>
  groupsOf(access).map((group) =>
    asksForToken(access) ? { all_of: [policies[group], tokenPolicy] } : policies[group],
  );

const tokenPolicy = 'jwt';

/** Whether callers have to present a token. */
export const asksForToken = (access: Access): boolean =>
  typeof access !== 'string' && !isList(access) && access.token === true;

/** The groups of which one is enough. */
export function groupsOf(access: Access): readonly Group[] {
  if (typeof access === 'string') return [access];
  if (isList(access)) return access;
  const { group = 'anyone' } = access ?? { group: [] };
  return typeof group === 'string' ? [group] : group;
}

/** The narrowing of `Array.isArray` does not hold for read-only lists. */
const isList = (access: Access): access is readonly Group[] => Array.isArray(access);

/**
 * Checks what the node's policies do not know of: roles and conditions.
 * @throws AppFailure AuthorizationFailed
 */
export function checkAccess(access: Access, given: unknown): Caller {
  const caller = callerOf(given);
  if (typeof access === 'string' || isList(access)) return caller;
  const { roles, when } = access;
  const hasRole = roles === undefined || roles.some((role) => caller.roles.includes(role));
  if (hasRole && (when === undefined || when(caller))) return caller;
  const why = hasRole ? 'the caller may not do this' : 'the caller has none of the roles it takes';
  throw new AppFailure('AuthorizationFailed', 403, why, hasRole ? undefined : { roles });
}

/** @throws TypeError when there is none: an empty name could be somebody's */
function callerOf(given: unknown): Caller {
  const identity = (given ?? {}) as Readonly<Record<string, unknown>>;
  const { policy } = identity;
  // Of several policies that all hold, each stands under its name.
  const names = Array.isArray(policy) ? (policy as string[]) : [];
  const certified = names.find((name) => name !== tokenPolicy);
  const part = certified === undefined ? identity : identity[certified];
  const { id, data, endUser } = (part ?? {}) as Readonly<Record<string, unknown>>;
  const { name, kinds, roles, staff } = (data ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || id === '') throw new TypeError('the node names no caller');
  const token = names.includes(tokenPolicy) ? tokenOf(identity[tokenPolicy]) : undefined;
  return {
    id,
    name: typeof name === 'string' ? name : '',
    kinds: textsOf(kinds),
    roles: textsOf(roles),
    ...(staff !== undefined && { staff: staffOf(staff) }),
    ...(token && { token }),
    ...(endUser !== undefined && { endUser: endUserOf(endUser) }),
  };
}

/** @throws TypeError for what is nobody of an organisation */
function staffOf(part: unknown): NonNullable<Caller['staff']> {
  const { name, serial } = (part ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || typeof serial !== 'string') {
    throw new TypeError('the node does not say who of the organisation calls');
  }
  return { name, serial };
}

/** @throws TypeError for what is no end user: without its subject it could be anybody */
function endUserOf(part: unknown): EndUser {
  const { issuer, subject, name, roles } = (part ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof issuer !== 'string' || typeof subject !== 'string' || subject === '') {
    throw new TypeError('the node shows no end user');
  }
  return { issuer, subject, ...(typeof name === 'string' && { name }), roles: textsOf(roles) };
}

/** @throws TypeError for a part of an identity that is no token */
function tokenOf(part: unknown): CallerToken {
  const { jwt } = (part ?? {}) as { readonly jwt?: CallerToken };
  if (typeof jwt?.keyIssuer !== 'string') throw new TypeError('the node shows no token');
  const { keyIssuer, header, payload } = jwt;
  return { keyIssuer, header, payload };
}

const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
