import { DefinitionError } from './failure.ts';
import {
  type AnySchema,
  type Infer,
  type InferWire,
  InvalidValue,
  type JsonSchema,
  kindOf,
  Schema,
  within,
} from './schema.ts';

/** Properties of an object by their names. */
export type Fields = Readonly<Record<string, AnySchema>>;

type OptionalNames<F extends Fields> = {
  [N in keyof F]: F[N] extends OptionalSchema<infer _, infer _W> ? N : never;
}[keyof F];

type Flat<T> = { [N in keyof T]: T[N] };

/** What an application has of an object with these properties. */
export type ObjectOf<F extends Fields> = Flat<
  { [N in Exclude<keyof F, OptionalNames<F>>]: Infer<F[N]> } & {
    [N in OptionalNames<F>]?: Infer<F[N]>;
  }
>;

/** What JSON has of it. */
export type WireObjectOf<F extends Fields> = Flat<
  { [N in Exclude<keyof F, OptionalNames<F>>]: InferWire<F[N]> } & {
    [N in OptionalNames<F>]?: InferWire<F[N]>;
  }
>;

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sets a property whatever its name is: assigning to `__proto__` would do something else. */
export function setOwn(target: object, name: string, value: unknown): void {
  if (name !== '__proto__') {
    (target as Record<string, unknown>)[name] = value;
    return;
  }
  const own = { configurable: true, enumerable: true, writable: true, value };
  Object.defineProperty(target, name, own);
}

/** An object with exactly these properties. */
export class ObjectSchema<F extends Fields> extends Schema<ObjectOf<F>, WireObjectOf<F>> {
  readonly fields: F;
  readonly #entries: readonly (readonly [string, AnySchema])[];
  readonly #description: string | undefined;

  constructor(fields: F, description?: string) {
    super();
    if (Object.hasOwn(fields, '__proto__')) {
      throw new DefinitionError('SCHEMA_INVALID', 'a property is not called __proto__');
    }
    this.fields = fields;
    this.#entries = Object.entries(fields);
    this.#description = description;
  }

  read(json: unknown): ObjectOf<F> {
    return this.#each(json, (schema, value) => schema.read(value) as unknown) as ObjectOf<F>;
  }

  write(value: ObjectOf<F>): WireObjectOf<F> {
    const written = this.#each(value, (schema, one) => schema.write(one) as unknown);
    return written as WireObjectOf<F>;
  }

  jsonSchema(): JsonSchema {
    const properties = this.#entries.map(([name, schema]) => [name, schema.jsonSchema()]);
    const required = this.#entries.filter(([, { isOptional }]) => !isOptional);
    return {
      type: 'object',
      properties: Object.fromEntries(properties),
      ...(required.length > 0 && { required: required.map(([name]) => name) }),
      additionalProperties: false,
      ...(this.#description !== undefined && { description: this.#description }),
    };
  }

  #each(value: unknown, step: (schema: AnySchema, value: unknown) => unknown): object {
    if (!isPlainObject(value)) throw new InvalidValue(`an object, not ${kindOf(value)}`);
    const made = {};
    for (const [name, schema] of this.#entries) {
      const one = Object.hasOwn(value, name) ? value[name] : undefined;
      if (one === undefined && schema.isOptional) continue;
      if (one === undefined) throw new InvalidValue('it is missing', [name]);
      setOwn(
        made,
        name,
        within(name, () => step(schema, one)),
      );
    }
    for (const name of Object.keys(value)) {
      if (Object.hasOwn(this.fields, name)) continue;
      throw new InvalidValue('there is no such property', [name]);
    }
    return made;
  }
}

/** A property that may be absent. */
export class OptionalSchema<T, W> extends Schema<T | undefined, W | undefined> {
  readonly inner: Schema<T, W>;

  constructor(inner: Schema<T, W>) {
    super();
    this.inner = inner;
  }

  override get isOptional(): boolean {
    return true;
  }

  read(json: unknown): T | undefined {
    return json === undefined ? undefined : this.inner.read(json);
  }

  write(value: T | undefined): W | undefined {
    return value === undefined ? undefined : this.inner.write(value);
  }

  override readText(text: string): T {
    return this.inner.readText(text);
  }

  override get hasText(): boolean {
    return this.inner.hasText;
  }

  jsonSchema(): JsonSchema {
    return this.inner.jsonSchema();
  }
}

/** A value or null. */
export class NullableSchema<T, W> extends Schema<T | null, W | null> {
  readonly #inner: Schema<T, W>;

  constructor(inner: Schema<T, W>) {
    super();
    this.#inner = inner;
  }

  read(json: unknown): T | null {
    return json === null ? null : this.#inner.read(json);
  }

  write(value: T | null): W | null {
    return value === null ? null : this.#inner.write(value);
  }

