/** What the entry of a bundle, and the program that describes a definition, import. */
export { describeApp } from './describe.ts';
export { openApiOf } from './open-api.ts';
export { serveInRealm } from './realm-platform.ts';
