import type { IncomingHttpHeaders } from 'node:http';

/** Header that pages without `Origin` prove themselves by: no form and no image can send it; lower case. */
export const ownRequestHeader = 'concordat-session';

/**
 * Whether a request that carries a session's cookie may come from a page that is none of the gateway's.
 * Origins that are not allowed never get here: the door refuses them.
 * @param isSafe whether the method promises to change nothing; not for WebSockets
 */
export function isCrossSite(headers: IncomingHttpHeaders, isSafe: boolean): boolean {
  if (headers.origin !== undefined || headers[ownRequestHeader] !== undefined) return false;
  if (!isSafe) return true;
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  // Fetch Metadata: a link may lead here; an image, a script or a frame of another site may not.
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document';
}
