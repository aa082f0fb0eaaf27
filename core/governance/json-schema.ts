/** A part of a JSON Schema, draft 2020-12. */
export type JsonSchema = Readonly<{ [keyword: string]: unknown }>;

/** The dialect of every schema here. */
export const schemaDialect = 'https://json-schema.org/draft/2020-12/schema';

/** A whole number within bounds, both inclusive. */
export const integerSchema = (minimum: number, maximum: number): JsonSchema => ({
  type: 'integer',
  minimum,
  maximum,
});

/** One of these texts. */
export const choiceSchema = (...choices: readonly string[]): JsonSchema => ({ enum: choices });

/** Lowercase hex of exactly so many bytes. */
export const hexSchema = (bytes: number): JsonSchema => ({
  type: 'string',
  pattern: `^[0-9a-f]{${bytes * 2}}$`,
});

/** A name people read: {@link Field.name}. */
export const nameSchema: JsonSchema = {
  type: 'string',
  pattern: '^(?! )[^\\p{C}\\p{Zl}\\p{Zp}]{1,64}(?<! )$',
};

/** A name programs read: {@link Field.identifier}. */
export const identifierSchema = (maxLength = 64): JsonSchema => ({
  type: 'string',
  pattern: '^[a-z][a-z0-9_-]*$',
  maxLength,
});

/** Text of at most so many characters. */
export const textSchema = (maxLength: number, minLength = 0): JsonSchema => ({
  type: 'string',
  ...(minLength > 0 && { minLength }),
  maxLength,
});

/** `host:port`: {@link Field.endpoint}. */
export const endpointSchema: JsonSchema = {
  type: 'string',
  pattern: '^(?:\\[[0-9a-f:.]{2,45}\\]|[A-Za-z0-9](?:[A-Za-z0-9._\\-]{0,252})):[1-9]\\d{0,4}$',
};

/** A list of at most so many. */
export const listSchema = (items: JsonSchema, maxItems: number, minItems = 0): JsonSchema => ({
  type: 'array',
  items,
  ...(minItems > 0 && { minItems }),
  maxItems,
});

/** An object of these properties and no others. */
export const objectSchema = (
  required: Readonly<Record<string, JsonSchema>>,
  optional: Readonly<Record<string, JsonSchema>> = {},
): JsonSchema => ({
  type: 'object',
  properties: { ...required, ...optional },
  required: Object.keys(required),
  additionalProperties: false,
});
