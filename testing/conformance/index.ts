export { adapterSuite } from './adapter-suite.ts';
export type { ConsensusImplementation } from './consensus-network.ts';
export { type ConsensusChecks, consensusChecks, consensusSuite } from './consensus-suite.ts';
export { createFakeActor } from './fake-actor.ts';
export { type FakeBlock, FakeLedger, type FakeSnapshot } from './fake-ledger.ts';
export { createFakeNode, FakeNode, type FakeNodeOptions } from './fake-node.ts';
export { type FakeAnswer, FakeSystem } from './fake-system.ts';
export type { AdapterSamples, SampleQuery } from './suite-node.ts';
export { dumpTables, type TableDump } from './table-dump.ts';
