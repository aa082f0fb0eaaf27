/** The part of JSON Schema that the published configuration schema uses. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer';
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly default?: unknown;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

/** One thing wrong with a document. */
export interface SchemaFault {
  /** Dotted path of the value, empty for the document itself. */
  readonly path: string;
  readonly problem: string;
}

/** Checks a document against a schema and returns everything that is wrong with it. */
export function checkSchema(root: Schema, document: unknown): SchemaFault[] {
  const faults: SchemaFault[] = [];
  const visit = (schema: Schema, value: unknown, path: string): void => {
    const resolved = resolve(root, schema);
    const problem = problemWith(resolved, value);
    if (problem !== undefined) {
      faults.push({ path, problem });
    } else if (Array.isArray(value)) {
      const { items } = resolved;
      if (!items) return;
      for (const [at, item] of value.entries()) visit(items, item, `${path}[${at}]`);
    } else if (typeof value === 'object' && value !== null) {
      visitObject(resolved, value as Record<string, unknown>, path);
    }
  };
  const visitObject = (schema: Schema, value: Record<string, unknown>, path: string): void => {
    const at = (key: string): string => (path === '' ? key : `${path}.${key}`);
    for (const key of schema.required ?? []) {
      if (!Object.hasOwn(value, key)) faults.push({ path: at(key), problem: 'is missing' });
    }
    for (const [key, item] of Object.entries(value)) {
      const known = schema.properties && Object.hasOwn(schema.properties, key);
      const declared = known ? schema.properties![key] : schema.additionalProperties;
      if (declared === false) faults.push({ path: at(key), problem: 'is not a known key' });
      else if (typeof declared === 'object') visit(declared, item, at(key));
    }
  };
  visit(root, document, '');
  return faults;
}

function resolve(root: Schema, schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  const name = schema.$ref.replace('#/$defs/', '');
  return { ...root.$defs![name], ...schema };
}

function problemWith(schema: Schema, value: unknown): string | undefined {
  if (schema.const !== undefined && value !== schema.const) return `must be ${schema.const}`;
  if (schema.enum && !schema.enum.includes(value))
    return `must be one of ${schema.enum.join(', ')}`;
  switch (schema.type) {
    case 'object':
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        return 'must be an object';
      return undefined;
    case 'array':
      return arrayProblem(schema, value);
    case 'string':
      if (typeof value !== 'string') return 'must be a text';
      if (value.length < (schema.minLength ?? 0)) return 'must not be empty';
      if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) {
        return `must match ${schema.pattern}`;
      }
      return undefined;
    case 'integer':
      if (!Number.isSafeInteger(value)) return 'must be a whole number';
      if (Number(value) < (schema.minimum ?? -Infinity))
        return `must be at least ${schema.minimum}`;
      if (Number(value) > (schema.maximum ?? Infinity)) return `must be at most ${schema.maximum}`;
      return undefined;
    default:
      return undefined;
  }
}

function arrayProblem(schema: Schema, value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'must be a list';
  if (value.length < (schema.minItems ?? 0)) return `must have at least ${schema.minItems} items`;
  if (value.length > (schema.maxItems ?? Infinity))
    return `must have at most ${schema.maxItems} items`;
  return undefined;
}

/** The defaults a schema states for an object's own keys. */
export function schemaDefaults(schema: Schema): Record<string, unknown> {
  const defaults: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (property.default !== undefined) defaults[key] = property.default;
  }
  return defaults;
}
