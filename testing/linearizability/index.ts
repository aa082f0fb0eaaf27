export { type CheckOptions, checkHistory, type Verdict } from './check-history.ts';
export type { Action, Operation, Result } from './operation.ts';
export { type Call, HistoryRecorder } from './recorder.ts';
export { describeVerdict } from './report.ts';
