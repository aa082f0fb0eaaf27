export { createJavascriptAdapter, type JavascriptAdapterOptions } from './adapter.ts';
export type { ApplicationAnswer } from './answer-form.ts';
export { type Bundle, type BundleEndpoint, type BundleModule, parseBundle } from './bundle.ts';
export { BundleError, type BundleErrorCode } from './errors.ts';
export type { ApplicationLimits } from './frames.ts';
export { serveApplication } from './process/serve.ts';
export {
  type ApplicationProgram,
  applicationArgument,
  checkWithEngine,
  sourceProgram,
} from './program.ts';
export { type ApplicationRequest, encodeRequest } from './request-form.ts';
