export { createKeyvalueAdapter } from './adapter.ts';
export {
  encodeRequest,
  type KeyvalueLimits,
  type KeyvalueRequest,
  linearizable,
  operations,
  waitLocal,
} from './request.ts';
export { answers } from './stream-endpoint.ts';
export { entriesTable, type KeyvalueResult } from './table.ts';
