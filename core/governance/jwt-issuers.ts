import { CryptoError, signatureAlgorithmOf, spkiOfJwk } from '@concordat/crypto';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { fromHex, toHex } from '@concordat/std';
import type { JwtIssuer, JwtKey } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import type { Field } from './field.ts';
import { deleteRow, readRow, readRows, tables, textKey, writeRow } from './tables.ts';

/** Issuers of one network, and keys of one issuer. */
export const maxJwtIssuers = 64;
/** Keys of one issuer. */
export const maxJwtKeys = 64;
const maxIssuerLength = 512;
const maxKeyIdLength = 256;

/**
 * Reads an issuer from CCF's arguments `{issuer, auto_refresh?, jwks?}`; without `jwks` it has the
 * keys it had. Nothing is ever fetched from an issuer: `auto_refresh` may only be false.
 * @throws GovernanceError of the field's code
 */
export function readJwtIssuer(args: Field): {
  readonly issuer: string;
  readonly keys?: readonly JwtKey[];
} {
  args.only(['issuer', 'auto_refresh', 'jwks']);
  const issuer = readIssuer(args.at('issuer'));
  const refresh = args.optional('auto_refresh');
  if (refresh?.boolean()) {
    refresh.fail('must be false: enclaves fetch nothing, so keys come by proposal');
  }
  const jwks = args.optional('jwks');
  return { issuer, ...(jwks && { keys: readKeySet(jwks, issuer) }) };
}

/** Reads CCF's arguments `{issuer, jwks}`. @throws GovernanceError of the field's code */
export function readJwtKeys(args: Field): JwtIssuer {
  args.only(['issuer', 'jwks']);
  const issuer = readIssuer(args.at('issuer'));
  return { issuer, keys: readKeySet(args.at('jwks'), issuer) };
}

/** Reads the name of an issuer. @throws GovernanceError of the field's code */
export function readIssuer(field: Field): string {
  const issuer = field.text(maxIssuerLength);
  if (!/^[\x21-\x7e]+$/.test(issuer)) field.fail('must be visible ASCII characters');
  return issuer;
}

/** A JSON Web Key Set (RFC 7517, section 5). */
function readKeySet(jwks: Field, issuer: string): JwtKey[] {
  const keys = jwks
    .only(['keys'])
    .at('keys')
    .list(maxJwtKeys)
    .map((item) => {
      const constraint = readConstraint(item.optional('issuer'), issuer);
      return { kid: readKeyId(item.at('kid')), key: toHex(readKey(item)), constraint };
    });
  return requireDistinct(keys, jwks);
}

const readKeyId = (field: Field): string => {
  const kid = field.text(maxKeyIdLength);
  return kid === '' ? field.fail('must not be empty') : kid;
};

function readKey(item: Field): Uint8Array {
  try {
    return spkiOfJwk(item.value);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    return item.fail(`is not a key that tokens are verified by: ${error.message}`);
  }
}

/**
 * What `iss` must be of tokens by this key: the issuer itself, or what the key names as its own
 * issuer, which lies under the issuer's host (CCF; `{tenantid}` stands for the token's `tid`).
 */
function readConstraint(field: Field | undefined, issuer: string): string {
  if (field === undefined) return issuer;
  const constraint = readIssuer(field);
  if (constraint === issuer) return constraint;
  const [outer, inner] = [hostOf(issuer), hostOf(constraint)];
  const under = outer !== undefined && (inner === outer || inner?.endsWith(`.${outer}`));
  return under ? constraint : field.fail('is of another host than the issuer');
}

const hostOf = (url: string): string | undefined =>
  URL.parse(url.replaceAll(/[{}]/g, ''))?.host || undefined;

function requireDistinct(keys: JwtKey[], field: Field): JwtKey[] {
  const ids = new Set(keys.map(({ kid }) => kid));
  if (ids.size < keys.length) field.fail('names a kid twice');
  return keys.sort((a, b) => (a.kid < b.kid ? -1 : 1));
}

/** Reads issuers as a constitution lists them. @throws GovernanceError of the field's code */
export function readJwtIssuers(list: Field): JwtIssuer[] {
  const issuers = list.list(maxJwtIssuers).map((item) => {
    const issuer = readIssuer(item.only(['issuer', 'keys']).at('issuer'));
    const keys = item
      .at('keys')
      .list(maxJwtKeys)
      .map((entry) => {
        entry.only(['kid', 'key', 'constraint']);
        const constraint = readConstraint(entry.at('constraint'), issuer);
        return { kid: readKeyId(entry.at('kid')), key: readSpki(entry.at('key')), constraint };
      });
    return { issuer, keys: requireDistinct(keys, item) };
  });
  if (new Set(issuers.map(({ issuer }) => issuer)).size < issuers.length) {
    list.fail('names an issuer twice');
  }
  return issuers.sort((a, b) => (a.issuer < b.issuer ? -1 : 1));
}

function readSpki(field: Field): string {
  const text = field.text(4_096);
  const spki = fromHex(text);
  if (spki === undefined || signatureAlgorithmOf(spki) === undefined) {
    field.fail('must be the hex DER SPKI of a key that tokens are verified by');
  }
  return text;
}

/** What changes of issuers mean for the running network. */
export interface JwtIssuerEffect {
  readonly kind: 'jwt-issuer-set' | 'jwt-issuer-removed';
  readonly issuer: string;
}

/** Adds an issuer, or gives it other keys. @throws GovernanceError JWT_ISSUER_LIMIT */
export function setJwtIssuer(
  set: TransactionSet,
  { issuer, keys }: ReturnType<typeof readJwtIssuer>,
): readonly JwtIssuerEffect[] {
  const known = readRow(set, tables.jwtIssuers, textKey(issuer));
  if (!known && readTrustedIssuers(set).length >= maxJwtIssuers) {
    throw new GovernanceError('JWT_ISSUER_LIMIT', `there are ${maxJwtIssuers} issuers already`);
  }
  const row = { issuer, keys: keys ?? known?.keys ?? [] };
  writeRow(set, tables.jwtIssuers, textKey(issuer), row);
  return [{ kind: 'jwt-issuer-set', issuer }];
}

/** Gives an issuer other keys. @throws GovernanceError JWT_ISSUER_NOT_FOUND */
export function setJwtKeys(set: TransactionSet, given: JwtIssuer): readonly JwtIssuerEffect[] {
  requireIssuer(set, given.issuer);
  return setJwtIssuer(set, given);
}

/** Ends trust in an issuer. @throws GovernanceError JWT_ISSUER_NOT_FOUND */
export function removeJwtIssuer(set: TransactionSet, issuer: string): readonly JwtIssuerEffect[] {
  requireIssuer(set, issuer);
  deleteRow(set, tables.jwtIssuers, textKey(issuer));
  return [{ kind: 'jwt-issuer-removed', issuer }];
}

function requireIssuer(set: TransactionSet, issuer: string): void {
  if (readRow(set, tables.jwtIssuers, textKey(issuer))) return;
  throw new GovernanceError('JWT_ISSUER_NOT_FOUND', 'no such issuer is trusted', { issuer });
}

/** The issuers whose tokens count, sorted. */
export const readTrustedIssuers = (view: ReadView): JwtIssuer[] =>
  Array.from(readRows(view, tables.jwtIssuers), ([, row]) => row);
