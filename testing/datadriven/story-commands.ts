import { type Arguments, type CommandLine, parseCommandLine } from './command-line.ts';
import { DatadrivenError } from './errors.ts';
import { forgeCommands } from './forge-commands.ts';
import { lookCommands } from './look-commands.ts';
import { nodeCommands } from './node-commands.ts';
import type { Execute } from './run-story.ts';
import { snapshotCommands } from './snapshot-commands.ts';
import type { StoryNetwork } from './story-network.ts';
import { createNetwork } from './story-settings.ts';
import { wireCommands } from './wire-commands.ts';

/** Carries out one command on a network; what it says goes to the network's trace. */
export type Command = (network: StoryNetwork, given: Arguments, input: readonly string[]) => void;

const commands: ReadonlyMap<string, Command> = new Map([
  ...Object.entries(nodeCommands),
  ...Object.entries(wireCommands),
  ...Object.entries(lookCommands),
  ...Object.entries(forgeCommands),
  ...Object.entries(snapshotCommands),
]);

/** Commands whose indented input lines mean something. */
const takesInput = new Set(['do', 'propose']);

/** A teller of stories: the commands of README.md on a network of its own. */
export function createStoryTeller(): Execute {
  let network: StoryNetwork | undefined;
  return (text, input) => {
    const line = parseCommandLine(text);
    if (input.length > 0 && !takesInput.has(line.name)) {
      throw new DatadrivenError('BAD_ARGUMENT', `${line.name} takes no input lines`);
    }
    if (line.name === 'network') {
      network = createNetwork(line.arguments);
    } else {
      if (!network) throw new DatadrivenError('BAD_ARGUMENT', 'no network yet: network voters=abc');
      if (line.name === 'do') doEach(network, line, input);
      else execute(network, line, input);
    }
    const trace = network.takeTrace();
    return trace.length > 0 ? trace : ['nothing happens'];
  };
}

/** Each input line is a command; its trace stands under it. */
function doEach(network: StoryNetwork, line: CommandLine, input: readonly string[]): void {
  line.arguments.done();
  if (input.length === 0) throw new DatadrivenError('BAD_ARGUMENT', 'do takes commands as input');
  for (const text of input) {
    network.say(`> ${text}`);
    execute(network, parseCommandLine(text), []);
  }
}

function execute(network: StoryNetwork, line: CommandLine, input: readonly string[]): void {
  const command = commands.get(line.name);
  if (!command) throw new DatadrivenError('UNKNOWN_COMMAND', `there is no command ${line.name}`);
  command(network, line.arguments, input);
  line.arguments.done();
}
