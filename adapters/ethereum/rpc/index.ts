export { createRpcEndpoints } from './endpoints.ts';
export { methodTable } from './method-table.ts';
export { unsupportedMethods } from './unsupported.ts';
