export { Violation, type ViolationCode } from './checks/violation.ts';
export { type RunSummary, simulateConsensus } from './consensus/simulation.ts';
export { type NetworkSummary, simulateNetwork } from './network/run.ts';
