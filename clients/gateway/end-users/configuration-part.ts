import { GatewayError } from '../errors.ts';

/** Bounds of a number, both included. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** A value of a configuration file with its path, so that each refusal says where. */
export class ConfigurationPart {
  /** As in `providers.entra.browsers.scopes[1]`; empty for the whole. */
  readonly path: string;
  readonly #value: unknown;

  constructor(value: unknown, path = '') {
    this.#value = value;
    this.path = path;
  }

  get isAbsent(): boolean {
    return this.#value === undefined;
  }

  /** @throws GatewayError INVALID_CONFIGURATION */
  fail(why: string): never {
    const message = `${this.path === '' ? 'the configuration' : this.path}: ${why}`;
    throw new GatewayError('INVALID_CONFIGURATION', message, { path: this.path });
  }

  /** The value by `read`, or `other` when it is absent. */
  or<T, O>(other: O, read: (part: ConfigurationPart) => T): T | O {
    return this.isAbsent ? other : read(this);
  }

  /** Members of an object that has no others. */
  members<const N extends string>(names: readonly N[]): Readonly<Record<N, ConfigurationPart>> {
    const entries = this.#object();
    for (const name of entries.keys()) {
      if (!(names as readonly string[]).includes(name)) {
        this.#at(name).fail(`is not known; there are ${names.join(', ')}`);
      }
    }
    const parts = names.map((name) => [
      name,
      new ConfigurationPart(entries.get(name), this.#path(name)),
    ]);
    return Object.fromEntries(parts) as Readonly<Record<N, ConfigurationPart>>;
  }

  /** Members of an object whose names are free. */
  entries({ min, max }: Bounds): readonly (readonly [string, ConfigurationPart])[] {
    const entries = [...this.#object()];
    if (entries.length < min || entries.length > max) this.fail(`has ${min} to ${max} members`);
    return entries.map(([name, value]) => [name, new ConfigurationPart(value, this.#path(name))]);
  }

  /** Items of a list. */
  items({ min, max }: Bounds): readonly ConfigurationPart[] {
    const list = this.#value;
    if (!Array.isArray(list)) this.fail('must be a list');
    if (list.length < min || list.length > max) this.fail(`has ${min} to ${max} items`);
    return list.map((item, at) => new ConfigurationPart(item, `${this.path}[${at}]`));
  }

  /** A list of texts, none twice. */
  texts(bounds: Bounds): readonly string[] {
    const texts = this.items(bounds).map((item) => item.text());
    if (new Set(texts).size !== texts.length) this.fail('an item stands twice');
    return texts;
  }

  /** 1 to 2,048 characters. */
  text(): string {
    const value = this.#value;
    if (value === undefined) this.fail('is missing');
    if (typeof value !== 'string' || value === '' || value.length > 2_048) {
      this.fail('must be a text of 1 to 2,048 characters');
    }
    return value;
  }

  oneOf<const T extends string>(values: readonly T[]): T {
    const text = this.text();
    const found = values.find((value) => value === text);
    return found ?? this.fail(`must be one of ${values.join(', ')}`);
  }

  integer({ min, max }: Bounds): number {
    const value = this.#value;
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      this.fail(`must be a whole number from ${min} to ${max}`);
    }
    return value as number;
  }

  boolean(): boolean {
    return typeof this.#value === 'boolean' ? this.#value : this.fail('must be true or false');
  }

  get isText(): boolean {
    return typeof this.#value === 'string';
  }

  #at(name: string): ConfigurationPart {
    return new ConfigurationPart(undefined, this.#path(name));
  }

  #path(name: string): string {
    const plain = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name);
    const shown = plain ? name : JSON.stringify(name.slice(0, 100));
    return this.path === '' ? shown : `${this.path}.${shown}`;
  }

  #object(): ReadonlyMap<string, unknown> {
    const value = this.#value;
    if (value === undefined) this.fail('is missing');
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.fail('must be an object');
    }
    return new Map(Object.entries(value));
  }
}
