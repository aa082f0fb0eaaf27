/** Who may use a path: anybody, whoever is signed in, or who has one of these roles. */
export type PathAccess = 'open' | 'signed-in' | readonly string[];

/** A rule for paths. */
export interface PathRule {
  /**
   * Path whose last segment may be `*`, for everything below, and any segment `{name}`, for whatever
   * stands there. A leading `/app` counts for nothing, as nodes have it.
   */
  readonly path: string;
  /** Methods it is for, `WEBSOCKET` among them; default: all. HEAD goes with GET. */
  readonly methods?: readonly string[];
  readonly access: PathAccess;
}

/** Methods a rule may name. */
export const ruleMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'WEBSOCKET'] as const;

const maxPathBytes = 4_096;
const maxSegments = 32;
/** What nodes take (RFC 3986, 3.3), so that both sides read a path alike. */
const pathForm = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$/;
/** An escaped letter, digit, `-`, `.`, `_` or `~`, which needs none (RFC 3986, 2.3): nodes tell the two apart. */
const needlessEscape = /%(?:2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/i;

/** Finds the rule of a request: the first that is for its path and method. */
export class AccessRules {
  readonly #rules: readonly {
    readonly segments: readonly string[];
    readonly isOpenEnded: boolean;
    readonly methods: ReadonlySet<string> | undefined;
    readonly access: PathAccess;
  }[];

  constructor(rules: readonly PathRule[]) {
    this.#rules = rules.map(({ path, methods, access }) => {
      const segments = ruleSegments(path) ?? [];
      const isOpenEnded = segments.at(-1) === '*';
      return {
        segments: isOpenEnded ? segments.slice(0, -1) : segments,
        isOpenEnded,
        methods: methods && new Set(methods),
        access,
      };
    });
  }

  /**
   * Who may ask; undefined when no rule is for it.
   * @param segments from {@link segmentsOf}
   * @param method `WEBSOCKET` for the handshake of one
   */
  accessTo(segments: readonly string[], method: string): PathAccess | undefined {
    const named = method === 'HEAD' ? 'GET' : method;
    return this.#rules.find(
      (rule) =>
        (rule.methods?.has(named) ?? true) &&
        (rule.isOpenEnded
          ? segments.length > rule.segments.length
          : segments.length === rule.segments.length) &&
        rule.segments.every((text, at) => isParameter(text) || text === segments[at]),
    )?.access;
  }
}

const isParameter = (text: string): boolean => /^\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(text);

/**
 * The segments of a path, each percent-decoded, without a leading `app`; undefined for a path that
 * nodes refuse, or that could be read in two ways: dot segments, empty ones, letters that are escaped,
 * what is no UTF-8.
 */
export function segmentsOf(path: string): readonly string[] | undefined {
  if (path.length > maxPathBytes || !pathForm.test(path) || needlessEscape.test(path)) {
    return undefined;
  }
  const texts = path.slice(1).split('/');
  if (texts.length > maxSegments) return undefined;
  const segments: string[] = [];
  for (const text of texts) {
    const segment = decoded(text);
    const isStrange = segment === undefined || segment === '.' || segment === '..';
    if (isStrange || segment.includes('\0')) return undefined;
    segments.push(segment);
  }
  // A path may end with a slash; two in a row are refused.
  if (segments.slice(0, -1).includes('')) return undefined;
  return segments[0] === 'app' && segments.length > 1 ? segments.slice(1) : segments;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Braces are no part of a path; decoding brings them back. */
const ruleSegments = (path: string): readonly string[] | undefined =>
  segmentsOf(path.replaceAll('{', '%7B').replaceAll('}', '%7D'));

/** Why a rule's path is none; undefined when it is one. */
export function pathFault(path: string): string | undefined {
  if (!path.startsWith('/') || /[?#\s]/.test(path)) return 'is a path that begins with /';
  const segments = ruleSegments(path);
  if (segments === undefined)
    return 'has dot segments, empty ones, escaped letters, or is not percent-encoded';
  if (segments.slice(0, -1).includes('*')) return '* stands for the rest of a path, at its end';
  const odd = segments.find((text) => /[{}*]/.test(text) && text !== '*' && !isParameter(text));
  return odd === undefined ? undefined : `the segment ${odd} is neither fixed, {name} nor *`;
}
