import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { transactionIdHeader } from '@concordat/api';

/** Who may use the gateway from a browser, and by what names it is reached. */
export interface DoorOptions {
  /**
   * Origins of web pages beside those of this machine and of browser extensions, for example
   * `https://app.example`; without `ownOrigin` `*` lets in every page, which lets every page act as the
   * participant.
   */
  readonly allowedOrigins?: readonly string[];
  /** Host names beside the loopback ones by which clients reach the gateway. */
  readonly allowedHosts?: readonly string[];
  /**
   * The gateway's own origin. With one, pages of this machine and extensions are let in only if
   * `allowedOrigins` names them, and allowed pages may send cookies.
   */
  readonly ownOrigin?: string;
}

const loopbackName = /^(?:localhost|(?:[a-z0-9-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const localOrigin =
  /^https?:\/\/(?:localhost|(?:[a-z0-9-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/;
const extensionOrigin = /^(?:chrome|moz|safari-web|ms-browser)-extension:\/\/[A-Za-z0-9-]+$/;

/**
 * Keeps foreign web pages out: the gateway acts as a participant for whoever gets a request
 * through, and every page a browser shows can send requests to this machine.
 */
export class DoorGuard {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;
  readonly #isOwn: boolean;

  constructor({ allowedOrigins = [], allowedHosts = [], ownOrigin }: DoorOptions) {
    this.#isOwn = ownOrigin !== undefined;
    const origins = ownOrigin === undefined ? allowedOrigins : [ownOrigin, ...allowedOrigins];
    this.#origins = new Set(origins.map((origin) => origin.toLowerCase()));
    this.#hosts = new Set(allowedHosts.map((host) => host.toLowerCase()));
  }

  /** Why a request is refused; undefined when it may pass. */
  refusal(headers: IncomingHttpHeaders): string | undefined {
    // A page whose own name was made to point here (DNS rebinding) still sends that name.
    if (!this.#isOwnName(headers.host ?? '')) {
      return 'the Host header names another machine; allow it with allowedHosts';
    }
    const { origin } = headers;
    if (origin === undefined || this.#isAllowedOrigin(origin)) return undefined;
    return 'web pages of this origin may not use the gateway; allow it with allowedOrigins';
  }

  #isOwnName(host: string): boolean {
    const name = host
      .toLowerCase()
      .replace(/:\d{1,5}$/, '')
      .replace(/\.$/, '');
    return isLoopback(name) || this.#hosts.has(name);
  }

  #isAllowedOrigin(origin: string): boolean {
    const text = origin.toLowerCase();
    if (this.#origins.has(text)) return true;
    if (this.#isOwn) return false;
    return this.#origins.has('*') || localOrigin.test(text) || extensionOrigin.test(text);
  }

  /** What lets the page that asked read the answer (Fetch Standard, CORS protocol). */
  answerHeaders({ origin }: IncomingHttpHeaders): OutgoingHttpHeaders {
    if (origin === undefined) return {};
    return {
      'access-control-allow-origin': origin,
      ...(this.#isOwn && { 'access-control-allow-credentials': 'true' }),
      'access-control-expose-headers': `${transactionIdHeader}, retry-after`,
      vary: 'Origin',
    };
  }

  /** The answer to a browser that asks before it sends (a preflight). */
  preflightHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
    return {
      ...this.answerHeaders(headers),
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': headers['access-control-request-headers'] ?? 'content-type',
      'access-control-max-age': '600',
      ...(headers['access-control-request-private-network'] === 'true' && {
        'access-control-allow-private-network': 'true',
      }),
    };
  }
}

/** Whether a host name, in lower case, is of this machine alone; IPv6 in brackets. */
export const isLoopback = (name: string): boolean => loopbackName.test(name);

/** Whether a request is a preflight. */
export const isPreflight = (method: string | undefined, headers: IncomingHttpHeaders): boolean =>
  method === 'OPTIONS' &&
  headers.origin !== undefined &&
  headers['access-control-request-method'] !== undefined;
