import { type Fields, ListSchema, type ObjectOf, OptionalSchema, setOwn } from './containers.ts';
import { type AnySchema, InvalidValue, within } from './schema.ts';

/** Whether a query has a form for values of a schema: alone, or one after another as a list. */
export function canStandInQuery(schema: AnySchema): boolean {
  const inner = schema instanceof OptionalSchema ? (schema.inner as AnySchema) : schema;
  return inner instanceof ListSchema ? (inner.item as AnySchema).hasText : inner.hasText;
}

const maxParts = 1_000;

/**
 * Reads a query: each property once, except that a list is a property that stands several times.
 * @param ignored names that are somebody else's, unless they are among the fields
 * @throws InvalidValue
 */
export function readQuery<Q extends Fields>(
  fields: Q,
  text: string,
  ignored: readonly string[] = [],
): ObjectOf<Q> {
  const given = partsOf(text);
  for (const name of ignored) if (!Object.hasOwn(fields, name)) given.delete(name);
  const made = {};
  for (const [name, schema] of Object.entries(fields)) {
    const texts = given.get(name);
    given.delete(name);
    const value = within(name, () => readValue(schema, texts));
    if (value !== undefined) setOwn(made, name, value);
  }
  for (const name of given.keys()) throw new InvalidValue('there is no such parameter', [name]);
  return made as ObjectOf<Q>;
}

function readValue(schema: AnySchema, texts: readonly string[] | undefined): unknown {
  const list = schema instanceof OptionalSchema ? (schema.inner as AnySchema) : schema;
  if (texts === undefined) {
    if (schema.isOptional) return undefined;
    throw new InvalidValue('it is missing');
  }
  if (list instanceof ListSchema) {
    const items = texts.map((text, at) =>
      within(at, () => (list.item as AnySchema).readText(text) as unknown),
    );
    // Its bounds are those of the list as a whole.
    return list.read(list.write(items)) as unknown;
  }
  const [only, ...more] = texts;
  if (more.length > 0) throw new InvalidValue('it stands more than once');
  return schema.readText(only as string) as unknown;
}

/** Names and values of `a=1&b=x%20y` (application/x-www-form-urlencoded, WHATWG URL, 5.1). */
function partsOf(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  if (text === '') return found;
  const parts = text.split('&');
  if (parts.length > maxParts) throw new InvalidValue(`at most ${maxParts} parameters`);
  for (const part of parts) {
    if (part === '') continue;
    const mark = part.indexOf('=');
    const name = decoded(mark < 0 ? part : part.slice(0, mark));
    const value = decoded(mark < 0 ? '' : part.slice(mark + 1));
    const known = found.get(name);
    if (known === undefined) found.set(name, [value]);
    else known.push(value);
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new InvalidValue('it is not percent-encoded UTF-8');
  }
}
