import { groupsOf, isGroup } from './access.ts';
import { ObjectSchema } from './containers.ts';
import { type AnyEndpoint, type Endpoints, methods } from './endpoint.ts';
import { DefinitionError } from './failure.ts';
import { canStandInQuery } from './query.ts';
import type { Tables } from './table.ts';

/** An application: what {@link defineApp} returns. */
export interface App<T extends Tables = Tables, E extends Endpoints = Endpoints> {
  readonly title: string;
  readonly version: string;
  readonly description: string | undefined;
  readonly tables: T;
  readonly endpoints: E;
}

/** Any application. */
export type AnyApp = App<Tables, Endpoints>;

/** What an application is. */
export interface AppOptions<T extends Tables, E extends Endpoints> {
  /** For people; default `application`. */
  readonly title?: string;
  /** Default `1.0.0`. */
  readonly version?: string;
  readonly description?: string;
  readonly tables: T;
  /** By names, which are their operation ids in OpenAPI. */
  readonly endpoints: E;
}

const nameForm = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const segmentForm = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]+|\{[A-Za-z_][A-Za-z0-9_]*\})$/;
const maxSegments = 32;
const maxEndpoints = 1_000;
/** Answered by every node itself. */
const reserved = new Set(['/app', '/commit', '/tx', '/receipt', '/api', '/health', '/stats']);

/**
 * An application of tables and endpoints.
 * @throws DefinitionError
 */
export function defineApp<T extends Tables, E extends Endpoints>(
  options: AppOptions<T, E>,
): App<T, E> {
  const { title = 'application', version = '1.0.0', description, tables, endpoints } = options;
  for (const name of Object.keys(tables)) {
    if (nameForm.test(name)) continue;
    throw new DefinitionError('TABLE_INVALID', `the table ${name}: its name is no plain word`);
  }
  const names = Object.keys(endpoints);
  if (names.length === 0 || names.length > maxEndpoints) {
    throw new DefinitionError(
      'ENDPOINT_INVALID',
      `an application has 1 to ${maxEndpoints} endpoints`,
    );
  }
  const taken = new Map<string, string>();
  for (const [name, endpoint] of Object.entries(endpoints)) {
    checkEndpoint(name, endpoint);
    // Two paths of the same shape answer the same requests.
    const shape = `${endpoint.method} ${endpoint.path.replace(/\{[^}]*\}/g, '{}')}`;
    const other = taken.get(shape);
    if (other !== undefined) {
      throw new DefinitionError(
        'PATHS_COLLIDE',
        `${name} (${endpoint.route}): ${other} answers it`,
      );
    }
    taken.set(shape, name);
  }
  checkTemplates(endpoints);
  return { title, version, description, tables, endpoints };
}

/** Paths of one shape are one path with several methods: their parameters have one name each. */
function checkTemplates(endpoints: Endpoints): void {
  const shapes = new Map<string, string>();
  for (const [name, { path }] of Object.entries(endpoints)) {
    const shape = path.replace(/\{[^}]*\}/g, '{}');
    const other = shapes.get(shape);
    if (other === undefined) shapes.set(shape, path);
    else if (other !== path) {
      const why = `${name}: ${path} and ${other} are the same path with other names`;
      throw new DefinitionError('PATHS_COLLIDE', why);
    }
  }
}

function checkEndpoint(name: string, endpoint: AnyEndpoint): void {
  const refuse = (why: string, code: 'ENDPOINT_INVALID' | 'PATH_INVALID' = 'ENDPOINT_INVALID') => {
    throw new DefinitionError(code, `the endpoint ${name} (${endpoint.route}): ${why}`);
  };
  if (!nameForm.test(name)) refuse('its name is no plain word');
  const { method, path, mode, status, schemas } = endpoint;
  const { body, query, params } = schemas;
  if (!methods.includes(method)) refuse(`the method is one of ${methods.join(', ')}`);
  const fault = faultOfPath(path);
  if (fault !== undefined) refuse(fault, 'PATH_INVALID');
  if (!Number.isInteger(status) || status < 200 || status > 299) {
    refuse('the status is from 200 to 299');
  }
  if (!['read', 'write', 'historical'].includes(mode)) {
    refuse('the mode is read, write or historical');
  }
  if (method === 'GET' && body !== undefined) refuse('GET has no body');
  const inPath = paramNames(path);
  for (const [param, schema] of Object.entries(params)) {
    if (!inPath.includes(param)) refuse(`the path has no parameter ${param}`);
    if (!schema.hasText) refuse(`${param} is of a kind that no path can hold`);
  }
  // Properties are checked once, not with each request.
  for (const [name, schema] of Object.entries(new ObjectSchema(query).fields)) {
    if (!canStandInQuery(schema)) refuse(`${name} is of a kind that no query can hold`);
  }
  const groups = groupsOf(endpoint.access);
  if (groups.length === 0 || !groups.every(isGroup)) refuse('access names no group that there is');
  if (typeof endpoint.handler !== 'function') refuse('it has no handler');
  if (endpoint.calls !== undefined && (typeof endpoint.calls !== 'function' || mode !== 'write')) {
    refuse('calls is a function of an endpoint that writes');
  }
}

/** Names of the parameters of a path. */
export const paramNames = (path: string): string[] =>
  [...path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] as string);

function faultOfPath(path: string): string | undefined {
  if (!path.startsWith('/')) return 'a path begins with /';
  if (reserved.has(path) || path.startsWith('/app/')) return 'the node answers this path itself';
  const segments = path.slice(1).split('/');
  if (segments.length > maxSegments) return `a path has at most ${maxSegments} segments`;
  if (new Set(paramNames(path)).size < paramNames(path).length) return 'a parameter stands twice';
  if (path === '/') return undefined;
  const wrong = segments.find((text) => !segmentForm.test(text) || /^\.\.?$/.test(text));
  return wrong === undefined ? undefined : `the segment "${wrong}" is not valid`;
}
