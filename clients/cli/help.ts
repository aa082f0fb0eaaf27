import type { Command } from './command.ts';
import { commandGroups, groupOf } from './command-groups.ts';
import { commonOptionsOf, shortUsage } from './common-options.ts';
import { exitStatusTexts } from './exit-status.ts';
import { jsonShapes } from './json-shapes.ts';
import { optionText } from './option-texts.ts';
import { paint, type Terminal } from './terminal.ts';

/** Everything there is, by noun. */
export function overviewText(terminal: Terminal, commands: readonly Command[]): string {
  const width = Math.max(...commandGroups.map(([name]) => name.length));
  const lines = commandGroups.map(([name, summary]) => {
    const verbs = verbsOf(name, commands).join(', ');
    return `  ${paint(terminal, 'bold', name.padEnd(width))}  ${summary}${verbs && `\n  ${' '.repeat(width)}  ${paint(terminal, 'dim', verbs)}`}`;
  });
  const statuses = exitStatusTexts.map(
    ([status, text]) => `  ${String(status).padEnd(3)}  ${text}`,
  );
  return [
    'concordat <noun> <verb> [arguments]',
    '',
    ...lines,
    '',
    'concordat help <noun> lists its verbs, concordat help <noun> <verb> tells all of one.',
    '',
    'Exit status',
    ...statuses,
    '',
  ].join('\n');
}

const verbsOf = (group: string, commands: readonly Command[]): string[] =>
  commands
    .filter(({ name }) => name.startsWith(`${group} `))
    .map(({ name }) => name.slice(group.length + 1));

/** The verbs of one noun, with an example of each that has one. */
export function groupText(group: string, commands: readonly Command[]): string {
  const shown = commands.filter(({ name }) => groupOf(name) === group);
  const summary = commandGroups.find(([name]) => name === group)?.[1] ?? '';
  const width = Math.max(...shown.map(({ name }) => name.length));
  const lines = shown.map(({ name, summary: what }) => `  ${name.padEnd(width)}  ${what}`);
  const examples = shown.flatMap((command) => command.examples?.slice(0, 1) ?? []);
  return [
    `concordat ${group}: ${summary}`,
    '',
    ...lines,
    ...(examples.length > 0 ? ['', 'Examples', ...examples.map(exampleLine)] : []),
    '',
    `concordat help ${group} <verb> tells all of one.`,
    '',
  ].join('\n');
}

/** All of one command. */
export function commandText(command: Command): string {
  const { summary, details, examples = [] } = command;
  const common = commonOptionsOf(command);
  const rows = optionRows(command);
  const own = rows.filter(([, , name]) => !common || !(name in common.options));
  const shared = rows.filter((row) => !own.includes(row));
  const shape = 'json' in command.options && jsonShapes[command.name];
  const width = Math.max(0, ...rows.map(([option]) => option.length));
  const lines = (of: typeof rows): string[] =>
    of.map(([option, text]) => `  ${option.padEnd(width)}  ${text}`);
  return [
    `concordat ${command.name}: ${summary}`,
    '',
    `  ${shortUsage(command)}`,
    ...(details ? ['', details] : []),
    ...(own.length > 0 ? ['', 'Options', ...lines(own)] : []),
    ...(common ? ['', `${common.word} ${common.meaning}`, ...lines(shared)] : []),
    ...(shape ? ['', `With --json: ${shape}`] : []),
    ...(examples.length > 0 ? ['', 'Examples', ...examples.map(exampleLine)] : []),
    '',
  ].join('\n');
}

const exampleLine = (example: string): string => `  concordat ${example}`;

/** The options of a command, each with what it takes and what it is for. */
export function optionRows(command: Command): [shown: string, text: string, name: string][] {
  return Object.entries(command.options).map(([name, declaration]) => {
    const takes = declaration.type === 'boolean' ? '' : ' …';
    const { default: initial } = declaration;
    const otherwise = typeof initial === 'string' ? ` (default ${initial})` : '';
    const many = declaration.multiple === true ? '; may be given several times' : '';
    return [`--${name}${takes}`, `${optionText(command.name, name)}${many}${otherwise}`, name];
  });
}
