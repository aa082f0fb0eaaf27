import { DecodeError, fromUtf8, isHex64, utf8 } from '@concordat/std';

/** Who speaks on a stream or stands behind a forwarded request, as the manager authenticated it. */
export interface Identity {
  /** 64 lowercase hex digits. */
  readonly actorId: string;
  readonly name: string;
  readonly kinds: readonly string[];
  readonly roles: readonly string[];
  /** Common name of the certificate presented. */
  readonly subject: string;
  /** Serial number of the certificate presented, lowercase hex; empty where nobody presented one. */
  readonly serial: string;
  /** Whether the certificate is one below the actor's, not the actor's own. */
  readonly isStaff: boolean;
  /** SHA-256 of the certificate presented, 64 lowercase hex digits. */
  readonly fingerprint: string;
  /** The certificate presented, PEM; empty where nobody presented one. */
  readonly certificate: string;
}

/** UTF-8 JSON of an identity; encode it once a connection and reuse the bytes. */
export const encodeIdentity = (identity: Identity): Uint8Array => utf8(JSON.stringify(identity));

/** Actor id and fingerprint of whoever presented no certificate: no SHA-256 is known to be zero. */
export const nobodyId = '0'.repeat(64);

/** The identity of a connection on which no certificate was presented. */
export const nobody: Identity = {
  actorId: nobodyId,
  name: '',
  kinds: [],
  roles: [],
  subject: '',
  serial: '',
  isStaff: false,
  fingerprint: nobodyId,
  certificate: '',
};

/** Whether an actor's id is that of whoever presented no certificate. */
export const isNobody = (actorId: string): boolean => actorId === nobodyId;

const fields = [
  'actorId',
  'name',
  'kinds',
  'roles',
  'subject',
  'serial',
  'isStaff',
  'fingerprint',
  'certificate',
] as const;

/**
 * Reads what {@link encodeIdentity} wrote, strictly: every field there, none beside them.
 * @throws DecodeError INVALID
 */
export function decodeIdentity(bytes: Uint8Array): Identity {
  const value = parseObject(bytes, 'identity');
  const keys = Object.keys(value);
  const { actorId, name, kinds, roles, subject, serial, isStaff, fingerprint, certificate } = value;
  const valid =
    keys.length === fields.length &&
    isHex64(actorId) &&
    isHex64(fingerprint) &&
    typeof name === 'string' &&
    typeof subject === 'string' &&
    typeof serial === 'string' &&
    typeof isStaff === 'boolean' &&
    typeof certificate === 'string' &&
    isTextList(kinds) &&
    isTextList(roles);
  if (!valid) throw new DecodeError('INVALID', 'identity does not have the declared form');
  return { actorId, name, kinds, roles, subject, serial, isStaff, fingerprint, certificate };
}

/**
 * Parses UTF-8 JSON that must be an object.
 * @throws DecodeError INVALID (without quoting the input)
 */
export function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch {
    throw new DecodeError('INVALID', `${what} is not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DecodeError('INVALID', `${what} is not an object`);
  }
  return value as Record<string, unknown>;
}

/** Whether a value is an array of strings. */
export const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
