export { AnswerError } from './answer-error.ts';
export { type BuildOptions, type BuiltBundle, buildBundle, entryNames } from './build-bundle.ts';
export { BuildError, type BuildErrorCode, type SourcePlace } from './build-error.ts';
export type { CallAnswer, CallInput, RouteOf } from './calls.ts';
export { type AppClient, type CallOptions, type CallResult, createClient } from './client.ts';
export type { ObjectOf } from './runtime/containers.ts';
export { type AnyApp, type App, type AppOptions, defineApp } from './runtime/define-app.ts';
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
} from './runtime/endpoint.ts';
export type { External, ExternalRequest, ExternalResponse } from './runtime/external.ts';
export {
  AppFailure,
  DefinitionError,
  type DefinitionErrorCode,
  type FrameworkCode,
  fail,
} from './runtime/failure.ts';
export { type KeyCodec, type KeyOf, key } from './runtime/key-codec.ts';
export { type OpenApiDocument, openApiOf } from './runtime/open-api.ts';
export type { PastState, PastTable } from './runtime/past.ts';
export {
  type Infer,
  type InferWire,
  InvalidValue,
  type JsonSchema,
  Schema,
} from './runtime/schema.ts';
export { s } from './runtime/schemas.ts';
export {
  type Page,
  type PageQuery,
  type Range,
  type ReadTable,
  type Scan,
  type Table,
  type TableDefinition,
  type Tables,
  type TablesOf,
  table,
} from './runtime/table.ts';
export {
  type TestAnswer,
  type TestCaller,
  type TestCallOptions,
  type TestedApp,
  type TestOptions,
  testApp,
} from './test-app.ts';
export type { TestSystem, TestSystemAnswer } from './test-systems.ts';
