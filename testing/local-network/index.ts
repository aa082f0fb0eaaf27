export { LocalNetworkError, type LocalNetworkErrorCode } from './errors.ts';
export { FaultRun } from './fault-run.ts';
export { type GuestOptions, guestNode } from './guest-node.ts';
export { HistoryLoad, type HistoryLoadOptions } from './history-load.ts';
export { type Images, measurementOfImage, modifiedImage } from './images.ts';
export { InjectedFault } from './injected-fault.ts';
export { onlyNewestKey } from './key-life.ts';
export { type Links, separate } from './links.ts';
export { freePort, LocalNetwork, type LocalNetworkOptions } from './local-network.ts';
export { LocalNode, type LocalNodeFiles, type LogQuestion, type Part } from './local-node.ts';
export { LoopDisk } from './loop-disk.ts';
export { NamespaceLinks } from './namespace-links.ts';
export type { LogLine } from './node-log.ts';
export { blocksOf, followPage, type PageBlock } from './page-run.ts';
export {
  type Finding,
  type Forms,
  formsIn,
  formsOf,
  type MemorySearch,
  searchFiles,
  searchMemory,
} from './plaintext-search.ts';
export { isAlive } from './processes.ts';
export { ProxyLinks } from './proxy-links.ts';
export { RecordingProxy } from './recording-proxy.ts';
export { type Beginning, loseAllBut, type Remains, recoveredNode } from './recovered-node.ts';
export { replaceNode } from './replacement.ts';
export { type Meddling, type SeenMessage, TerminatingProxy } from './terminating-proxy.ts';
export { anotherSecond, patienceMs, type Wait, waitUntil } from './waiting.ts';
export { WriteLoad, type WriteLoadOptions } from './write-load.ts';
