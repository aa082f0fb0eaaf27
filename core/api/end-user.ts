import { ApiError } from './error-body.ts';

/**
 * Header of an application request in which a participant says for which of its end users it asks;
 * lower case. Its value is {@link encodeEndUser}.
 */
export const endUserHeader = 'concordat-end-user';

/** Characters of the header's value at most. */
export const maxEndUserLength = 4_096;
/** Bytes of UTF-8 at most: of an issuer, of a subject (OpenID Connect Core, 2), of a name, of a role. */
export const endUserBytes = { issuer: 512, subject: 255, name: 256, role: 128 } as const;
/** Roles of one end user at most. */
export const maxEndUserRoles = 64;

/**
 * An end user of a participant (paper, "Actors and Identity"): a claim of whoever's connection carries
 * it. The network knows no end users and proves nothing of this.
 */
export interface EndUser {
  /** Who knows the end user: an issuer of OpenID Connect, or another name the participant gives. */
  readonly issuer: string;
  /** Unique at the issuer, and never another's. */
  readonly subject: string;
  /** For people to read. */
  readonly name?: string;
  /** What the participant lets the end user be, in the order of their code units, none twice. */
  readonly roles: readonly string[];
}

/**
 * The value of the header: base64url without padding of the canonical JSON (RFC 8785) of issuer, name,
 * roles and subject. Roles are put in order.
 * @throws ApiError END_USER_MALFORMED for what is too large or no end user
 */
export function encodeEndUser({ issuer, subject, name, roles }: EndUser): string {
  const ordered = [...new Set(roles)].sort();
  const why = fault({ issuer, subject, name, roles: ordered });
  if (why !== undefined) throw malformed(why);
  const text = Buffer.from(canonical({ issuer, subject, name, roles: ordered })).toString(
    'base64url',
  );
  if (text.length > maxEndUserLength) throw malformed(tooLong);
  return text;
}

/**
 * Reads what {@link encodeEndUser} wrote, and nothing else: one end user has one spelling.
 * @throws ApiError END_USER_MALFORMED
 */
export function decodeEndUser(text: string): EndUser {
  if (text.length > maxEndUserLength) throw malformed(tooLong);
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw malformed('it is not base64url');
  const json = Buffer.from(text, 'base64url').toString('utf8');
  const given = parsed(json);
  const why = given === undefined ? 'it is not the JSON of an object' : fault(given);
  if (why !== undefined) throw malformed(why);
  const { issuer, subject, name, roles } = given as unknown as EndUser;
  const endUser = { issuer, subject, ...(name !== undefined && { name }), roles };
  // Bytes that are no UTF-8, unused bits of the last character: they come back otherwise.
  if (Buffer.from(canonical(endUser)).toString('base64url') !== text)
    throw malformed('it is not in canonical form (RFC 8785)');
  return endUser;
}

const tooLong = `it has more than ${maxEndUserLength} characters`;

const malformed = (why: string): ApiError =>
  new ApiError('END_USER_MALFORMED', `${endUserHeader}: ${why}`);

type Parts = Omit<EndUser, 'name'> & { readonly name?: string | undefined };

/** Members in the order of their names; `JSON.stringify` leaves out an absent name. */
const canonical = ({ issuer, subject, name, roles }: Parts): string =>
  JSON.stringify({ issuer, name, roles, subject });

function parsed(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** What is wrong with the parts; undefined when nothing is. */
function fault(parts: Readonly<Record<string, unknown>>): string | undefined {
  const { issuer, subject, name, roles } = parts;
  if (!isText(issuer, endUserBytes.issuer)) return textFault('issuer', endUserBytes.issuer);
  if (!isText(subject, endUserBytes.subject)) return textFault('subject', endUserBytes.subject);
  if (name !== undefined && !isText(name, endUserBytes.name)) {
    return textFault('name', endUserBytes.name);
  }
  if (!Array.isArray(roles) || roles.length > maxEndUserRoles) {
    return `roles is a list of at most ${maxEndUserRoles}`;
  }
  if (!roles.every((role) => isText(role, endUserBytes.role))) {
    return textFault('a role', endUserBytes.role);
  }
  const isOrdered = roles.every((role, at) => at === 0 || `${roles[at - 1]}` < role);
  return isOrdered ? undefined : 'roles are not in order, or one stands twice';
}

const textFault = (what: string, bytes: number): string =>
  `${what} is a text of 1 to ${bytes} bytes without control characters`;

const isText = (value: unknown, maxBytes: number): value is string =>
  typeof value === 'string' &&
  value !== '' &&
  value.isWellFormed() &&
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  !/[\u0000-\u001f\u007f-\u009f]/.test(value) &&
  Buffer.byteLength(value) <= maxBytes;
