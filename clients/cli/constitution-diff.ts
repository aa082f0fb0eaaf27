import { isDeepStrictEqual } from 'node:util';
import type { Names } from './constitution-names.ts';
import { paint, type Terminal } from './terminal.ts';

/** One difference between two constitutions. */
export interface Change {
  /** Where: the part, then what identifies an entry of a list, then its property. */
  readonly path: readonly string[];
  /** Absent when it is new. */
  readonly before?: unknown;
  /** Absent when it is gone. */
  readonly after?: unknown;
}

/** What identifies an entry of a list, the first that it has. */
const identities = [
  'actorId',
  'nodeId',
  'measurement',
  'platform',
  'adapter',
  'issuer',
  'kid',
  'id',
  'name',
] as const;

type Members = Readonly<Record<string, unknown>>;

/**
 * Every difference between two JSON values, of whatever constitution they are: lists whose entries have
 * an identity are compared entry by entry, other lists as a whole.
 */
export function changesBetween(
  before: unknown,
  after: unknown,
  path: readonly string[] = [],
): Change[] {
  if (isDeepStrictEqual(before, after)) return [];
  const [old, now] = [membersOf(before), membersOf(after)];
  if (!old || !now) {
    return [
      {
        path,
        ...(before !== undefined && { before }),
        ...(after !== undefined && { after }),
      },
    ];
  }
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  const own = (members: Members, name: string) =>
    Object.hasOwn(members, name) ? members[name] : undefined;
  return names.flatMap((name) => changesBetween(own(old, name), own(now, name), [...path, name]));
}

/** The parts of an object, or of a list by the identities of its entries; undefined of other values. */
function membersOf(value: unknown): Members | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) return value as Members;
  const members: Record<string, unknown> = Object.create(null);
  for (const entry of value) {
    const id = identityOf(entry);
    if (id === undefined || id in members) return undefined;
    members[id] = entry;
  }
  return members;
}

function identityOf(entry: unknown): string | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  for (const name of identities) {
    const id = (entry as Members)[name];
    if (typeof id === 'string') return id;
  }
  return undefined;
}

/** The differences for people: `+` new, `-` gone, `~` changed. */
export function changesText(
  terminal: Terminal,
  changes: readonly Change[],
  names: Names,
): string[] {
  if (changes.length === 0) return ['  no change'];
  return changes.flatMap(({ path, before, after }) => {
    const place = path.map((part) => names.of(part)).join(' › ');
    if (before !== undefined && after !== undefined) {
      const [old, now] = [names.text(before), names.text(after)];
      return [paint(terminal, 'yellow', `~ ${place}: ${old} → ${now}`)];
    }
    const isNew = before === undefined;
    const style = isNew ? 'green' : 'red';
    const lines = entryLines(isNew ? after : before, names);
    const [only] = lines;
    const head = `${isNew ? '+' : '-'} ${place}`;
    if (lines.length === 1) return [paint(terminal, style, `${head}: ${only}`)];
    return [head, ...lines.map((line) => `    ${line}`)].map((line) =>
      paint(terminal, style, line),
    );
  });
}

/** A value that came or went: an object property by property. */
function entryLines(value: unknown, names: Names): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [names.text(value)];
  }
  const members = Object.entries(value);
  const width = Math.max(0, ...members.map(([name]) => name.length));
  return members.length === 0
    ? ['-']
    : members.map(([name, item]) => `${name.padEnd(width)}  ${names.text(item)}`);
}
