/** The parts of JSON Schema that the host's configuration uses. */
export interface ConfigurationSchema {
  readonly description?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, ConfigurationSchema>>;
  readonly additionalProperties?: unknown;
  readonly items?: ConfigurationSchema;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, ConfigurationSchema>>;
}

/** `docs/operate/configuration.md`, from `node/host/config.schema.json`. */
export function renderConfigurationPage(schema: ConfigurationSchema): string {
  return [
    '# Configuration of a validating node',
    '',
    'Generated from `node/host/config.schema.json` by `node scripts/write-configuration-page.ts`; do',
    'not edit. One JSON file a VN, named on the command line:',
    '`node_modules/.bin/node node/host/main.ts --config vn.json`. A file with an unknown key, a wrong type or a value out of',
    'bounds is refused as `INVALID_CONFIG`, which lists every fault.',
    '',
    (schema.description ?? '').replace('this file', 'the file'),
    '',
    '| key | value | default | |',
    '|---|---|---|---|',
    ...rowsOf(schema, '', schema),
    '',
    'Times are in milliseconds, sizes in bytes where the name does not say otherwise.',
    '',
  ].join('\n');
}

function rowsOf(schema: ConfigurationSchema, prefix: string, root: ConfigurationSchema): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, given]) => {
    const property = { ...resolve(given, root), ...given };
    const name = `${prefix}${key}`;
    const isRequired = schema.required?.includes(key) ?? false;
    const children =
      property.items?.type === 'object'
        ? rowsOf(property.items, `${name}[].`, root)
        : rowsOf(property, `${name}.`, root);
    const row = [`\`${name}\``, boundsOf(property, root), defaultOf(property, isRequired)];
    return [`| ${row.join(' | ')} | ${property.description ?? ''} |`, ...children];
  });
}

/** The definition that a `$ref` names; empty where there is none. */
function resolve({ $ref }: ConfigurationSchema, { $defs }: ConfigurationSchema) {
  return $defs?.[$ref?.slice('#/$defs/'.length) ?? ''] ?? {};
}

function boundsOf(schema: ConfigurationSchema, root: ConfigurationSchema): string {
  if (schema.$ref === '#/$defs/address') return '`host:port`';
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(', ');
  if (schema.type === 'integer') return `${schema.minimum} to ${schema.maximum}`;
  if (schema.type !== 'array') return schema.type === 'string' ? 'text' : 'object';
  const { minItems, maxItems, items } = schema;
  const bounds = minItems === undefined ? '' : `${minItems} to ${maxItems} `;
  if (items?.type === 'object') return `list of ${bounds}objects`;
  return `list of ${bounds}${boundsOf(items ?? {}, root)}`;
}

function defaultOf(schema: ConfigurationSchema, isRequired: boolean): string {
  if (isRequired) return '**required**';
  return schema.default === undefined ? '' : code(schema.default);
}

const code = (value: unknown): string => `\`${JSON.stringify(value)}\``;
