export { type AdapterSamples, adapterSuite } from './adapter-suite.ts';
export { createFakeActor } from './fake-actor.ts';
export { type FakeBlock, FakeLedger } from './fake-ledger.ts';
export { createFakeNode, FakeNode, type FakeNodeOptions } from './fake-node.ts';
export { dumpTables, type TableDump } from './table-dump.ts';
