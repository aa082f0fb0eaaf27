import { asksForToken, groupsOf } from './access.ts';
import { type AnyApp, paramNames } from './define-app.ts';
import type { Access, AnyEndpoint } from './endpoint.ts';
import type { AnySchema, JsonSchema } from './schema.ts';

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly description?: string;
  };
  readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

const errorSchema: JsonSchema = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        // An object, or a list where several policies say why they do not accept the caller.
        details: {},
      },
      required: ['code', 'message'],
    },
  },
  required: ['error'],
};

/** The OpenAPI document of an application. */
export function openApiOf({ title, version, description, endpoints }: AnyApp): OpenApiDocument {
  const paths: Record<string, Record<string, object>> = {};
  for (const [name, endpoint] of Object.entries(endpoints)) {
    paths[endpoint.path] ??= {};
    const byMethod = paths[endpoint.path] as Record<string, object>;
    byMethod[endpoint.method.toLowerCase()] = operationOf(name, endpoint);
  }
  const info = { title, version, ...(description !== undefined && { description }) };
  return { openapi: '3.1.0', info, paths, components: { schemas: {} } };
}

/** The operation object of an endpoint, without references: what `openapi` of `app.json` holds. */
export function operationOf(name: string, endpoint: AnyEndpoint): object {
  const { summary, description, status, access, schemas } = endpoint;
  const { body, response } = schemas;
  const parameters = [...pathParameters(endpoint), ...queryParameters(endpoint)];
  const answer = {
    description: summary ?? 'The answer.',
    ...(response !== undefined && { content: jsonContent(response) }),
  };
  return {
    operationId: name,
    ...(summary !== undefined && { summary }),
    ...(description !== undefined && { description }),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: { required: true, content: jsonContent(body) },
    }),
    responses: {
      [String(status)]: answer,
      default: {
        description: 'An error; nothing was written.',
        content: { 'application/json': { schema: errorSchema } },
      },
    },
    'x-concordat-access': accessText(access),
  };
}

const jsonContent = (schema: AnySchema): object => ({
  'application/json': { schema: schema.jsonSchema() },
});

function pathParameters({ path, schemas: { params } }: AnyEndpoint): object[] {
  return paramNames(path).map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: Object.hasOwn(params, name) ? params[name]?.jsonSchema() : { type: 'string' },
  }));
}

function queryParameters({ schemas: { query } }: AnyEndpoint): object[] {
  return Object.entries(query).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !schema.isOptional,
    schema: schema.jsonSchema(),
  }));
}

/** Who may call, in words: groups, and roles of which one is needed. */
function accessText(access: Access): object {
  const { roles, when } = (typeof access === 'string' ? {} : access) as {
    readonly roles?: readonly string[];
    readonly when?: unknown;
  };
  return {
    groups: groupsOf(access),
    ...(asksForToken(access) && { token: true }),
    ...(roles && { roles }),
    ...(when !== undefined && { condition: true }),
  };
}
