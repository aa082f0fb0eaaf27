import { isDeepStrictEqual } from 'node:util';
import type { Names } from './constitution-names.ts';
import { inLine } from './output.ts';
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

/** What identifies the entries of a list: the first that tells all of them apart. */
const identities = [
  'nodeId',
  'actorId',
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
  const members = membersOf(before, after);
  if (!members) {
    return [
      {
        path,
        ...(before !== undefined && { before }),
        ...(after !== undefined && { after }),
      },
    ];
  }
  const [old, now] = members;
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  const own = (of: Members, name: string) => (Object.hasOwn(of, name) ? of[name] : undefined);
  return names.flatMap((name) => changesBetween(own(old, name), own(now, name), [...path, name]));
}

/**
 * The parts of two objects, or of two lists by what identifies their entries; undefined of other values,
 * which are compared as a whole.
 */
function membersOf(before: unknown, after: unknown): readonly [Members, Members] | undefined {
  if (Array.isArray(before) && Array.isArray(after)) {
    for (const identity of identities) {
      const [old, now] = [byIdentity(before, identity), byIdentity(after, identity)];
      if (old && now) return [old, now];
    }
    return undefined;
  }
  const isObject = (value: unknown): value is Members =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject(before) && isObject(after) ? [before, after] : undefined;
}

function byIdentity(list: readonly unknown[], identity: string): Members | undefined {
  const members: Record<string, unknown> = Object.create(null);
  for (const entry of list) {
    const id = (entry as Members | null)?.[identity];
    if (typeof id !== 'string' || id in members) return undefined;
    members[id] = entry;
  }
  return members;
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
    : members.map(([name, item]) => `${inLine(name).padEnd(width)}  ${names.text(item)}`);
}
