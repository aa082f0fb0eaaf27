import {
  ApiError,
  type EndUser,
  type ErrorCode,
  encodeEndUser,
  endUserBytes,
} from '@concordat/api';
import type { ClaimPath, ProviderSettings } from './settings.ts';

/** Claims of an end user, from an ID token, a userinfo answer or an access token. */
export type Claims = Readonly<Record<string, unknown>>;

/** Groups of one end user that are looked at. */
const maxGroups = 1_000;

/**
 * The end user that a provider's claims are about, with the roles of its groups.
 * @param code what is thrown when they name none
 * @throws ApiError
 */
export function endUserOf(claims: Claims, settings: ProviderSettings, code: ErrorCode): EndUser {
  const { issuer, claims: paths, everyone } = settings;
  const subject = claimAt(claims, paths.subject);
  if (typeof subject !== 'string') {
    throw new ApiError(code, `the claim ${paths.subject.join('.')} names no subject`);
  }
  const roles = new Set(everyone);
  for (const group of groupsOf(claims, settings)) {
    for (const role of settings.roles.get(group) ?? []) roles.add(role);
  }
  const name = nameIn(claimAt(claims, paths.name));
  const endUser = {
    issuer,
    subject,
    ...(name !== undefined && { name }),
    roles: [...roles].sort(),
  };
  try {
    encodeEndUser(endUser);
  } catch (error) {
    throw new ApiError(code, (error as Error).message);
  }
  return endUser;
}

/** Whether a provider left the groups out of a token because they are too many (Entra: "overage"). */
export const hasTooManyGroups = (
  claims: Claims,
  { claims: { groups } }: ProviderSettings,
): boolean => {
  const names = claims._claim_names;
  const isObject = typeof names === 'object' && names !== null;
  return isObject && groups.length === 1 && Object.hasOwn(names, groups[0] as string);
};

function groupsOf(claims: Claims, { claims: { groups } }: ProviderSettings): readonly string[] {
  const value = claimAt(claims, groups);
  const list = Array.isArray(value) ? value.slice(0, maxGroups) : [value];
  return list.filter((one) => typeof one === 'string');
}

function claimAt(claims: Claims, path: ClaimPath): unknown {
  let value: unknown = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = (value as Claims)[name];
  }
  return value;
}

/** A name is for people: what does not fit is cut, what is none left out. */
function nameIn(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  // A character has at least one byte, so that what is cut here would not fit anyway.
  const first = value.slice(0, endUserBytes.name).toWellFormed();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  let name = first.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
  while (Buffer.byteLength(name) > endUserBytes.name) name = [...name].slice(0, -1).join('');
  return name === '' ? undefined : name;
}
