import type { InstallRefusal } from './message.ts';

/** First byte of every message. */
export const formatVersion = 2;
/** Types of messages by their number, from 0. */
export const messageTypes = [
  'append',
  'append-response',
  'vote-request',
  'vote-response',
  'timeout-now',
  'install',
  'install-response',
  'relay',
] as const;
/** Refusals of an install by their number, from 1; 0 = not refused. */
export const installRefusals: readonly InstallRefusal[] = [
  'OLD_SNAPSHOT',
  'RESTORING',
  'SNAPSHOT_MISMATCH',
  'SNAPSHOT_REJECTED',
];
