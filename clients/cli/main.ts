import { appCommands } from './app/app-commands.ts';
import { deploymentCommands } from './app/deployment-commands.ts';
import { auditVerify } from './audit-command.ts';
import { auditGrantCommands } from './audit-grant-commands.ts';
import { type Command, runCommand, selectCommand, usageOf } from './command.ts';
import { recoverDecrypt } from './decrypt-command.ts';
import { CliError, explain } from './errors.ts';
import { gatewayCommand } from './gateway-command.ts';
import { governanceCommands } from './governance-commands.ts';
import { keyCommands } from './key-commands.ts';
import { proofCommands } from './proof-commands.ts';
import { recoverKeys, recoverShares } from './recover-commands.ts';
import { recoverNetworkCommands } from './recover-network-commands.ts';
import { sandboxCommands } from './sandbox-commands.ts';
import { sandboxKeys } from './sandbox-keys-command.ts';
import { startCommand } from './start-command.ts';
import { paint, processTerminal } from './terminal.ts';
import { tokenCommands } from './token-commands.ts';
import { takePin } from './token-options.ts';

const commands: readonly Command[] = [
  startCommand,
  ...sandboxCommands,
  sandboxKeys,
  ...governanceCommands,
  ...appCommands,
  ...deploymentCommands,
  ...proofCommands,
  auditVerify,
  ...auditGrantCommands,
  ...keyCommands,
  ...tokenCommands,
  recoverKeys,
  recoverShares,
  recoverDecrypt,
  ...recoverNetworkCommands,
  gatewayCommand,
];

const oldestRuntime = 24;

async function main(args: readonly string[]): Promise<number> {
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < oldestRuntime) {
    throw new CliError(
      'USAGE',
      `this needs Node ${oldestRuntime} or later; "npm ci" installs it where a package exists`,
    );
  }
  const selected = selectCommand(commands, args);
  if (!selected) return help(args);
  if (selected.rest.includes('--help')) {
    processTerminal.write(`${selected.command.summary}\n  usage: ${usageOf(selected.command)}\n`);
    return 0;
  }
  return runCommand(selected.command, selected.rest);
}

function help(args: readonly string[]): number {
  const [first = ''] = args;
  const asked = ['', 'help', '--help'].includes(first);
  // Half of a name is a question about what begins so.
  const begun = commands.filter(({ name }) => name.startsWith(`${first} `));
  const isHalf = args.length === 1 && begun.length > 0;
  const shown = isHalf ? begun : commands;
  const width = Math.max(...shown.map(({ name }) => name.length));
  const lines = shown.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  const heading = isHalf
    ? `concordat ${first} <command> [--help]`
    : asked
      ? 'concordat <command> [--help]'
      : `there is no command "${args.join(' ')}"`;
  processTerminal.write(`${heading}\n\n${lines.join('\n')}\n`);
  return asked || isHalf ? 0 : 2;
}

// A reader that has seen enough, such as head, is no failure.
process.stdout.on('error', () => {});

takePin();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${paint(processTerminal, 'red', 'error')} ${explain(error)}\n`);
  process.exitCode = error instanceof CliError && error.code === 'USAGE' ? 2 : 1;
}
