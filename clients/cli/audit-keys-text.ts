import type { AuditReport } from '@concordat/auditor';
import { formatCount, renderTable } from './terminal.ts';

/** How each epoch began, and what was opened of it. */
export function epochsOf({ epochs, contents }: AuditReport): string {
  const rows = epochs.map(({ epoch, blocks, contents: isOpened, begun }) => [
    String(epoch),
    begun ? formatCount(begun.height) : '',
    begun?.reason ?? '',
    begun ? timeOf(begun.timeMs) : '',
    begun ? `key ${begun.sharedKey}` : '',
    formatCount(blocks),
    isOpened ? 'opened and verified' : 'closed: no key was given',
  ]);
  const header = ['epoch', 'since block', 'because of', 'at', 'encrypted to', 'blocks', 'contents'];
  return `${renderTable(header, rows)}${contents.map(workerContents).join('')}`;
}

const workerContents = ({
  worker,
  transactions,
  writes,
  bytes,
  unreadable,
}: AuditReport['contents'][number]): string => {
  const odd =
    unreadable > 0 ? `, ${formatCount(unreadable)} of them not in the form of write sets` : '';
  const counted = `${formatCount(transactions)} transactions, ${formatCount(writes)} writes in ${formatCount(bytes)} bytes`;
  return `  opened of worker ${worker}: ${counted}${odd}\n`;
};

/** Who holds shares of which key, and the ceremonies they were dealt in. */
export function sharedKeysOf({ keys: { shared, ceremonies } }: AuditReport): string {
  const held = renderTable(
    ['key', 'takes', 'held by', 'dealt'],
    shared.map(({ number, threshold, holders, sharings }) => [
      String(number),
      `${threshold} of ${holders.length}`,
      holders.join(', '),
      sharings === 1 ? 'once' : `${sharings} times`,
    ]),
  );
  const steps = renderTable(
    ['ceremony', 'of key', 'because of', 'opened', 'closed', 'outcome', 'found cheating'],
    ceremonies.map((one) => [
      `${one.number}: ${one.purpose}${one.attempt > 1 ? `, attempt ${one.attempt}` : ''}`,
      String(one.key),
      one.reason,
      heightOf(one.openedHeight),
      heightOf(one.closedHeight),
      one.failure === undefined ? one.state : `failed: ${one.failure}`,
      one.atFault.join(', '),
    ]),
  );
  return `${held}\n${steps}`;
}

/** Who may read beside the nodes: auditors, and whoever keeps copies of shares. */
export function auditorsOf({ keys: { auditors, exports } }: AuditReport): string {
  if (auditors.length + exports.length === 0) return '  none\n';
  const may = auditors.map(({ auditor, epochs, since, until, given }) => [
    auditor,
    rangesOf(epochs),
    formatCount(since),
    heightOf(until),
    given.map(({ by, epochs: [from, to] }) => `${by} (${rangeOf(from, to)})`).join(', '),
  ]);
  const copies = exports.map(({ actor, key, times, height }) => [
    actor,
    String(key),
    formatCount(height),
    times === 1 ? 'once' : `${times} times`,
  ]);
  const grants = renderTable(['auditor', 'epochs', 'voted', 'revoked', 'shares given by'], may);
  const taken = renderTable(['recovery copy of', 'key', 'last at block', 'given'], copies);
  return [auditors.length > 0 && grants, exports.length > 0 && taken].filter(Boolean).join('\n');
}

const rangeOf = (from: number, to: number): string =>
  from === to ? String(from) : `${from} to ${to}`;

/** Ascending numbers in few words. */
function rangesOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => rangeOf(from, to)).join(', ');
}

const heightOf = (height: number | undefined): string =>
  height === undefined ? '' : formatCount(height);

/** An instant as people read it; the bare number when it is none. */
export const timeOf = (ms: number): string =>
  Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
