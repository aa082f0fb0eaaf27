import {
  type Fields,
  type ListOptions,
  ListSchema,
  NullableSchema,
  ObjectSchema,
  OptionalSchema,
  RecordSchema,
  UnionSchema,
} from './containers.ts';
import {
  type BigintOptions,
  BigintSchema,
  BooleanSchema,
  type BytesOptions,
  BytesSchema,
  ChoiceSchema,
  type Described,
  JsonValueSchema,
  type Literal,
  type NumberOptions,
  NumberSchema,
  type TextOptions,
  TextSchema,
} from './scalars.ts';
import type { AnySchema, Schema } from './schema.ts';

/** Builders of schemas: `s.object({ owner: s.string(), balance: s.integer({ min: 0 }) })`. */
export const s = {
  /** Well-formed Unicode. */
  string: (options: TextOptions = {}) => new TextSchema(options),
  /** A finite number. */
  number: (options: NumberOptions = {}) => new NumberSchema('number', options),
  /** A whole number of at most 2^53 - 1 from zero. */
  integer: (options: NumberOptions = {}) => new NumberSchema('integer', options),
  /** A whole number of up to 200 digits; JSON has it as a text. */
  bigint: (options: BigintOptions = {}) => new BigintSchema(options),
  boolean: (options: Described = {}) => new BooleanSchema(options),
  /** A `Uint8Array`; JSON has it as base64. */
  bytes: (options: BytesOptions = {}) => new BytesSchema(options),
  /** This value and no other. */
  literal: <const L extends Literal>(value: L) => new ChoiceSchema([value]),
  /** One of these values. */
  enum: <const L extends Literal>(values: readonly L[], options: Described = {}) =>
    new ChoiceSchema(values, options),
  /** Exactly these properties; those that are `optional` may be absent. */
  object: <F extends Fields>(fields: F, options: Described = {}) =>
    new ObjectSchema(fields, options.description),
  array: <T, W>(item: Schema<T, W>, options: ListOptions = {}) => new ListSchema(item, options),
  /** Any names, values of one kind. */
  record: <T, W>(value: Schema<T, W>, options: { readonly maxEntries?: number } = {}) =>
    new RecordSchema(value, options.maxEntries ?? Number.POSITIVE_INFINITY),
  /** A property that may be absent. */
  optional: <T, W>(schema: Schema<T, W>) => new OptionalSchema(schema),
  /** The value or null. */
  nullable: <T, W>(schema: Schema<T, W>) => new NullableSchema(schema),
  /** The first of these kinds that takes the value. */
  union: <const S extends readonly AnySchema[]>(...options: S) => new UnionSchema(options),
  /** Whatever JSON can say. */
  json: () => new JsonValueSchema(),
  /** An answer in pages: its items, and the token of the next page while there is one. */
  page: <T, W>(item: Schema<T, W>) =>
    new ObjectSchema({
      items: new ListSchema(item, {}),
      next: new OptionalSchema(new TextSchema({})),
    }),
} as const;