  jsonSchema(): JsonSchema {
    return { anyOf: [this.#inner.jsonSchema(), { type: 'null' }] };
  }
}

/** Bounds of a list. */
export interface ListOptions {
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** A list of values of one kind. */
export class ListSchema<T, W> extends Schema<T[], W[]> {
  readonly item: Schema<T, W>;
  readonly #options: ListOptions;

  constructor(item: Schema<T, W>, options: ListOptions) {
    super();
    this.item = item;
    this.#options = options;
  }

  read(json: unknown): T[] {
    return this.#each(json, (one) => this.item.read(one));
  }

  write(value: readonly T[]): W[] {
    return this.#each(value, (one) => this.item.write(one as T));
  }

  jsonSchema(): JsonSchema {
    return { type: 'array', items: this.item.jsonSchema(), ...this.#options };
  }

  #each<Y>(value: unknown, step: (value: unknown) => Y): Y[] {
    if (!Array.isArray(value)) throw new InvalidValue(`a list, not ${kindOf(value)}`);
    const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = this.#options;
    if (value.length < minItems) throw new InvalidValue(`at least ${minItems} items`);
    if (value.length > maxItems) throw new InvalidValue(`at most ${maxItems} items`);
    // Not `map`, which passes over holes.
    return Array.from(value as unknown[], (one, at) => within(at, () => step(one)));
  }
}

/** An object of any names with values of one kind. */
export class RecordSchema<T, W> extends Schema<Record<string, T>, Record<string, W>> {
  readonly #value: Schema<T, W>;
  readonly #maxEntries: number;

  constructor(value: Schema<T, W>, maxEntries: number) {
    super();
    this.#value = value;
    this.#maxEntries = maxEntries;
  }

  read(json: unknown): Record<string, T> {
    return this.#each(json, (one) => this.#value.read(one));
  }

  write(value: Record<string, T>): Record<string, W> {
    return this.#each(value, (one) => this.#value.write(one as T));
  }

  jsonSchema(): JsonSchema {
    const bound = Number.isFinite(this.#maxEntries) ? { maxProperties: this.#maxEntries } : {};
    return { type: 'object', additionalProperties: this.#value.jsonSchema(), ...bound };
  }

  #each<Y>(value: unknown, step: (value: unknown) => Y): Record<string, Y> {
    if (!isPlainObject(value)) throw new InvalidValue(`an object, not ${kindOf(value)}`);
    const entries = Object.entries(value);
    if (entries.length > this.#maxEntries) {
      throw new InvalidValue(`at most ${this.#maxEntries} properties`);
    }
    const made: Record<string, Y> = {};
    for (const [name, one] of entries)
      setOwn(
        made,
        name,
        within(name, () => step(one)),
      );
    return made;
  }
}

const wayOf = ({ path, isTag }: InvalidValue): number => (isTag ? 0.5 : path.length);

/** A value of any of several kinds; the first that takes it counts. */
export class UnionSchema<S extends readonly AnySchema[]> extends Schema<
  Infer<S[number]>,
  InferWire<S[number]>
> {
  readonly #options: S;

  constructor(options: S) {
    super();
    if (options.length < 2 || options.some(({ isOptional }) => isOptional)) {
      throw new DefinitionError('SCHEMA_INVALID', 'a union is of two or more that are present');
    }
    this.#options = options;
  }

  read(json: unknown): Infer<S[number]> {
    return this.#first((option) => option.read(json) as unknown) as Infer<S[number]>;
  }

  write(value: Infer<S[number]>): InferWire<S[number]> {
    return this.#first((option) => option.write(value) as unknown) as InferWire<S[number]>;
  }

  jsonSchema(): JsonSchema {
    return { anyOf: this.#options.map((option) => option.jsonSchema()) };
  }

  /**
   * What the option that came furthest found wrong is what is told; one whose tag is another did not
   * come far.
   */
  #first(step: (option: AnySchema) => unknown): unknown {
    const found: InvalidValue[] = [];
    for (const option of this.#options) {
      try {
        return step(option);
      } catch (error) {
        if (!(error instanceof InvalidValue)) throw error;
        found.push(error);
      }
    }
    const furthest = found.reduce((best, one) => (wayOf(one) > wayOf(best) ? one : best));
    if (furthest.isTag) {
      const tags = found.filter(({ isTag, path }) => isTag && isSamePath(path, furthest.path));
      throw new InvalidValue(tags.map(({ why }) => why).join(' or '), furthest.path, true);
    }
    if (furthest.path.length > 0) throw furthest;
    throw new InvalidValue('it is none of the kinds that may stand here');
  }
}

const isSamePath = (a: InvalidValue['path'], b: InvalidValue['path']): boolean =>
  a.length === b.length && a.every((part, at) => part === b[at]);
