import { readFile, writeFile } from 'node:fs/promises';
import { type LedgerReport, verifyLedger } from '@concordat/auditor';
import { createOrganisation, issueStaffIdentity, saveIdentity } from '@concordat/sdk';
import { type Command, type Invocation, required } from './command.ts';
import { identityOf, identityOptions, identityUsage } from './connection-options.ts';
import { CliError } from './errors.ts';
import { ledgerOf, ledgerOptions, ledgerUsage } from './ledger-options.ts';
import { receiptCommands } from './receipt-commands.ts';
import type { NodeStatus } from './sandbox/node-process.ts';
import { nodeTuple } from './sandbox/node-tuple.ts';
import { formatCount, paint, renderTable } from './terminal.ts';
import { tokenOptions, tokenUsage } from './token-options.ts';

const ledgerVerify: Command = {
  name: 'ledger verify',
  summary: 'verify a ledger offline: every block, signature and, with epoch keys, every byte',
  usage: `${ledgerUsage} [--json]`,
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

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new CliError('USAGE', `${file}: ${(error as Error).message}`);
  }
}

const keysOrganisation: Command = {
  name: 'keys organisation',
  summary: 'make an organisation’s key and certificate, as the membership list will hold it',
  usage: '--name name --certificate file --key file',
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
  name: 'keys staff',
  summary: 'issue a certificate to a person or service of an organisation',
  usage: `--name name --issuer-certificate file (--issuer-key file | --pkcs11-key key ${tokenUsage}) --certificate file --key file`,
  options: {
    name: { type: 'string' },
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
    const staff = issueStaffIdentity(organisation, { name: required(invocation, 'name') });
    await saveIdentity(staff, files);
    invocation.terminal.write(
      `Wrote ${files.certificateFile} and ${files.keyFile} (keep it secret).\n`,
    );
    return 0;
  },
};

const nodeTupleCommand: Command = {
  name: 'node tuple',
  summary:
    'sign a new node with its owner’s key: the arguments of add_node, for a member to propose',
  usage: `<status.json of its host> ${identityUsage} [--output file]`,
  positionals: 1,
  options: {
    ...identityOptions,
    output: { type: 'string' },
  },
  run: async (invocation) => {
    const [file] = invocation.positionals;
    if (!file)
      throw new CliError('USAGE', 'name the status.json in the data directory of its host');
    const { manager } = (await readJson(file)) as { manager?: NodeStatus };
    if (!manager?.node) throw new CliError('USAGE', `${file} does not tell of a node yet`);
    const owner = await identityOf(invocation);
    const actions = [{ name: 'add_node', args: nodeTuple(owner, manager) }];
    const text = `${JSON.stringify(actions, undefined, 2)}\n`;
    const { output } = invocation.options;
    if (typeof output === 'string') {
      await writeFile(output, text);
      invocation.terminal.write(
        `Wrote ${output}. A member submits it with: npm run concordat -- propose ${output}\n`,
      );
    } else {
      invocation.terminal.write(text);
    }
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
  nodeTupleCommand,
  ...receiptCommands,
  ledgerVerify,
];
