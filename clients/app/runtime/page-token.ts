import { fromBase64Url, toBase64Url } from './base64.ts';
import { AppFailure } from './failure.ts';
import type { Platform, RawRange } from './platform.ts';
import { encodeUtf8 } from './utf8.ts';

const version = 1;
const checkBytes = 16;
/** Begins what a token's check is made of. */
const label = 'concordat-page-token/1';

/** What a token belongs to. */
export interface TokenScope {
  readonly table: string;
  readonly range: RawRange;
  readonly binding: string;
}

type Digest = Pick<Platform, 'digest'>;

/**
 * Where a page ended: base64url of u8 version | 16 bytes of check | key. The check is SHA-256 over
 * the query and the key: a token that was altered, or belongs to another query, is recognised. It
 * is no secret: who makes one of his own begins elsewhere in the range he may read anyway.
 */
export function createPageToken(last: Uint8Array, scope: TokenScope, platform: Digest): string {
  const bytes = new Uint8Array(1 + checkBytes + last.length);
  bytes[0] = version;
  bytes.set(checkOf(last, scope, platform), 1);
  bytes.set(last, 1 + checkBytes);
  return toBase64Url(bytes);
}

/** The key a token names. @throws AppFailure InvalidPageToken */
export function readPageToken(token: string, scope: TokenScope, platform: Digest): Uint8Array {
  const bytes = fromBase64Url(token);
  if (bytes === undefined || bytes.length < 1 + checkBytes || bytes[0] !== version) {
    throw new AppFailure('InvalidPageToken', 400, 'this is no token of a page');
  }
  const key = bytes.slice(1 + checkBytes);
  const check = checkOf(key, scope, platform);
  if (check.some((byte, at) => byte !== bytes[1 + at])) {
    throw new AppFailure('InvalidPageToken', 400, 'the token belongs to another query');
  }
  return key;
}

function checkOf(key: Uint8Array, scope: TokenScope, platform: Digest): Uint8Array {
  const { prefix, from, to, reverse = false } = scope.range;
  const parts = [
    encodeUtf8(label),
    encodeUtf8(scope.table),
    encodeUtf8(scope.binding),
    Uint8Array.of(reverse ? 1 : 0),
    ...[prefix, from, to].flatMap((bound) => [
      Uint8Array.of(bound === undefined ? 0 : 1),
      bound ?? new Uint8Array(0),
    ]),
    key,
  ];
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(all.buffer);
  let at = 0;
  for (const part of parts) {
    // Each part with its length before it: no two queries give the same bytes.
    view.setUint32(at, part.length);
    all.set(part, at + 4);
    at += 4 + part.length;
  }
  return platform.digest(all).subarray(0, checkBytes);
}
