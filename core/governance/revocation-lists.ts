import {
  type Certificate,
  CryptoError,
  isSignedBy,
  parseCertificate,
  parseRevocationList,
  type RevocationCheck,
  type RevocationList,
  revocationListFault,
  serialText,
  sha256,
  subjectOf,
} from '@concordat/crypto';
import type { ReadView, TransactionSet } from '@concordat/kv';
import {
  assert,
  concatBytes,
  equalBytes,
  fromBase64,
  toActorId,
  toBase64,
  toHex,
} from '@concordat/std';
import { certificatesOf } from './actor-certificates.ts';
import type { Actor, Constitution, RevocationListEntry } from './constitution.ts';
import type { Action, GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import type { Field } from './field.ts';
import { keyUsageAllowsIssuing, readCertificates } from './issuing.ts';
import { deleteRow, readRow, readRows, tables, writeRow } from './tables.ts';

/** Lists the network keeps at a time. */
export const maxRevocationLists = 64;
/** Bytes of DER of all lists together: they are part of the constitution, which is read often. */
const maxBytesOfAll = 1_048_576;
/**
 * Of all of these one actor's lists take a quarter at most: with authorities of its own making it
 * would else leave the others no room to revoke anybody.
 */
const actorShare = 4;
/** Base64 of the longest list, in lines. */
const maxListText = 92_000;
/** Characters of an authority's common name. */
const maxAuthorityName = 256;
/** Authorities between the one that signs a list and its actor's certificate. */
const maxBetween = 7;

/**
 * Hex SHA-256 over an authority's name and key, both DER: an authority that renews its certificate
 * over the same key goes on with its lists.
 */
export const issuerIdOf = ({ subject, spki }: Pick<Certificate, 'subject' | 'spki'>): string =>
  toHex(sha256(concatBytes(subject, spki)));

/** What organisations' authorities have revoked, distributed by vote. */
export const revocationListActions = {
  set_revocation_list: (args) => {
    args.only(['actorId', 'list', 'authority']);
    const actorId = toActorId(args.at('actorId').hex(32));
    const list = readList(args.at('list'));
    const given = args.optional('authority');
    const authority = given === undefined ? [] : readCertificates(given, 1 + maxBetween);
    return (set) => {
      const actor = readRow(set, tables.actors, actorId);
      if (!actor) throw new GovernanceError('ACTOR_NOT_FOUND', 'no such actor', { actorId });
      return setList(set, { actor, list, issuer: issuerOf(actor, authority, list) });
    };
  },
  remove_revocation_list: (args) => {
    const issuer = args.only(['issuer']).at('issuer').hex(32);
    return (set) => {
      if (!readRow(set, tables.revocationLists, issuer)) {
        throw new GovernanceError('REVOCATION_LIST_NOT_FOUND', 'no such list', { issuer });
      }
      deleteRow(set, tables.revocationLists, issuer);
      return [{ kind: 'revocation-list-removed', issuer }];
    };
  },
} satisfies Record<string, Action>;

/** Base64 of the DER, or PEM of type X509 CRL. */
function readList(field: Field): RevocationList {
  const text = field.text(maxListText);
  const pem = /^-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----\s*$/.exec(text);
  const der = fromBase64((pem?.[1] ?? text).replaceAll(/[ \t\r\n]/g, ''));
  if (!der?.length) return field.fail('must be a revocation list, PEM or base64 of its DER');
  try {
    return parseRevocationList(der);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    const { code, message } = error;
    const unsupported = code === 'UNSUPPORTED_REVOCATION_LIST';
    throw new GovernanceError(
      unsupported ? 'UNSUPPORTED_REVOCATION_LIST' : 'INVALID_REVOCATION_LIST',
      `${field.path}: ${message}`,
      { path: field.path },
    );
  }
}

const notTheirs = (why: string, actor: Actor): GovernanceError =>
  new GovernanceError('INVALID_REVOCATION_LIST', `the list is not ${actor.name}'s: ${why}`, {
    actorId: actor.actorId,
  });

/**
 * The authority that signed the list: a certificate of the actor, or one that hangs below it by the
 * certificates given (the signing authority's first, then each above it). No clock is asked: a list
 * counts by its number.
 */
function issuerOf(actor: Actor, given: readonly Certificate[], list: RevocationList): Certificate {
  const own = certificatesOf(actor).map(({ der }) => parseCertificate(der));
  const isBelow = (one: Certificate, above: Certificate): boolean =>
    equalBytes(one.issuer, above.subject) &&
    above.isCa &&
    keyUsageAllowsIssuing(above) &&
    isSignedBy(one, above);
  for (const [at, one] of given.entries()) {
    const above = given[at + 1];
    const hangs =
      above === undefined ? own.some((root) => isBelow(one, root)) : isBelow(one, above);
    if (!hangs) throw notTheirs('its authority does not hang below a certificate of theirs', actor);
  }
  const [signing] = given;
  const candidates = signing === undefined ? own : [signing];
  const faults = candidates.map((authority) => revocationListFault(list, authority));
  const found = candidates[faults.indexOf(undefined)];
  if (found !== undefined) return found;
  const fault = faults.find((one) => one !== 'WRONG_ISSUER') ?? 'WRONG_ISSUER';
  throw notTheirs(reasons[fault], actor);
}

const reasons: Readonly<Record<NonNullable<ReturnType<typeof revocationListFault>>, string>> = {
  WRONG_ISSUER: 'another authority issued it',
  KEY_USAGE: 'its authority may not sign lists',
  UNSUPPORTED_ALGORITHM: 'the algorithm or key of its signature is not accepted',
  BAD_SIGNATURE: "its signature is not that of the authority's key",
};

function setList(
  set: TransactionSet,
  what: { readonly actor: Actor; readonly list: RevocationList; readonly issuer: Certificate },
): GovernanceEffect[] {
  const { actor, list } = what;
  const issuer = issuerIdOf(what.issuer);
  const known = readRow(set, tables.revocationLists, issuer);
  if (known && list.number <= BigInt(known.number)) {
    throw new GovernanceError(
      'REVOCATION_LIST_NOT_NEWER',
      `list ${list.number} does not follow list ${known.number}, which is in force`,
      { issuer, number: String(list.number), inForce: known.number },
    );
  }
  const others = listRevocationLists(set).filter((one) => one.issuer !== issuer);
  const own = others.filter(({ actorId }) => actorId === actor.actorId);
  requireRoom([...own, list], 'an actor has', actorShare);
  requireRoom([...others, list], 'the network keeps', 1);
  const authority = nameOf(what.issuer);
  const entry = { issuer, actorId: actor.actorId, authority, ...factsOf(list) };
  writeRow(set, tables.revocationLists, issuer, entry);
  return [{ kind: 'revocation-list-set', issuer }];
}

/** Refuses more lists, or longer ones, than a share of the limits: half of them for 2. */
function requireRoom(
  lists: readonly (RevocationList | RevocationListEntry)[],
  who: string,
  share: number,
): void {
  const [most, mostBytes] = [maxRevocationLists / share, maxBytesOfAll / share];
  const sizes = lists.map((one) => ('der' in one ? one.der.length : (one.list.length * 3) / 4));
  if (lists.length <= most && sizes.reduce((sum, size) => sum + size, 0) <= mostBytes) return;
  throw new GovernanceError(
    'REVOCATION_LIST_LIMIT',
    `${who} at most ${most} lists of ${mostBytes} bytes together`,
  );
}

/** What an entry repeats of its list, so that people need not decode it. */
const factsOf = (list: RevocationList) => ({
  number: String(list.number),
  thisUpdateMs: list.thisUpdateMs,
  nextUpdateMs: list.nextUpdateMs,
  revoked: list.revoked.size,
  list: toBase64(list.der),
});

/** Names that are longer than people read, or unreadable, are left out. */
function nameOf({ der }: Certificate): string {
  try {
    const { commonName } = subjectOf(der);
    return commonName.length <= maxAuthorityName ? commonName : '';
  } catch (error) {
    if (error instanceof CryptoError) return '';
    throw error;
  }
}

/** The lists in force, by issuer. */
export const listRevocationLists = (view: ReadView): RevocationListEntry[] =>
  Array.from(readRows(view, tables.revocationLists), ([, row]) => row);

/** Reads one entry as a constitution has it; whose list it is was judged when it was voted. */
export function readRevocationListEntry(field: Field): RevocationListEntry {
  field.only(entryProperties);
  const list = readList(field.at('list'));
  return {
    issuer: field.at('issuer').hex(32),
    actorId: toActorId(field.at('actorId').hex(32)),
    authority: field.at('authority').text(maxAuthorityName),
    ...factsOf(list),
  };
}

const entryProperties = [
  'issuer',
  'actorId',
  'authority',
  'number',
  'thisUpdateMs',
  'nextUpdateMs',
  'revoked',
  'list',
] as const;

/** Serial numbers an authority's list has, until when it is fresh, and of whom it is. */
interface Revocations {
  readonly nextUpdateMs: number;
  readonly list: RevocationList;
}

const byConstitution = new WeakMap<readonly RevocationListEntry[], Map<string, Revocations>>();
/** Lists read, by their base64: most stay when the constitution changes. */
const read = new Map<string, RevocationList>();

function revocationsOf(entries: readonly RevocationListEntry[]): Map<string, Revocations> {
  const known = byConstitution.get(entries);
  if (known !== undefined) return known;
  if (read.size > 2 * maxRevocationLists) read.clear();
  const made = new Map(
    entries.map(({ issuer, list, nextUpdateMs }) => [
      issuer,
      { nextUpdateMs, list: readOnce(list) },
    ]),
  );
  byConstitution.set(entries, made);
  return made;
}

function readOnce(base64: string): RevocationList {
  const known = read.get(base64);
  if (known !== undefined) return known;
  const der = fromBase64(base64);
  assert(der !== undefined, 'a revocation list that is none was let in');
  const list = parseRevocationList(der);
  read.set(base64, list);
  return list;
}

/** What of a constitution says what is revoked. */
export type RevocationTerms = Partial<Pick<Constitution, 'revocationLists'>> & {
  readonly policies?: Partial<Pick<Constitution['policies'], 'overdueRevocationLists'>>;
};

/**
 * What to ask of each link of a chain: whether its authority's list in force names it. One that is
 * overdue and does not name it says nothing, or under the policy `refuse` that it cannot tell.
 */
export function revocationCheck(terms: RevocationTerms, atMs: number): RevocationCheck {
  const lists = revocationsOf(terms.revocationLists ?? none);
  const refusesOverdue = terms.policies?.overdueRevocationLists === 'refuse';
  return ({ serial }, authority) => {
    const found = lists.size > 0 ? lists.get(issuerIdOf(authority)) : undefined;
    if (found === undefined) return undefined;
    if (found.list.revoked.has(serialText(serial))) return 'REVOKED';
    return refusesOverdue && atMs > found.nextUpdateMs ? 'REVOCATION_UNKNOWN' : undefined;
  };
}

const none: readonly RevocationListEntry[] = [];

/**
 * Whether a list in force names a certificate of an actor's people, where its chain is not at hand: by
 * the issuer's name, its key's id where both have one, and the serial number. Only lists that were
 * voted as this actor's, or are of one of its certificates, count: names and key ids are for any
 * authority to choose, and another's would revoke whom it likes.
 * @throws CryptoError INVALID_CERTIFICATE
 */
export function isListedAsRevoked(
  terms: RevocationTerms,
  actor: Actor,
  certificateDer: Uint8Array,
): boolean {
  const lists = revocationsOf(terms.revocationLists ?? none);
  if (lists.size === 0) return false;
  const { issuer, authorityKeyId, serial } = parseCertificate(certificateDer);
  const roots = new Set(certificatesOf(actor).map(({ der }) => issuerIdOf(parseCertificate(der))));
  return (terms.revocationLists ?? none).some((entry) => {
    if (entry.actorId !== actor.actorId && !roots.has(entry.issuer)) return false;
    const { list } = lists.get(entry.issuer) as Revocations;
    const [a, b] = [list.authorityKeyId, authorityKeyId];
    const isSameKey = a === undefined || b === undefined || equalBytes(a, b);
    return isSameKey && equalBytes(list.issuer, issuer) && list.revoked.has(serialText(serial));
  });
}

/** Serial numbers on the lists that are in force and were not before. */
export function revokedSerials(now: RevocationTerms, before: RevocationTerms): ReadonlySet<string> {
  const old = new Set((before.revocationLists ?? none).map(({ list }) => list));
  const fresh = (now.revocationLists ?? none).filter(({ list }) => !old.has(list));
  return new Set(fresh.flatMap(({ list }) => [...readOnce(list).revoked]));
}
