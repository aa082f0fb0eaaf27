const maxPathBytes = 4_096;
/** Printable ASCII that a path may carry unescaped, and whole percent escapes (RFC 3986, 3.3). */
const pathForm = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$/;
/** A dot segment, its dots escaped or not (RFC 3986, 5.2.4; URL Standard). */
const dotSegment = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i;

/** A request target, cut at its query. */
export interface Target {
  /** Percent-encoding untouched. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/**
 * Reads a request target of origin form and refuses what routers disagree about: absolute and
 * authority form, backslashes, dot segments in any spelling, empty segments, an escaped NUL.
 * Undefined when it is refused.
 */
export function readTarget(target: string): Target | undefined {
  if (target.length > maxPathBytes * 4) return undefined;
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (path.length > maxPathBytes || !pathForm.test(path)) return undefined;
  if (dotSegment.test(path) || path.includes('//') || /%00/.test(path)) return undefined;
  if (target.includes('#')) return undefined;
  return { path, query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)) };
}

/** Whether raw headers (name, value, name, value, ...) name a header more than once. */
export function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let seen = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === name) seen += 1;
  }
  return seen > 1;
}
