import { type LedgerReport, verifyLedger } from '@concordat/auditor';
import { createOrganisation, issueStaffIdentity, saveIdentity } from '@concordat/sdk';
import { type Command, type Invocation, required } from './command.ts';
import { identityOf } from './connection-options.ts';
import { ledgerOf, ledgerOptions, ledgerUsage } from './ledger-options.ts';
import { receiptCommands } from './receipt-commands.ts';
import { formatCount, paint, renderTable } from './terminal.ts';
import { tokenOptions, tokenUsage } from './token-options.ts';

const ledgerVerify: Command = {
  name: 'ledger verify',
  summary: 'verify a ledger offline: every block, signature and, with epoch keys, every byte',
  usage: `${ledgerUsage} [--json]`,
  examples: ['ledger verify vn2', 'ledger verify /backup/ledger --network-certificate network.pem'],
  positionals: 1,
  options: ledgerOptions,
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const { directory, networkCertificate, epochKeys } = await ledgerOf(invocation);
    let blocks = 0;
    const report = await verifyLedger({
      directory,
      networkCertificate,
      ...(epochKeys && { epochKeys }),
      onBlock: () => {
        blocks += 1;
        if (terminal.interactive && blocks % 500 === 0) {
          terminal.write(`\r  ${formatCount(blocks)} blocks verified`);
        }
      },
    });
    if (terminal.interactive) terminal.write('\r\u001b[2K');
    if (options.json === true) terminal.write(`${JSON.stringify(report)}\n`);
    else printReport(invocation, report, directory);
    return report.ok ? 0 : 1;
  },
};

function printReport({ terminal }: Invocation, report: LedgerReport, directory: string): void {
  const verdict = report.ok
    ? paint(terminal, 'green', 'The ledger is intact.')
    : paint(terminal, 'red', 'The ledger is damaged.');
  terminal.write(`${verdict} ${directory}\n`);
  const rows = [
    ['network', `${report.networkName ?? '?'} ${report.networkId ?? ''}`],
    ['blocks', formatCount(report.blocks)],
    ['transactions', formatCount(report.transactions)],
    ['first, last', `${report.first?.transactionId ?? '-'}, ${report.last?.transactionId ?? '-'}`],
    ['history root', report.last?.historyRoot ?? '-'],
    ...report.epochs.map(({ epoch, blocks, contents }) => [
      `epoch ${epoch}`,
      `${formatCount(blocks)} blocks, ${contents ? 'contents verified' : 'chain and signatures only'}`,
    ]),
  ];
  terminal.write(renderTable(['', ''], rows).split('\n').slice(2).join('\n'));
  if (report.tornBytes > 0) {
    terminal.write(`  ${report.tornBytes} bytes of a block being written at the end\n`);
  }
  const { damage } = report;
  if (damage) terminal.write(`  ${JSON.stringify(damage)}\n`);
}

const keysOrganisation: Command = {
  name: 'key organisation',
  summary: 'make an organisation’s key and certificate, as the membership list will hold it',
  usage: '--name name --certificate file --key file',
  examples: ['key organisation --name dune-logistics --certificate dune.pem --key dune-key.pem'],
  options: {
    name: { type: 'string' },
    certificate: { type: 'string' },
    key: { type: 'string' },
  },
  run: async (invocation) => {
    const files = filesOf(invocation);
    await saveIdentity(createOrganisation({ name: required(invocation, 'name') }), files);
    invocation.terminal.write(
      `Wrote ${files.certificateFile} and ${files.keyFile} (keep it secret).\n`,
    );
    return 0;
  },
};

const keysStaff: Command = {
  name: 'key staff',
  summary: 'issue a certificate to a person or service of an organisation',
  examples: [
    'key staff --name "Ann Li" --issuer-certificate dune.pem --issuer-key dune-key.pem --certificate ann.pem --key ann-key.pem',
  ],
  usage: `--name name [--role role ...] --issuer-certificate file (--issuer-key file | --pkcs11-key key ${tokenUsage}) --certificate file --key file`,
  options: {
    name: { type: 'string' },
    role: { type: 'string', multiple: true },
    'issuer-certificate': { type: 'string' },
    'issuer-key': { type: 'string' },
    ...tokenOptions,
    'pkcs11-key': { type: 'string' },
    certificate: { type: 'string' },
    key: { type: 'string' },
  },
  run: async (invocation) => {
    const files = filesOf(invocation);
    const issuer = { certificate: 'issuer-certificate', key: 'issuer-key' };
    const organisation = await identityOf(invocation, issuer);
    const staff = issueStaffIdentity(organisation, {
      name: required(invocation, 'name'),
      roles: (invocation.options.role as readonly string[] | undefined) ?? [],
    });
    await saveIdentity(staff, files);
    invocation.terminal.write(
      `Wrote ${files.certificateFile} and ${files.keyFile} (keep it secret).\n`,
    );
    return 0;
  },
};

const filesOf = (invocation: Invocation) => ({
  certificateFile: required(invocation, 'certificate'),
  keyFile: required(invocation, 'key'),
});

/** Commands on keys, receipts and ledgers. */
export const proofCommands: readonly Command[] = [
  keysOrganisation,
  keysStaff,
  ...receiptCommands,
  ledgerVerify,
];
