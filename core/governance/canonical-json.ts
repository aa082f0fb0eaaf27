import { sha256 } from '@concordat/crypto';
import { assert, concatBytes, toHex, utf8 } from '@concordat/std';
import type { Constitution } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import { defaultPolicy, isPolicyName } from './policies.ts';

/** Deepest nesting of lists and objects. */
const maxDepth = 64;

/**
 * The one text of a JSON value (RFC 8785): object members sorted by the UTF-16 code units of
 * their names, no white space, ECMAScript's own form of texts and numbers. Members with the value
 * undefined are left out.
 * @throws GovernanceError INVALID_JSON for what is not JSON, or nested more than 64 deep
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) {
    return JSON.stringify(value);
  }
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) refuse(`a ${typeof value} is not JSON`);
  if (depth === maxDepth) refuse(`JSON nested more than ${maxDepth} deep`);
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`;
  const record = value as Record<string, unknown>;
  const members: string[] = [];
  for (const name of Object.keys(record).sort()) {
    if (record[name] === undefined) continue;
    members.push(`${JSON.stringify(name)}:${write(record[name], depth + 1)}`);
  }
  return `{${members.join(',')}}`;
}

function refuse(why: string): never {
  throw new GovernanceError('INVALID_JSON', why);
}

/**
 * Hex SHA-256 of the constitution's canonical JSON: what a newcomer compares and approves. Policies
 * that have their default are left out, as the ledger leaves them out: a policy that is added to the
 * framework later changes no digest, and so no network's identity.
 */
export function constitutionDigest(constitution: Constitution): string {
  const set = Object.entries(constitution.policies).filter(
    ([name, value]) => !isPolicyName(name) || value !== defaultPolicy(name),
  );
  const policies = Object.fromEntries(set);
  return toHex(sha256(utf8(canonicalJson({ ...constitution, policies }))));
}

/**
 * Identity of a network: hex SHA-256 over a domain, the digest of its genesis constitution and
 * the DER of its network certificate.
 */
export function networkIdOf(genesis: Constitution, networkCertificateDer: Uint8Array): string {
  assert(networkCertificateDer.length > 0, 'no network certificate');
  const digest = utf8(constitutionDigest(genesis));
  return toHex(sha256(concatBytes(utf8('concordat network v1\n'), digest, networkCertificateDer)));
}
