import { DerReader, derTags } from './der.ts';
import { comparableName, readName, readText } from './distinguished-name.ts';
import { CryptoError } from './errors.ts';
import { type GeneralName, readGeneralName } from './general-name.ts';

/** Subtrees in which names below an authority must lie, and must not (RFC 5280, section 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
  /** It has subtrees of forms, or with bounds, that are not judged here. */
  readonly hasUnsupported: boolean;
}

/** What of a certificate the constraints are about. */
export interface NamedCertificate {
  /** Name, whole encoding. */
  readonly subject: Uint8Array;
  readonly alternativeNames: readonly GeneralName[];
}

const emailAddress = '1.2.840.113549.1.9.1';
const bad = (why: string): CryptoError => new CryptoError('INVALID_CERTIFICATE', why);
/** Each name below is compared with each subtree. */
const maxSubtrees = 256;

/** Reads the extension's value. @throws CryptoError INVALID_CERTIFICATE */
export function readNameConstraints(value: Uint8Array): NameConstraints {
  const outer = new DerReader(value);
  const body = outer.enter(derTags.sequence);
  outer.end();
  const [permitted, excluded] = [readSubtrees(body, 0xa0), readSubtrees(body, 0xa1)];
  body.end();
  if (permitted === undefined && excluded === undefined) throw bad('name constraints without any');
  const all = [...(permitted ?? []), ...(excluded ?? [])];
  if (all.length > maxSubtrees) throw bad(`more than ${maxSubtrees} name constraints`);
  const judged = (names: typeof permitted = []): GeneralName[] =>
    names.filter(isJudged).map(({ base }) => base);
  return {
    permitted: judged(permitted),
    excluded: judged(excluded),
    hasUnsupported: !all.every(isJudged),
  };
}

interface Subtree {
  readonly base: GeneralName;
  /** It has a minimum or maximum, which RFC 5280 has no use for. */
  readonly bounded: boolean;
}

const isJudged = ({ base, bounded }: Subtree): boolean => base.form !== 'other' && !bounded;

function readSubtrees(body: DerReader, tag: number): Subtree[] | undefined {
  const node = body.readOptional(tag);
  if (node === undefined) return undefined;
  const list = new DerReader(node.content);
  const subtrees: Subtree[] = [];
  while (!list.done) {
    const subtree = list.enter(derTags.sequence);
    const base = readGeneralName(subtree.read());
    const bounded = [subtree.readOptional(0x80), subtree.readOptional(0x81)].some(Boolean);
    subtree.end();
    if (base.form === 'ip' && base.bytes.length !== 8 && base.bytes.length !== 32) {
      throw bad('an IP constraint is neither 8 nor 32 bytes');
    }
    subtrees.push({ base, bounded });
  }
  if (subtrees.length === 0) throw bad('an empty list of name constraints');
  return subtrees;
}

/**
 * Whether every name of a certificate is allowed: in no excluded subtree and, where there are
 * permitted ones of its form, in one of them (RFC 5280, section 6.1.3 (b), (c)). Its names are the
 * subject, the alternative names, and the subject's mail addresses when no alternative name is one.
 */
export function allowsNames(constraints: NameConstraints, certificate: NamedCertificate): boolean {
  const [permitted, excluded] = [grouped(constraints.permitted), grouped(constraints.excluded)];
  return namesOf(certificate)
    .map(comparable)
    .every((name) => {
      const [within, without] = [permitted.get(name.form), excluded.get(name.form)];
      if (without?.some((base) => isWithin(name, base, 'excluded'))) return false;
      return within === undefined || within.some((base) => isWithin(name, base, 'permitted'));
    });
}

/** A name made ready to be compared with many. */
type Comparable =
  | Exclude<GeneralName, { form: 'directory' }>
  | { readonly form: 'directory'; readonly parts: readonly string[] };

type Grouped = ReadonlyMap<GeneralName['form'], readonly Comparable[]>;

const grouped = (bases: readonly GeneralName[]): Grouped =>
  Map.groupBy(bases.map(comparable), ({ form }) => form);

const comparable = (name: GeneralName): Comparable =>
  name.form === 'directory' ? { form: 'directory', parts: comparableName(name.name) } : name;

function namesOf({ subject, alternativeNames }: NamedCertificate): readonly GeneralName[] {
  const relatives = readName(subject);
  const names = [...alternativeNames];
  if (relatives.length > 0) names.push({ form: 'directory', name: subject });
  if (names.some(({ form }) => form === 'email')) return names;
  for (const { oid, value } of relatives.flat()) {
    if (oid === emailAddress) names.push({ form: 'email', text: readText(value) });
  }
  return names;
}

type Purpose = 'permitted' | 'excluded';

function isWithin(name: Comparable, base: Comparable, purpose: Purpose): boolean {
  if (name.form === 'directory' && base.form === 'directory') {
    const { parts } = base;
    return parts.length <= name.parts.length && parts.every((part, at) => part === name.parts[at]);
  }
  if (name.form === 'ip' && base.form === 'ip') return isInNetwork(name.bytes, base.bytes);
  if (!('text' in name) || !('text' in base) || name.form !== base.form) return false;
  const [text, within] = [name.text, base.text.toLowerCase()];
  if (name.form === 'dns') return isDnsWithin(text.toLowerCase(), within, purpose);
  if (name.form === 'email') return isMailWithin(text, base.text);
  return isUriWithin(text, within, purpose);
}

function isDnsWithin(text: string, within: string, purpose: Purpose): boolean {
  const base = within.startsWith('.') ? within.slice(1) : within;
  if (base === '') return true;
  if (text.endsWith(`.${base}`) || (text === base && !within.startsWith('.'))) return true;
  // A wildcard stands for names in the excluded subtree as well as for others.
  return purpose === 'excluded' && text.startsWith('*.') && base.endsWith(text.slice(1));
}

/** The host part counts whatever its case; the part before it is compared as it is. */
function isMailWithin(text: string, base: string): boolean {
  const at = text.lastIndexOf('@');
  const [local, host] = [text.slice(0, at), text.slice(at + 1).toLowerCase()];
  const baseAt = base.lastIndexOf('@');
  if (baseAt >= 0) {
    return local === base.slice(0, baseAt) && host === base.slice(baseAt + 1).toLowerCase();
  }
  return isHostWithin(host, base.toLowerCase());
}

/** A leading dot means hosts below the domain; without one, that host alone. */
const isHostWithin = (host: string, base: string): boolean =>
  base.startsWith('.') ? host.endsWith(base) && host.length > base.length : host === base;

/**
 * RFC 5280: a URI without a host that is a name is refused where URIs are constrained, so it counts
 * as within what is excluded, and as outside what is permitted.
 */
function isUriWithin(text: string, base: string, purpose: Purpose): boolean {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(text)?.[1] ?? '';
  const host = authority.replace(/^.*@/, '').replace(/:\d*$/, '').toLowerCase();
  const isName = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(host) && !/^[\d.]+$/.test(host);
  return isName ? isHostWithin(host, base) : purpose === 'excluded';
}

function isInNetwork(address: Uint8Array, network: Uint8Array): boolean {
  if (network.length !== 2 * address.length) return false;
  return address.every((byte, at) => {
    const mask = network[address.length + at] as number;
    return (byte & mask) === ((network[at] as number) & mask);
  });
}
