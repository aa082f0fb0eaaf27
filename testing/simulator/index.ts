export { Violation, type ViolationCode } from './checker.ts';
export { type RunSummary, simulate } from './simulation.ts';
