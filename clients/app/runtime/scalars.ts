import { fromBase64, toBase64 } from './base64.ts';
import { DefinitionError } from './failure.ts';
import { InvalidValue, type JsonSchema, kindOf, Schema } from './schema.ts';

/** What any schema may say of itself to people. */
export interface Described {
  readonly description?: string;
}

/** Bounds of a text. */
export interface TextOptions extends Described {
  /** Unicode code points. */
  readonly minLength?: number;
  /** Unicode code points. */
  readonly maxLength?: number;
  /** Must match; not anchored, as in JSON Schema; no flag but `u`. */
  readonly pattern?: RegExp;
}

function pointsOf(text: string): number {
  let points = 0;
  for (const _ of text) points += 1;
  return points;
}

const described = ({ description }: Described): JsonSchema =>
  description === undefined ? {} : { description };

const given = (fields: Readonly<Record<string, unknown>>): JsonSchema =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** A text of well-formed Unicode. */
export class TextSchema extends Schema<string> {
  readonly #options: TextOptions;

  constructor(options: TextOptions) {
    super();
    // Others are not what JSON Schema has, or remember where they were.
    if (options.pattern !== undefined && !/^u?$/.test(options.pattern.flags)) {
      throw new DefinitionError('SCHEMA_INVALID', 'a pattern has no flag but u');
    }
    this.#options = options;
  }

  read(json: unknown): string {
    if (typeof json !== 'string') throw new InvalidValue(`a text, not ${kindOf(json)}`);
    const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = this.#options;
    // No text has more code points than code units.
    if (json.length < minLength || (minLength > 0 && pointsOf(json) < minLength)) {
      throw new InvalidValue(`at least ${minLength} characters`);
    }
    if (json.length > maxLength && pointsOf(json) > maxLength) {
      throw new InvalidValue(`at most ${maxLength} characters`);
    }
    if (!json.isWellFormed()) throw new InvalidValue('half a surrogate pair is no character');
    if (pattern?.test(json) === false) throw new InvalidValue(`a text like ${pattern.source}`);
    return json;
  }

  write(value: string): string {
    return this.read(value);
  }

  override readText(text: string): string {
    return this.read(text);
  }

  override get hasText(): boolean {
    return true;
  }

