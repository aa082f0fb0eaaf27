export { type HostConfig, loadConfig, parseConfig, type WorkerConfig } from './config.ts';
export { HostError, type HostErrorCode } from './errors.ts';
export { closeStores, type LaunchStores, openStores } from './launch-stores.ts';
export { LedgerStore, type LedgerStoreOptions } from './ledger-store.ts';
export { Log, type LogFields, type LogLevel } from './log.ts';
export { ManagerSession, type ManagerSessionOptions } from './manager-session.ts';
export {
  bundleName,
  type ImageManifest,
  imageManifestName,
  imagePlaceholder,
  type MeasuredImage,
  type MeasurementInput,
  measureImage,
  measurementOf,
} from './measurement.ts';
export { PageStore } from './page-store.ts';
export { RecordStore } from './record-store.ts';
export { SnapshotStore } from './snapshot-store.ts';
export { ValidatingNode } from './validating-node.ts';
export { VirtualPlatform } from './virtual-platform.ts';
