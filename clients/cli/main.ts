import { runCommand, selectCommand } from './command.ts';
import { commandGroups } from './command-groups.ts';
import { commands } from './commands.ts';
import { CliError, explain, explainAsJson } from './errors.ts';
import { exitStatus, statusOfError } from './exit-status.ts';
import { commandText, groupText, overviewText } from './help.ts';
import { errorTerminal, paint, processTerminal } from './terminal.ts';
import { takePin } from './token-options.ts';

const oldestRuntime = 24;

async function main(args: readonly string[]): Promise<number> {
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < oldestRuntime) {
    throw new CliError(
      'USAGE',
      `this needs Node ${oldestRuntime} or later; "npm ci" installs it where a package exists`,
    );
  }
  const asked = args[0] === 'help' ? args.slice(1) : args;
  const isQuestion = args[0] === 'help' || args.includes('--help');
  const selected = selectCommand(commands, asked);
  if (selected && !isQuestion) return runCommand(selected.command, selected.rest);
  if (selected) processTerminal.write(commandText(selected.command));
  else explainWords(asked.filter((word) => word !== '--help'));
  return exitStatus.done;
}

/** Half of a name is a question about what begins so. @throws CliError USAGE */
function explainWords(words: readonly string[]): void {
  const [group = '', ...rest] = words;
  if (group === '') processTerminal.write(overviewText(processTerminal, commands));
  else if (rest.length === 0 && commandGroups.some(([name]) => name === group)) {
    processTerminal.write(groupText(group, commands));
  } else throw new CliError('USAGE', noSuchCommand(group, rest));
}

function noSuchCommand(group: string, [verb]: readonly string[]): string {
  const verbs = commands.flatMap(({ name }) => (name.startsWith(`${group} `) ? [name] : []));
  if (verbs.length === 0) {
    const meant = commandGroups.find(([name]) => name.slice(0, 3) === group.slice(0, 3))?.[0];
    const hint =
      meant === undefined ? '"concordat help"' : `"concordat help ${meant}" or "concordat help"`;
    return `there is no "${group}": ${hint} lists what there is`;
  }
  return `there is no "${group} ${verb}", only ${verbs.join(', ')}`;
}

// A reader that has seen enough, such as head, is no failure.
process.stdout.on('error', () => {});

takePin();
const args = process.argv.slice(2);
try {
  process.exitCode = await main(args);
} catch (error) {
  const told = args.includes('--json')
    ? explainAsJson(error)
    : `${paint(errorTerminal, 'red', 'error')} ${explain(error)}`;
  process.stderr.write(`${told}\n`);
  process.exitCode = statusOfError(error);
}
