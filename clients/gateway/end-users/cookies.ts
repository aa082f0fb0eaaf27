/** How long cookie headers are read at most. */
const maxHeaderLength = 16_384;

/**
 * The value of a cookie (RFC 6265, 5.4); undefined when it is not there, or twice: of two, one was put
 * beside the other by somebody else.
 */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  if (header === undefined || header.length > maxHeaderLength) return undefined;
  const values: string[] = [];
  for (const pair of header.split(';')) {
    const mark = pair.indexOf('=');
    if (mark > 0 && pair.slice(0, mark).trim() === name) values.push(pair.slice(mark + 1).trim());
  }
  return values.length === 1 ? values[0] : undefined;
}

/** A cookie of this gateway. */
export interface CookieOptions {
  /** Whether browsers reach the gateway by https. */
  readonly isSecure: boolean;
  /** Seconds until the browser forgets it; 0 makes it do so at once. */
  readonly maxAgeSeconds: number;
}

/** The name under which it is kept: with https, one that no other host can set (`__Host-`). */
export const cookieName = (name: string, isSecure: boolean): string =>
  isSecure ? `__Host-${name}` : name;

/** A `set-cookie` header: not for scripts, not for other sites' requests but links. */
export const setCookie = (
  name: string,
  value: string,
  { isSecure, maxAgeSeconds }: CookieOptions,
): string =>
  `${cookieName(name, isSecure)}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax` +
  (isSecure ? '; Secure' : '');
