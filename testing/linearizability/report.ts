import type { Verdict } from './check-history.ts';
import type { Action, Operation, Result } from './operation.ts';

/** Columns of the bars. */
const barColumns = 48;
/** Operations shown of a window; more says nothing to a reader. */
const maxShown = 60;

/**
 * A verdict in words; of a fault the window as a timeline, one line an operation:
 * the call and return, a bar of the time between, who, what, and what was told.
 */
export function describeVerdict(verdict: Verdict): string {
  const { result, operations, keys } = verdict;
  const about = `${result}: ${operations} operations on ${keys} keys`;
  if (verdict.result === 'linearizable') return about;
  if (verdict.result === 'undecided') {
    const { undecidedKeys } = verdict;
    return `${about}; ${undecidedKeys.length} keys not decided: ${undecidedKeys.slice(0, 10).join(', ')}`;
  }
  const { key, window } = verdict;
  const head = `${about}\nno order of single steps explains key ${JSON.stringify(key)} here:`;
  return [head, ...timeline(window)].join('\n');
}

function timeline(window: readonly Operation[]): string[] {
  const shown = window.slice(-maxShown);
  const moments = shown.flatMap(({ called, returned }) => [called, returned ?? called]);
  const first = Math.min(...moments);
  const last = Math.max(...moments);
  const column = (moment: number): number =>
    Math.round(((moment - first) / (last - first || 1)) * (barColumns - 1));
  const wide = Math.max(...shown.map(({ client }) => client.length));
  const lines = shown.map((operation) => {
    const { client, called, returned, action } = operation;
    const begin = column(called);
    const end = returned === undefined ? barColumns : column(returned);
    const bar = returned === undefined ? '-'.repeat(end - begin) : '='.repeat(end - begin + 1);
    const times = `${moment(called)} ${returned === undefined ? '       ...' : moment(returned)}`;
    const line = `${' '.repeat(begin)}${bar}`.padEnd(barColumns);
    return `  ${times} |${line}| ${client.padEnd(wide)} ${asked(action)} ${told(operation)}`;
  });
  const left = window.length - shown.length;
  return left > 0 ? [`  (${left} earlier operations)`, ...lines] : lines;
}

const moment = (at: number): string => at.toFixed(3).padStart(10);

function asked(action: Action): string {
  switch (action.kind) {
    case 'write':
      return `write ${action.value}`;
    case 'compare-and-set':
      return `compare-and-set ${action.expected ?? 'nothing'} to ${action.value}`;
    default:
      return action.kind;
  }
}

function told({ action, result }: Operation): string {
  if (typeof result === 'string') return `-> ${result}`;
  const parts = [action.kind === 'read' ? (result.value ?? 'nothing') : 'done', ...extra(result)];
  return `-> ${parts.join(', ')}`;
}

const extra = ({ applied, existed }: Result): string[] => [
  ...(applied === undefined ? [] : [applied ? 'applied' : 'not applied']),
  ...(existed === undefined ? [] : [existed ? 'there was a value' : 'there was none']),
];
