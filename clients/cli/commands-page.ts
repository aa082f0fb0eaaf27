import type { Command } from './command.ts';
import { commandGroups, groupOf } from './command-groups.ts';
import { commonOptions, commonOptionsOf, shortUsage } from './common-options.ts';
import { exitStatusTexts } from './exit-status.ts';
import { optionRows } from './help.ts';
import { jsonShapes } from './json-shapes.ts';

/** `docs/operate/commands.md`, from the table of commands. */
export function renderCommandsPage(commands: readonly Command[]): string {
  const groups = commandGroups.flatMap(([group, summary]) => {
    const own = commands.filter(({ name }) => groupOf(name) === group);
    return [`## ${group}`, '', `${sentence(summary)}`, '', ...own.flatMap(commandLines)];
  });
  return `${[
    '# Commands',
    '',
    'Generated from the table of commands in `clients/cli` by `node scripts/write-commands-page.ts`; do not',
    'edit. `concordat` is `npm run --silent concordat --` in the repository, or `npx concordat` where it is',
    'linked. `concordat help <noun> <verb>` prints what stands here; [governing](governing.md) and',
    '[joining](joining.md) say what to do when.',
    '',
    'With `--json` a command prints one line of JSON, and an error is one line on standard error:',
    '`{"error":{"code","message","remedy"?,"details"?}}`. Properties may be added; none is renamed. Colours',
    'are for terminals alone, and off with `NO_COLOR`. Completion for a shell: `concordat completion bash`.',
    '',
    '| exit status | |',
    '|---|---|',
    ...exitStatusTexts.map(([status, text]) => `| ${status} | ${text} |`),
    '',
    ...commonLines(),
    ...groups,
  ]
    .join('\n')
    .trimEnd()}\n`;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function commandLines(command: Command): string[] {
  const { name, summary, details, examples = [] } = command;
  const common = commonOptionsOf(command)?.options ?? {};
  const options = optionRows(command).filter(([, , option]) => !(option in common));
  const shape = 'json' in command.options && jsonShapes[name];
  return [
    `### ${name}`,
    '',
    sentence(summary) + (details ? ` ${escaped(details)}` : ''),
    '',
    '```text',
    shortUsage(command),
    ...(examples.length > 0 ? ['', ...examples.map((example) => `concordat ${example}`)] : []),
    '```',
    '',
    ...(options.length > 0
      ? [...options.map(([option, text]) => optionLine(option, text)), '']
      : []),
    ...(shape ? [`JSON: ${escaped(shape)}`, ''] : []),
  ];
}

/** What the words in usage lines stand for. */
function commonLines(): string[] {
  const { options } = commonOptions[0] as (typeof commonOptions)[number];
  const stand = { name: '', summary: '', usage: '', options, run: async () => 0 } as Command;
  return [
    '## Options that many commands take',
    '',
    '| in usage lines | |',
    '|---|---|',
    ...commonOptions.map(({ word, meaning, usage }) => {
      const inner = commonOptions.find((one) => one.usage !== usage && usage.includes(one.usage));
      const short = inner ? usage.replace(inner.usage, inner.word) : usage;
      return `| \`${word}\` | ${meaning}: \`${short.replaceAll('|', '\\|')}\` |`;
    }),
    '',
    ...optionRows(stand).map(([option, text]) => optionLine(option, text)),
    '',
  ];
}

const optionLine = (option: string, text: string): string => `* \`${option}\` ${escaped(text)}`;

/** What Markdown would take for its own. */
const escaped = (text: string): string =>
  text.replaceAll('|', '\\|').replaceAll('<', '\\<').replaceAll('[', '\\[').replaceAll('*', '\\*');
