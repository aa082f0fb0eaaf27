import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type AuditProgress, auditLedger, type GivenReceipt } from '@concordat/auditor';
import { auditText } from './audit-text.ts';
import type { Command, Invocation } from './command.ts';
import { CliError } from './errors.ts';
import { ledgerOf, ledgerOptions, ledgerUsage } from './ledger-options.ts';
import { formatCount, paint, type Terminal } from './terminal.ts';

/** Examines a ledger as an auditor would, from its files alone. */
export const auditVerify: Command = {
  name: 'audit verify',
  summary: 'audit a ledger offline: every vote, node, leader, key and receipt, as a report',
  usage: `${ledgerUsage} [--receipt file ...] [--expected view.seqno] [--re-execute image] [--json]`,
  positionals: 1,
  options: {
    ...ledgerOptions,
    receipt: { type: 'string', multiple: true },
    expected: { type: 'string' },
    're-execute': { type: 'string' },
  },
  examples: [
    'audit verify vn2',
    'audit verify /backup/ledger --network-certificate network.pem --json',
  ],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const source = await ledgerOf(invocation);
    const { expected, 're-execute': image } = options;
    if (typeof image === 'string' && !source.epochKeys) {
      throw new CliError('USAGE', '--re-execute takes the keys of all epochs: give --epoch-keys');
    }
    const report = await auditLedger({
      ...source,
      receipts: await receiptsOf(invocation),
      ...(typeof expected === 'string' && { expectedTransaction: expected }),
      ...(typeof image === 'string' && { reexecuteWith: image }),
      onProgress: progressBar(terminal),
    });
    if (terminal.interactive) terminal.write('\r\u001b[2K');
    if (options.json === true) terminal.write(`${JSON.stringify(report)}\n`);
    else terminal.write(auditText(terminal, report, source.directory));
    return report.ok ? 0 : 1;
  },
};

async function receiptsOf({ options }: Invocation): Promise<GivenReceipt[]> {
  const files = Array.isArray(options.receipt) ? (options.receipt as readonly string[]) : [];
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(file, 'utf8');
      try {
        return { name: basename(file), receipt: JSON.parse(text) as unknown };
      } catch (error) {
        throw new CliError('USAGE', `${file}: ${(error as Error).message}`);
      }
    }),
  );
}

const barWidth = 24;
const redrawMs = 100;

/** A bar for people at a terminal; nothing for others. */
function progressBar(terminal: Terminal): (progress: AuditProgress) => void {
  const startedMs = performance.now();
  let drawnMs = 0;
  return ({ blocks, transactions, bytes, totalBytes }) => {
    const nowMs = performance.now();
    if (!terminal.interactive || nowMs - drawnMs < redrawMs) return;
    drawnMs = nowMs;
    const share = totalBytes > 0 ? Math.min(1, bytes / totalBytes) : 0;
    const filled = Math.round(share * barWidth);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
    const rate = (transactions * 1000) / Math.max(1, nowMs - startedMs);
    const figures = `${formatCount(blocks)} blocks, ${formatCount(rate)} transactions/s`;
    const percent = `${Math.floor(share * 100)}`.padStart(3);
    terminal.write(`\r  ${bar} ${percent} %  ${paint(terminal, 'dim', figures)}\u001b[K`);
  };
}