  jsonSchema(): JsonSchema {
    const { minLength, maxLength, pattern } = this.#options;
    const bounds = given({ minLength, maxLength, pattern: pattern?.source });
    return { type: 'string', ...bounds, ...described(this.#options) };
  }
}

/** Bounds of a number, both included. */
export interface NumberOptions extends Described {
  readonly min?: number;
  readonly max?: number;
}

const numberForm = /^-?\d{1,20}(?:\.\d{1,20})?$/;

/** A finite number; of integers those that are exact (at most 2^53 - 1 from zero). */
export class NumberSchema extends Schema<number> {
  readonly #options: NumberOptions;
  readonly #isInteger: boolean;

  constructor(kind: 'number' | 'integer', options: NumberOptions) {
    super();
    this.#isInteger = kind === 'integer';
    this.#options = options;
  }

  read(json: unknown): number {
    const what = this.#isInteger ? 'a whole number' : 'a number';
    if (typeof json !== 'number') throw new InvalidValue(`${what}, not ${kindOf(json)}`);
    if (this.#isInteger ? !Number.isSafeInteger(json) : !Number.isFinite(json)) {
      throw new InvalidValue(`${what}`);
    }
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = this.#options;
    if (json < min) throw new InvalidValue(`${what} of at least ${min}`);
    if (json > max) throw new InvalidValue(`${what} of at most ${max}`);
    // JSON has no negative zero; two that are equal would have two keys.
    return json === 0 ? 0 : json;
  }

  write(value: number): number {
    return this.read(value);
  }

  override readText(text: string): number {
    return this.read(numberForm.test(text) ? Number(text) : text);
  }

  override get hasText(): boolean {
    return true;
  }

  jsonSchema(): JsonSchema {
    const { min, max } = this.#options;
    const [minimum, maximum] = this.#isInteger
      ? [min ?? Number.MIN_SAFE_INTEGER, max ?? Number.MAX_SAFE_INTEGER]
      : [min, max];
    const type = this.#isInteger ? 'integer' : 'number';
    return { type, ...given({ minimum, maximum }), ...described(this.#options) };
  }
}

/** True or false. */
export class BooleanSchema extends Schema<boolean> {
  readonly #options: Described;

  constructor(options: Described) {
    super();
    this.#options = options;
  }

  read(json: unknown): boolean {
    if (typeof json === 'boolean') return json;
    throw new InvalidValue(`true or false, not ${kindOf(json)}`);
  }

  write(value: boolean): boolean {
    return this.read(value);
  }

  override readText(text: string): boolean {
    if (text === 'true') return true;
    if (text === 'false') return false;
    throw new InvalidValue('true or false');
  }

  override get hasText(): boolean {
    return true;
  }

  jsonSchema(): JsonSchema {
    return { type: 'boolean', ...described(this.#options) };
  }
}

/** Bounds of bytes. */
export interface BytesOptions extends Described {
  readonly minBytes?: number;
  readonly maxBytes?: number;
}

/** Bytes; JSON has them as base64 with padding. */
export class BytesSchema extends Schema<Uint8Array, string> {
  readonly #options: BytesOptions;

  constructor(options: BytesOptions) {
    super();
    this.#options = options;
  }

  read(json: unknown): Uint8Array {
    const bytes = typeof json === 'string' ? fromBase64(json) : undefined;
    if (bytes === undefined) throw new InvalidValue('bytes as base64');
    return this.#checked(bytes);
  }

  write(value: Uint8Array): string {
    if (value instanceof Uint8Array) return toBase64(this.#checked(value));
    throw new InvalidValue(`a Uint8Array, not ${kindOf(value)}`);
  }

  jsonSchema(): JsonSchema {
    const { minBytes, maxBytes } = this.#options;
    const lengthOf = (bytes: number | undefined): number | undefined =>
      bytes === undefined ? undefined : Math.ceil(bytes / 3) * 4;
    const bounds = given({ minLength: lengthOf(minBytes), maxLength: lengthOf(maxBytes) });
    return {
      type: 'string',
      contentEncoding: 'base64',
      ...bounds,
      ...described(this.#options),
    };
  }

  #checked(bytes: Uint8Array): Uint8Array {
    const { minBytes = 0, maxBytes = Number.POSITIVE_INFINITY } = this.#options;
    if (bytes.length < minBytes) throw new InvalidValue(`at least ${minBytes} bytes`);
    if (bytes.length > maxBytes) throw new InvalidValue(`at most ${maxBytes} bytes`);
    return bytes;
  }
}

/** Bounds of a big integer, both included. */
export interface BigintOptions extends Described {
  readonly min?: bigint;
  readonly max?: bigint;
}

const bigintForm = /^(?:0|-?[1-9]\d{0,199})$/;

/** An integer of up to 200 digits; JSON has it as a text of decimal digits. */
export class BigintSchema extends Schema<bigint, string> {
  readonly #options: BigintOptions;

  constructor(options: BigintOptions) {
    super();
    this.#options = options;
  }

  read(json: unknown): bigint {
    if (typeof json !== 'string' || !bigintForm.test(json)) {
      throw new InvalidValue('a whole number as a text of at most 200 decimal digits');
    }
    return this.#checked(BigInt(json));
  }

  write(value: bigint): string {
    if (typeof value !== 'bigint') throw new InvalidValue(`a bigint, not ${kindOf(value)}`);
    const text = String(this.#checked(value));
    if (!bigintForm.test(text)) throw new InvalidValue('at most 200 decimal digits');
    return text;
  }

  override readText(text: string): bigint {
    return this.read(text);
  }

  override get hasText(): boolean {
    return true;
  }

  jsonSchema(): JsonSchema {
    return { type: 'string', pattern: bigintForm.source, ...described(this.#options) };
  }

  #checked(value: bigint): bigint {
    const { min, max } = this.#options;
    if (min !== undefined && value < min) throw new InvalidValue(`at least ${min}`);
    if (max !== undefined && value > max) throw new InvalidValue(`at most ${max}`);
    return value;
  }
}

/** A value that a literal can stand for. */
export type Literal = string | number | boolean;

/** One of some fixed values. */
export class ChoiceSchema<const L extends Literal> extends Schema<L> {
  readonly #choices: readonly L[];
  readonly #options: Described;

  constructor(choices: readonly L[], options: Described = {}) {
    super();
    if (choices.length === 0 || new Set(choices).size < choices.length) {
      throw new DefinitionError('SCHEMA_INVALID', 'choices are one or more different values');
    }
    this.#choices = [...choices];
    this.#options = options;
  }

  read(json: unknown): L {
    if (this.#choices.includes(json as L)) return json as L;
    throw new InvalidValue(this.#text(), [], this.#choices.length === 1);
  }

  write(value: L): L {
    return this.read(value);
  }

  override readText(text: string): L {
    const found = this.#choices.find((choice) => String(choice) === text);
    if (found === undefined) throw new InvalidValue(this.#text());
    return found;
  }

  override get hasText(): boolean {
    return true;
  }

  jsonSchema(): JsonSchema {
    const [only, ...others] = this.#choices;
    const values = others.length === 0 ? { const: only } : { enum: this.#choices };
    return { ...values, ...described(this.#options) };
  }

  #text(): string {
    const shown = this.#choices.map((choice) => JSON.stringify(choice)).join(', ');
    return this.#choices.length === 1 ? shown : `one of ${shown}`;
  }
}

/** Whatever JSON can say, as it is. */
export class JsonValueSchema extends Schema<unknown> {
  read(json: unknown): unknown {
    if (json === undefined) throw new InvalidValue('a value, not nothing');
    return json;
  }

  write(value: unknown): unknown {
    const text: unknown = JSON.stringify(value);
    if (typeof text !== 'string') throw new InvalidValue(`JSON, not ${kindOf(value)}`);
    return JSON.parse(text) as unknown;
  }

  jsonSchema(): JsonSchema {
    return {};
  }
}
