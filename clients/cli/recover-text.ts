import type { Combination, DecryptionReport, EpochOutcome, KeyRecord } from '@concordat/auditor';
import { formatCount, paint, renderTable, type Terminal } from './terminal.ts';

/** What combining came to, for people. */
export function combinationText(
  terminal: Terminal,
  found: { readonly record: KeyRecord; readonly combination: Combination; readonly out?: string },
): string {
  const { record, combination, out } = found;
  const { epochs, keys } = combination;
  const opened = keys.keys.length;
  const all = opened === record.newestEpoch;
  const verdict =
    opened === 0
      ? paint(terminal, 'red', 'No epoch opens.')
      : all
        ? paint(terminal, 'green', `All ${formatCount(opened)} epochs open.`)
        : paint(terminal, 'yellow', `${opened} of ${record.newestEpoch} epochs open.`);
  const rows = runsOf(epochs).map(({ first, last, outcome }) => [
    first === last ? `${first}` : `${first} to ${last}`,
    outcome.key === undefined ? '-' : `key ${outcome.key}, sharing ${outcome.sharing}`,
    whatBecame(outcome),
  ]);
  const written = out && opened > 0 ? `Wrote ${out}. Whoever has it reads those epochs.\n` : '';
  const { missing } = record;
  const end = missing ? `${paint(terminal, 'yellow', 'Incomplete:')} ${missing}\n` : '';
  const network = `${record.networkName} ${record.networkId}\n`;
  const table = renderTable(['epochs', 'under', ''], rows);
  return `${verdict} ${network}${table}${end}${written}`;
}

function whatBecame({ used, missing, refused, failure }: EpochOutcome): string {
  const bad = refused ? `; the shares of ${refused.join(', ')} do not hold` : '';
  if (used) return `opened with shares of ${used.join(', ')}${bad}`;
  if (missing) {
    const share = missing.more === 1 ? 'share is' : 'shares are';
    return `${missing.more} more ${share} needed, of ${missing.of.join(', ')}${bad}`;
  }
  return failure === 'NO_CIPHERTEXT' ? 'the ledger has no valid key of it' : '';
}

interface Run {
  readonly first: number;
  readonly last: number;
  readonly outcome: EpochOutcome;
}

/** Epochs one after another that fared alike are one line. */
function runsOf(epochs: readonly EpochOutcome[]): Run[] {
  const runs: Run[] = [];
  for (const outcome of epochs) {
    const before = runs.at(-1);
    const same = before && alike(before.outcome, outcome);
    if (before && same) runs[runs.length - 1] = { ...before, last: outcome.epoch };
    else runs.push({ first: outcome.epoch, last: outcome.epoch, outcome });
  }
  return runs;
}

const alike = (a: EpochOutcome, b: EpochOutcome): boolean =>
  JSON.stringify({ ...a, epoch: 0 }) === JSON.stringify({ ...b, epoch: 0 });

/** What decrypting came to, for people. */
export function decryptionText(
  terminal: Terminal,
  { report, out }: { readonly report: DecryptionReport; readonly out: string },
): string {
  const { transactions, closedTransactions, closedBlocks, last, missing } = report;
  const open = transactions - closedTransactions;
  const lines = [
    `${paint(terminal, closedBlocks ? 'yellow' : 'green', `${formatCount(open)} transactions`)} decrypted and verified: ${out}`,
    `  network ${report.networkName} ${report.networkId}`,
    `  ends with transaction ${last?.transactionId} in block ${last?.height}, ${timeOf(last?.timeMs ?? 0)}`,
  ];
  if (closedBlocks > 0) {
    const blocks = formatCount(closedBlocks);
    lines.push(
      `  of ${formatCount(closedTransactions)} transactions in ${blocks} blocks only public writes: the keys of their epochs were not given`,
    );
  }
  const unsure = (last?.height ?? 0) - report.committedHeight;
  if (unsure > 0) {
    lines.push(
      `  the last ${formatCount(unsure)} blocks are in no file that says they are committed`,
    );
  }
  if (report.tornBytes > 0)
    lines.push(`  ${report.tornBytes} bytes of a block being written at the end`);
  if (missing) lines.push(`  ${paint(terminal, 'yellow', 'incomplete:')} ${missing}`);
  return `${lines.join('\n')}\n`;
}

/** A leader's clock may say anything. */
const timeOf = (ms: number): string => (ms <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`);
