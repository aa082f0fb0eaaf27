import { isEncryptionPublicKey, isSigningPublicKey } from '@concordat/crypto';
import { fromHex } from '@concordat/std';
import { GovernanceError, type GovernanceErrorCode } from './errors.ts';

/** Text a person reads: 1-64 characters, none of them invisible, no space at either end. */
const printable = /^(?! )[^\p{C}\p{Zl}\p{Zp}]{1,64}(?<! )$/u;
const endpoint = /^(?:\[[0-9a-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})):([1-9]\d{0,4})$/;

/**
 * One value inside foreign JSON with the path that leads to it. Every reader returns the checked
 * value or throws a GovernanceError of the given code whose details hold that path.
 */
export class Field {
  readonly value: unknown;
  readonly path: string;
  readonly code: GovernanceErrorCode;

  constructor(value: unknown, path: string, code: GovernanceErrorCode) {
    this.value = value;
    this.path = path;
    this.code = code;
  }

  /** Refuses the value. */
  fail(why: string): never {
    const where = this.path === '' ? 'the document' : this.path;
    throw new GovernanceError(this.code, `${where} ${why}`, { path: this.path });
  }

  #record(): Record<string, unknown> {
    const value = this.value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.fail('must be an object');
    }
    return value as Record<string, unknown>;
  }

  /** The member of that name, absent or not: its reader refuses undefined. */
  at(name: string): Field {
    const record = this.#record();
    const value = Object.hasOwn(record, name) ? record[name] : undefined;
    return new Field(value, this.path === '' ? name : `${this.path}.${name}`, this.code);
  }

  /** The member of that name, or undefined when it is absent. */
  optional(name: string): Field | undefined {
    return Object.hasOwn(this.#record(), name) ? this.at(name) : undefined;
  }

  /** Refuses members of other names. */
  only(names: readonly string[]): this {
    for (const name of Object.keys(this.#record())) {
      if (!names.includes(name)) this.at(name).fail('is not a known property');
    }
    return this;
  }

  /** The members of an object of at most so many. */
  members(max: number): [string, Field][] {
    const names = Object.keys(this.#record());
    if (names.length > max) this.fail(`has more than ${max} properties`);
    return names.map((name) => [name, this.at(name)]);
  }

  /** The items of a list of at most so many. */
  list(max: number): Field[] {
    if (!Array.isArray(this.value)) this.fail('must be a list');
    if (this.value.length > max) this.fail(`has more than ${max} items`);
    return this.value.map((item, i) => new Field(item, `${this.path}[${i}]`, this.code));
  }

  /** Text of at most so many characters. */
  text(max: number): string {
    if (typeof this.value !== 'string') this.fail('must be text');
    if (this.value.length > max) this.fail(`is longer than ${max} characters`);
    return this.value;
  }

  /** A name people read. */
  name(): string {
    const text = this.text(64);
    if (!printable.test(text)) this.fail('must be 1-64 printable characters without outer spaces');
    return text;
  }

  /** A name programs read: lowercase letters, digits, dashes; starts with a letter. */
  identifier(): string {
    const text = this.text(64);
    if (!/^[a-z][a-z0-9_-]*$/.test(text)) this.fail('must be lowercase letters, digits, - or _');
    return text;
  }

  /** Lowercase hex of exactly so many bytes. */
  hex(bytes: number): string {
    const text = this.text(bytes * 2);
    if (text.length !== bytes * 2 || !/^[0-9a-f]*$/.test(text)) {
      this.fail(`must be ${bytes} bytes in lowercase hex`);
    }
    return text;
  }

  /** A P-256 public key as hex DER SPKI, 91 bytes. */
  publicKey(): string {
    const text = this.hex(91);
    if (!isSigningPublicKey(fromHex(text) as Uint8Array)) {
      this.fail('must be a P-256 public key as DER SPKI');
    }
    return text;
  }

  /** An uncompressed P-256 point in hex, 65 bytes. */
  point(): string {
    const text = this.hex(65);
    if (!isEncryptionPublicKey(fromHex(text) as Uint8Array)) {
      this.fail('must be an uncompressed point on P-256');
    }
    return text;
  }

  /** `host:port` with a name, an IPv4 address or an IPv6 address in brackets. */
  endpoint(): string {
    const text = this.text(300);
    const match = endpoint.exec(text);
    if (!match || Number(match[1]) > 65_535) this.fail('must be host:port');
    return text;
  }

  /** A whole number within bounds, both inclusive. */
  integer(bounds: { min: number; max: number }): number {
    const value = this.value;
    if (typeof value !== 'number' || !Number.isInteger(value)) this.fail('must be a whole number');
    if (value < bounds.min || value > bounds.max) {
      this.fail(`must be between ${bounds.min} and ${bounds.max}`);
    }
    // The zero that JSON writes as -0 is written back as 0.
    return value === 0 ? 0 : value;
  }

  /** One of the given texts. */
  oneOf<Choice extends string>(choices: readonly Choice[]): Choice {
    if (!choices.includes(this.value as Choice)) this.fail(`must be one of ${choices.join(', ')}`);
    return this.value as Choice;
  }

  /** True or false. */
  boolean(): boolean {
    if (typeof this.value !== 'boolean') this.fail('must be true or false');
    return this.value;
  }
}
