import { CryptoError, certificateFingerprint, fromPem, subjectOf } from '@concordat/crypto';
import type { Constitution } from '@concordat/governance';
import { isHex64 } from '@concordat/std';
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
      ([key, item]) => `${inLine(key)} ${this.#nested(item)}`,
    );
    return parts.join(', ') || '-';
  }

  #nested(value: unknown): string {
    const text = this.text(value);
    return typeof value === 'object' && value !== null ? `(${text})` : text;
  }

  #string(value: string): string {
    if (value.includes('-----BEGIN CERTIFICATE')) return certificateText(value);
    const name = this.#names.get(value);
    if (name !== undefined) return `${name} (${short(value)})`;
    // A measurement is compared by people: it stays whole.
    if (value.length <= maxText || isHex(value)) return value;
    return `${value.slice(0, maxText)}… (${value.length} characters)`;
  }
}

const isHex = (text: string): boolean => isHex64(text);

/** A certificate by its name and the digest people compare. */
function certificateText(pem: string): string {
  try {
    const [der] = fromPem(pem);
    if (der) return `certificate of "${subjectOf(der).commonName}", ${certificateFingerprint(der)}`;
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
  }
  return 'certificate that cannot be read';
}
