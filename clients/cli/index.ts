export { type BundleJson, programOfBundle, readBundle } from './app/bundle-files.ts';
export { type DeployedApplication, type DeployOptions, deployApplication } from './app/deploy.ts';
export { CliError, type CliErrorCode } from './errors.ts';
export {
  buildImages,
  type ImageBuild,
  type ImageMeasurement,
  imageDirectory,
} from './sandbox/images.ts';
export { SandboxLayout, type SandboxNode, type SandboxRecord } from './sandbox/layout.ts';
export { endProcesses, isRunning, type NodeStatus, sleep } from './sandbox/node-process.ts';
export { nodeTuple } from './sandbox/node-tuple.ts';
export { type NodeConfig, sandboxChain, sandboxChainId } from './sandbox/plan.ts';
export {
  frontOffice,
  Sandbox,
  type SandboxOptions,
  type SandboxProgress,
} from './sandbox/sandbox.ts';
export { readSandbox } from './sandbox/sandbox-audit.ts';
export { type CellAlignment, renderTable } from './terminal.ts';
