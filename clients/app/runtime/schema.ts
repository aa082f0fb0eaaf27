/** A JSON Schema (2020-12), as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A value that does not fit its schema. */
export class InvalidValue extends Error {
  readonly why: string;
  /** Where it stands: names of properties, positions in lists. */
  readonly path: readonly (string | number)[];
  /** Whether it is a fixed value that is another: in a union, the tag of another kind. */
  readonly isTag: boolean;

  constructor(why: string, path: readonly (string | number)[] = [], isTag = false) {
    super(path.length === 0 ? why : `${pathText(path)}: ${why}`);
    this.why = why;
    this.path = path;
    this.isTag = isTag;
  }
}

const plainName = /^[A-Za-z_$][\w$]*$/;
/** Characters of a foreign name that are shown. */
const shownName = 80;

/** `body.items[3].amount` */
export function pathText(path: readonly (string | number)[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!plainName.test(part)) text += `[${JSON.stringify(part.slice(0, shownName))}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** Runs a step inside a value; what it refuses is refused there. */
export function within<T>(part: string | number, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new InvalidValue(error.why, [part, ...error.path], error.isTag);
  }
}

/**
 * What a value is like: `T` in the application, `W` as JSON carries it (bytes are base64 there,
 * big integers decimal digits; everything else is the same).
 */
export abstract class Schema<T, W = T> {
  /** Whether it stands for a property that may be absent. */
  get isOptional(): boolean {
    return false;
  }

  /** Reads what JSON gave. @throws InvalidValue */
  abstract read(json: unknown): T;

  /** Makes what JSON carries. @throws InvalidValue for a value that is none of this schema's */
  abstract write(value: T): W;

  /** Its description for other tools. */
  abstract jsonSchema(): JsonSchema;

  /** Reads the text of a path parameter or a query. @throws InvalidValue */
  readText(_text: string): T {
    throw new InvalidValue('this kind of value has no form in a path or a query');
  }

  /** Whether `readText` has a form for it. */
  get hasText(): boolean {
    return false;
  }
}

/** Any schema. */
// biome-ignore lint/suspicious/noExplicitAny: the one type that every schema is assignable to
export type AnySchema = Schema<any, any>;

/** What the application has of a schema: `Infer<typeof account>`. */
export type Infer<S> = S extends Schema<infer T, unknown> ? T : never;

/** What JSON has of it. */
export type InferWire<S> = S extends Schema<infer _, infer W> ? W : never;

/** How a value is called in a refusal. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  const type = typeof value;
  if (type === 'object') return 'an object';
  return type === 'undefined' ? 'nothing' : `a ${type}`;
}
