import {
  CryptoError,
  certificateFingerprint,
  fromPem,
  sha256,
  subjectOf,
  toPem,
} from '@concordat/crypto';
import type { Constitution } from '@concordat/governance';
import { isHex64, toHex, utf8 } from '@concordat/std';
import { inLine } from './output.ts';
import { short } from './sandbox/node-tuple.ts';

/** Texts longer than this are told by their beginning. */
const maxText = 64;

/** Names for the ids of a constitution: actors and nodes as people call them. */
export class Names {
  readonly #names: ReadonlyMap<string, string>;

  constructor(constitution?: Pick<Constitution, 'actors' | 'nodes'>) {
    const { actors = [], nodes = [] } = constitution ?? {};
    this.#names = new Map([
      ...actors.map(({ actorId, name }) => [actorId as string, name] as const),
      ...nodes.map(({ nodeId, name }) => [nodeId as string, name] as const),
    ]);
  }

  /** The name of an id, else the beginning of one; other words stay as they are. */
  of(id: string): string {
    return inLine(this.#names.get(id) ?? (isHex64(id) ? short(id) : id));
  }

  /** A JSON value in one line. */
  text(value: unknown): string {
    if (typeof value === 'string') return inLine(this.#string(value));
    if (Array.isArray(value)) return value.map((item) => this.text(item)).join(', ') || '-';
    if (typeof value !== 'object' || value === null) return String(value);
    const parts = Object.entries(value).map(
      ([key, item]) => `${inLine(asWord(key))} ${this.#nested(item)}`,
    );
    return parts.join(', ') || '-';
  }

  #nested(value: unknown): string {
    const text = this.text(value);
    return typeof value === 'object' && value !== null ? `(${text})` : text;
  }

  #string(value: string): string {
    const certificate = certificateText(value);
    if (certificate !== undefined) return certificate;
    const name = this.#names.get(value);
    if (name !== undefined) return `${asWord(name)} (${short(value)})`;
    // A measurement is compared by people: it stays whole.
    if (value.length <= maxText || isHex(value)) return asWord(value);
    // Two keys begin alike, and what somebody is to sign may: what is left out has a digest.
    const digest = toHex(sha256(utf8(value)));
    return `${asWord(value.slice(0, maxText))}… (${value.length} characters, SHA-256 ${digest})`;
  }
}

const isHex = (text: string): boolean => isHex64(text);

/** What a text would need to look like more than one, or like none. */
const misleading = /[,()"…\p{C}\p{Zl}\p{Zp}]|^\s|\s$|\s{2}|^-?$/u;
const unseen = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** A text of others as it is where it has one reading, else between quotes, with what is not seen escaped. */
function asWord(text: string): string {
  if (!misleading.test(text)) return text;
  return JSON.stringify(text).replace(unseen, escaped);
}

const escaped = (character: string): string =>
  `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;

/** A certificate by its name and the digest people compare; undefined of what is not exactly one. */
function certificateText(pem: string): string | undefined {
  if (!pem.startsWith('-----BEGIN CERTIFICATE-----')) return undefined;
  try {
    const [der, ...others] = fromPem(pem);
    if (!der || others.length > 0 || toPem(der).trim() !== pem.trim()) return undefined;
    const { commonName } = subjectOf(der);
    return `certificate of ${JSON.stringify(commonName).replace(unseen, escaped)}, ${certificateFingerprint(der)}`;
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}
