/**
 * What `@concordat/app` is inside of a bundle: what definitions are made of, and nothing that would
 * want a file, a process or a connection.
 */
export type { ObjectOf } from './containers.ts';
export { type App, type AppOptions, defineApp } from './define-app.ts';
export {
  type Access,
  type Caller,
  type CallerToken,
  type CallsContext,
  type Context,
  type Endpoint,
  type EndpointMaker,
  type EndpointOptions,
  type EndUser,
  endpointsOf,
  type Group,
  type Mode,
  type PastRange,
  type Random,
  type Route,
} from './endpoint.ts';
export type { External, ExternalRequest, ExternalResponse } from './external.ts';
export { AppFailure, DefinitionError, fail } from './failure.ts';
export { type KeyCodec, type KeyOf, key } from './key-codec.ts';
export type { PastState, PastTable } from './past.ts';
export { type Infer, type InferWire, InvalidValue, Schema } from './schema.ts';
export { s } from './schemas.ts';
export {
  type Page,
  type PageQuery,
  type Range,
  type ReadTable,
  type Scan,
  type Table,
  type Tables,
  type TablesOf,
  table,
} from './table.ts';
