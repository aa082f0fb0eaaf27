/**
 * One audit in a process of its own, so that its processor time and peak memory are the audit's
 * alone. Argument: JSON of `AuditJob`.
 */
import { readFileSync } from 'node:fs';
import { auditLedger, decodeEpochKeys } from '@concordat/auditor';

/** Which ledger to audit. */
export interface AuditJob {
  readonly directory: string;
  readonly networkCertificateFile: string;
  /** Without it contents stay closed. */
  readonly epochKeysFile?: string;
}

/** What it printed. */
export interface AuditAnswer {
  readonly blocks: number;
  readonly transactions: number;
  readonly bytes: number;
  readonly ms: number;
  /** Processor time of all threads, milliseconds, start of the process left out. */
  readonly cpuMs: number;
  readonly peakBytes: number;
}

async function run(job: AuditJob): Promise<AuditAnswer> {
  const { directory, networkCertificateFile, epochKeysFile } = job;
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const report = await auditLedger({
    directory,
    networkCertificate: readFileSync(networkCertificateFile, 'utf8'),
    ...(epochKeysFile && { epochKeys: decodeEpochKeys(readFileSync(epochKeysFile, 'utf8')) }),
  });
  const ms = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  if (!report.ok) throw new Error(`a defect: ${JSON.stringify(report.classes)}`);
  const { blocks, transactions, bytes } = report;
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  return { blocks, transactions, bytes, ms, cpuMs: (user + system) / 1000, peakBytes };
}

process.stdout.write(
  `${JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as AuditJob))}\n`,
);
