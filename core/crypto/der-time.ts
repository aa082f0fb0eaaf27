import { utf8 } from '@concordat/std';
import { msOfUtc, utcOfMs } from './calendar.ts';
import { type DerNode, derTags, derValue } from './der.ts';
import { CryptoError } from './errors.ts';

const bad = (why: string): CryptoError => new CryptoError('INVALID_CERTIFICATE', why);

/** 1950-01-01, from which UTCTime reaches. */
const earliestMs = -631_152_000_000;
/** 10000-01-01, which GeneralizedTime cannot write. */
const beyondMs = 253_402_300_800_000;

/**
 * UTCTime or GeneralizedTime as RFC 5280, section 4.1.2.5, allows them: seconds, and Z.
 * @returns ms since the Unix epoch
 * @throws CryptoError INVALID_CERTIFICATE
 */
export function readTime(node: DerNode): number {
  const text = node.content.toString('latin1');
  const short = node.tag === derTags.utcTime;
  if (!short && node.tag !== derTags.generalizedTime) throw bad('not a time');
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (match === null || (match[1] as string).length !== (short ? 2 : 4)) throw bad('time form');
  const [given = 0, month = 0, ...rest] = match.slice(1).map(Number);
  const year = short ? given + (given < 50 ? 2000 : 1900) : given;
  const [day = 0, hour = 0, minute = 0, second = 0] = rest;
  const ms = msOfUtc({ year, month, day, hour, minute, second });
  if (ms === undefined) throw bad('no such time');
  return ms;
}

/**
 * UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280, section 4.1.2.5).
 * @param ms since the Unix epoch; cut to whole seconds
 * @throws CryptoError INVALID_REQUEST outside the years 1950-9999
 */
export function encodeTime(ms: number): Uint8Array {
  if (!(ms >= earliestMs && ms < beyondMs)) {
    throw new CryptoError('INVALID_REQUEST', 'time outside the years 1950-9999');
  }
  const { year, month, day, hour, minute, second } = utcOfMs(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const tail = [month, day, hour, minute, second].map(two).join('');
  return year < 2050
    ? derValue(derTags.utcTime, utf8(`${two(year % 100)}${tail}Z`))
    : derValue(derTags.generalizedTime, utf8(`${year}${tail}Z`));
}
