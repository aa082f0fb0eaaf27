import { catalogueEntry, isErrorCode } from '@concordat/api';
import { CodedError } from '@concordat/std';

/** How a command ends, for scripts. A command that is refused prints one line that begins with its code. */
export const exitStatus = {
  /** Done; what was examined holds. */
  done: 0,
  /** Not done, or what was examined does not hold. */
  failed: 1,
  /** The command line itself is wrong: nothing was tried. */
  usage: 2,
  /** The network answered and refused: the same again is refused again. */
  refused: 3,
  /** Nobody was reached, or nobody could answer in time: the same may succeed later. */
  unavailable: 4,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

/** What each status means, for people. */
export const exitStatusTexts: readonly (readonly [number, string])[] = [
  [exitStatus.done, 'done; what was examined holds'],
  [exitStatus.failed, 'not done here, or what was examined does not hold'],
  [exitStatus.usage, 'the command line is wrong: nothing was tried'],
  [exitStatus.refused, 'the network answered and refused: the same again is refused again'],
  [
    exitStatus.unavailable,
    'nobody was reached, or could answer in time: the same may succeed later',
  ],
  [exitStatus.interrupted, 'ended by Ctrl-C'],
];

/** Failures of this side of the wire that say nothing about what was asked. */
const unavailable: ReadonlySet<string> = new Set([
  'UNREACHABLE',
  'CONNECTION_LOST',
  'NO_NODE',
  'TIMEOUT',
]);

/** The exit status for a failure. */
export function statusOfError(error: unknown): number {
  if (!(error instanceof CodedError)) return exitStatus.failed;
  const code: string = error.code;
  if (code === 'USAGE') return exitStatus.usage;
  if (code === 'INTERRUPTED') return exitStatus.interrupted;
  if (unavailable.has(code)) return exitStatus.unavailable;
  const answered = typeof error.details.status === 'number';
  if (!answered || !isErrorCode(code)) return exitStatus.failed;
  return 'retryable' in catalogueEntry(code) ? exitStatus.unavailable : exitStatus.refused;
}
