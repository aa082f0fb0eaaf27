import { readFile, writeFile } from 'node:fs/promises';
import { CryptoError, certificateFingerprint, fromPem, subjectOf } from '@concordat/crypto';
import { type AdminClient, type ExaminedReceipt, examineReceipt } from '@concordat/sdk';
import type { Command, Invocation } from './command.ts';
import { connect, connectionOptions, connectionUsage, sandboxNode } from './connection-options.ts';
import { CliError } from './errors.ts';
import { defaultSandboxDirectory } from './sandbox/layout.ts';
import { paint, renderTable } from './terminal.ts';

const receiptGet: Command = {
  name: 'receipt get',
  summary: 'fetch the receipt of a committed transaction and verify it',
  usage: `<view.seqno> [--cose] [--output file] ${connectionUsage}`,
  positionals: 1,
  options: { ...connectionOptions, output: { type: 'string' }, cose: { type: 'boolean' } },
  examples: [
    'receipt get 2.17 --output receipt.json',
    'receipt get 2.17 --cose --output receipt.cose',
  ],
  run: async (invocation) => {
    const [id] = invocation.positionals;
    if (!id) throw new CliError('USAGE', 'name a transaction as view.seqno, like 2.17');
    const { output, cose } = invocation.options;
    if (cose === true && typeof output !== 'string') {
      throw new CliError('USAGE', 'a COSE receipt is binary: name a file with --output');
    }
    const { admin } = await connect(invocation);
    const bytes = await receiptOf(admin, id, cose === true).finally(() => admin.close());
    if (typeof output === 'string') {
      await writeFile(output, bytes);
      invocation.terminal.write(
        `Wrote ${output}: it proves that transaction ${id} is in the ledger (verified just now).\n`,
      );
    } else {
      invocation.terminal.write(String(bytes));
      process.stderr.write(
        `Verified: transaction ${id} is in the ledger. Keep it with --output file; "receipt verify" checks it offline.\n`,
      );
    }
    return 0;
  },
};

/** The receipt of a transaction, without waiting for one that nobody has sent. */
async function receiptOf(
  admin: AdminClient,
  id: string,
  cose: boolean,
): Promise<string | Uint8Array> {
  const { status } = await admin.transaction(id);
  if (status === 'Unknown') {
    const last = await admin.commit();
    const why = `this node has heard of no transaction ${id}; its last committed one is ${last.transaction_id}`;
    throw new CliError('NO_SUCH_TRANSACTION', why);
  }
  if (cose) return admin.coseReceipt(id);
  return `${JSON.stringify(await admin.receipt(id), undefined, 2)}\n`;
}

const receiptVerify: Command = {
  name: 'receipt verify',
  summary: 'verify a receipt, JSON or COSE, offline with the network’s certificate',
  usage: '<file> [--network-certificate file] [--directory sandbox] [--json]',
  positionals: 1,
  options: {
    directory: { type: 'string', default: defaultSandboxDirectory },
    'network-certificate': { type: 'string' },
    json: { type: 'boolean' },
  },
  examples: ['receipt verify receipt.json --network-certificate network.pem'],
  run: async (invocation) => {
    const [file] = invocation.positionals;
    if (!file) throw new CliError('USAGE', 'name a file with a receipt');
    const networkCertificate = await pinnedCertificate(invocation);
    const examined = examineReceipt(await readFile(file), networkCertificate);
    const { form, verdict } = examined;
    const { terminal, options } = invocation;
    if (options.json === true) {
      terminal.write(`${JSON.stringify({ form, ...verdict })}\n`);
      return verdict.ok ? 0 : 1;
    }
    if (!verdict.ok) throw new CliError('VERIFICATION_FAILED', `${verdict.code}: ${verdict.why}`);
    const said = `Transaction ${verdict.transactionId} is in the ledger.`;
    terminal.write(`${paint(terminal, 'green', said)}\n`);
    const rows = rowsOf(examined, networkCertificate);
    terminal.write(renderTable(['', ''], rows).split('\n').slice(2).join('\n'));
    return 0;
  },
};

async function pinnedCertificate(invocation: Invocation): Promise<string> {
  const file = invocation.options['network-certificate'];
  if (typeof file === 'string') return readFile(file, 'utf8');
  return readFile((await sandboxNode(invocation)).layout.networkCertificate, 'utf8');
}

const noClaims = '0'.repeat(64);

/** What a receipt that verifies says, line by line. */
export function rowsOf(
  { form, verdict }: ExaminedReceipt,
  networkCertificate: string,
): [string, string][] {
  if (!verdict.ok) return [];
  const { transactionId, claimsDigest, writeSetDigest, root } = verdict;
  const rows: [string, string][] = [
    ['form', form === 'cose' ? 'COSE (RFC 9942)' : 'JSON (CCF)'],
    ['transaction', transactionId],
    ['write set', writeSetDigest],
    ['claims', claimsDigest === noClaims ? 'none' : claimsDigest],
    ['signed root', root],
  ];
  if (form === 'json') rows.push(['signed by', `node ${verdict.nodeId}`]);
  else {
    rows.push(['signed by', `the network's key ${verdict.keyId}`]);
    rows.push(['issued at', new Date(verdict.issuedAtMs).toISOString()]);
    rows.push(['network', verdict.networkId]);
  }
  rows.push(['endorsed by', `${nameOf(networkCertificate)}`]);
  return rows;
}

/** Name and fingerprint of the network's certificate. */
function nameOf(networkCertificate: string): string {
  const [der] = fromPem(networkCertificate);
  if (der === undefined) return '?';
  const fingerprint = certificateFingerprint(der);
  try {
    return `${subjectOf(der).commonName} (certificate ${fingerprint})`;
  } catch (error) {
    if (error instanceof CryptoError) return fingerprint;
    throw error;
  }
}

/** Commands on receipts. */
export const receiptCommands: readonly Command[] = [receiptGet, receiptVerify];
