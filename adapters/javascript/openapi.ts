import type { Bundle, BundleEndpoint } from './bundle.ts';
import type { Policy } from './policies.ts';

type Json = Readonly<Record<string, unknown>>;

/** What schemes the policies of an endpoint come to (OpenAPI 3.0, section 4.7.27). */
const schemes = {
  certificate: {
    type: 'mutualTLS',
    description: 'The certificate of an actor of the network, or one issued under it.',
  },
  jwt: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
  cose: {
    type: 'http',
    scheme: 'cose_sign1',
    description: 'The body is a COSE_Sign1 message signed by an actor.',
  },
} as const;

const schemeOf: Readonly<Record<string, keyof typeof schemes | undefined>> = {
  user_cert: 'certificate',
  member_cert: 'certificate',
  any_cert: 'certificate',
  jwt: 'jwt',
  user_cose_sign1: 'cose',
  member_cose_sign1: 'cose',
};

/**
 * The OpenAPI 3.0 document of a deployed application: the `openapi` parts of its endpoints, those
 * with `openapi_hidden` left out, and the paths that the framework answers itself.
 */
export function openapiDocument({ endpoints }: Bundle): Json {
  const paths: Record<string, Record<string, Json>> = {};
  const shown = endpoints.filter(({ openapiHidden }) => openapiHidden !== true);
  for (const endpoint of shown) {
    const path = endpoint.template.path;
    paths[path] ??= {};
    paths[path][endpoint.method.toLowerCase()] = operationOf(endpoint);
  }
  return {
    openapi: '3.0.3',
    info: {
      title: 'Application',
      description: 'An application of this network, and what the framework answers beside it.',
      version: '1',
    },
    servers: [{ url: '/app' }],
    paths: { ...paths, ...frameworkPaths },
    components: { securitySchemes: schemes, schemas: frameworkSchemas },
  };
}

function operationOf({ openapi, template, policies }: BundleEndpoint): Json {
  const { parameters, responses, ...rest } = openapi ?? {};
  const given = Array.isArray(parameters) ? (parameters as readonly unknown[]) : [];
  const named = new Set(given.map((item) => (Object(item) as Json).name));
  const missing = template.segments
    .filter(({ name }) => name !== undefined && !named.has(name))
    .map(({ name }) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  const all = [...given, ...missing];
  return {
    ...rest,
    ...(all.length > 0 && { parameters: all }),
    responses: hasEntries(responses) ? responses : { default: { description: 'An answer.' } },
    ...(policies.length > 0 && rest.security === undefined && { security: securityOf(policies) }),
  };
}

const hasEntries = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0;

/** Each policy is one way in; `all_of` needs all of its own. */
function securityOf(policies: readonly Policy[]): Json[] {
  const ways = policies.map((policy) => {
    const names = typeof policy === 'string' ? [policy] : policy.all_of;
    const needed = names.map((name) => schemeOf[name]).filter((name) => name !== undefined);
    return Object.fromEntries(needed.map((name) => [name, []]));
  });
  const texts = [...new Set(ways.map((way) => JSON.stringify(way)))];
  return texts.map((text) => JSON.parse(text) as Json);
}

const json = (schema: string): Json => ({
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
});

const transactionId: Json = {
  name: 'transaction_id',
  in: 'query',
  required: true,
  schema: { $ref: '#/components/schemas/TransactionId' },
};

const answers = (ok: Json): Json => ({
  200: ok,
  default: { description: 'An error.', ...json('Error') },
});

const frameworkPaths: Readonly<Record<string, Json>> = {
  '/commit': {
    get: {
      summary: 'The newest committed transaction',
      parameters: [
        { name: 'view_history', in: 'query', schema: { type: 'boolean' } },
        { name: 'view_history_since', in: 'query', schema: { type: 'integer', minimum: 1 } },
      ],
      responses: answers({ description: 'What is committed.', ...json('Commit') }),
    },
  },
  '/tx': {
    get: {
      summary: 'What became of a transaction',
      parameters: [transactionId],
      responses: answers({ description: 'Where it stands.', ...json('TransactionState') }),
    },
  },
  '/receipt': {
    get: {
      summary: 'Proof that a transaction is in the ledger',
      parameters: [
        transactionId,
        { name: 'format', in: 'query', schema: { type: 'string', enum: ['json', 'cose'] } },
      ],
      responses: {
        ...answers({
          description: 'The receipt.',
          content: {
            'application/json': { schema: { type: 'object' } },
            'application/cose': { schema: { type: 'string', format: 'binary' } },
          },
        }),
        202: { description: 'Not committed yet: ask again after retry-after.', ...json('Error') },
      },
    },
  },
  '/api': {
    get: {
      summary: 'This document',
      responses: { 200: { description: 'OpenAPI 3.', content: { 'application/json': {} } } },
    },
  },
};

const frameworkSchemas: Readonly<Record<string, Json>> = {
  TransactionId: { type: 'string', pattern: '^[0-9]+\\.[0-9]+$' },
  TransactionState: {
    type: 'object',
    properties: {
      transaction_id: { $ref: '#/components/schemas/TransactionId' },
      status: { type: 'string', enum: ['Unknown', 'Pending', 'Committed', 'Invalid'] },
    },
  },
  Commit: {
    type: 'object',
    properties: {
      transaction_id: { $ref: '#/components/schemas/TransactionId' },
      view_history: { type: 'array', items: { type: 'integer' } },
    },
  },
  Error: {
    type: 'object',
    properties: {
      error: {
        type: 'object',
        properties: {
          code: { type: 'string' },
          message: { type: 'string' },
          details: {},
        },
      },
    },
  },
};
