import type { Command } from './command.ts';
import { commandGroups } from './command-groups.ts';
import { CliError } from './errors.ts';

/** What a shell needs to know of a command. */
interface Completed {
  /** Words after `concordat`. */
  readonly words: readonly string[];
  readonly summary: string;
  /** With two hyphens. */
  readonly options: readonly string[];
}

const shells = ['bash', 'zsh', 'fish'] as const;

/**
 * `concordat completion`: a script for a shell, with everything in it: completing starts no program.
 * @param all the commands to complete, asked when it runs
 */
export const completionCommand = (all: () => readonly Command[]): Command => ({
  name: 'completion',
  summary: 'print a script that completes commands and options in a shell',
  usage: shells.join(' | '),
  positionals: 1,
  options: {},
  examples: [
    'completion bash > ~/.local/share/bash-completion/completions/concordat',
    'completion zsh > ~/.zfunc/_concordat',
    'completion fish > ~/.config/fish/completions/concordat.fish',
  ],
  run: async ({ positionals: [shell], terminal }) => {
    const commands = all().map(completed);
    if (shell === 'bash') terminal.write(bashScript(commands));
    else if (shell === 'zsh') terminal.write(zshScript(commands));
    else if (shell === 'fish') terminal.write(fishScript(commands));
    else throw new CliError('USAGE', `name a shell: ${shells.join(', ')}`);
    return 0;
  },
});

const completed = ({ name, summary, options }: Command): Completed => ({
  words: name.split(' '),
  summary,
  options: [...Object.keys(options), 'help'].map((option) => `--${option}`),
});

/** First words with their summaries; `help` beside them. */
function firstWords(): (readonly [string, string])[] {
  return [...commandGroups, ['help', 'explain a noun or a command']];
}

const verbsOf = (commands: readonly Completed[], noun: string): Completed[] =>
  commands.filter(({ words }) => words[0] === noun && words.length === 2);

const nounsWithVerbs = (commands: readonly Completed[]): string[] => [
  ...new Set(
    commands.flatMap(({ words: [noun = '', verb] }) => (verb === undefined ? [] : [noun])),
  ),
];

function bashScript(commands: readonly Completed[]): string {
  const nouns = firstWords().map(([name]) => name);
  const verbs = nounsWithVerbs(commands).map((noun) => {
    const list = verbsOf(commands, noun).map(({ words }) => words[1]);
    return `    ${noun}) verbs="${list.join(' ')}" ;;`;
  });
  const options = commands.map(
    ({ words, options: list }) => `    "${words.join(' ')}") options="${list.join(' ')}" ;;`,
  );
  return `# bash completion of concordat; written by "concordat completion bash"
_concordat() {
  local current="\${COMP_WORDS[COMP_CWORD]}" noun="\${COMP_WORDS[1]}" verb="\${COMP_WORDS[2]}"
  local verbs="" options="" at=1
  COMPREPLY=()
  if [ "$noun" = help ] && [ "$COMP_CWORD" -gt 1 ]; then
    noun="\${COMP_WORDS[2]}" verb="\${COMP_WORDS[3]}" at=2
  fi
  if [ "$COMP_CWORD" -eq "$at" ]; then
    COMPREPLY=($(compgen -W "${nouns.join(' ')}" -- "$current"))
    return
  fi
  case "$noun" in
${verbs.join('\n')}
  esac
  if [ "$COMP_CWORD" -eq $((at + 1)) ] && [ -n "$verbs" ]; then
    COMPREPLY=($(compgen -W "$verbs" -- "$current"))
    return
  fi
  [ "$at" -eq 2 ] && return
  [ -z "$verbs" ] && verb=""
  case "$noun\${verb:+ $verb}" in
${options.join('\n')}
  esac
  if [ "\${current:0:1}" = - ]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _concordat concordat
`;
}

/** A text inside single quotes of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function zshScript(commands: readonly Completed[]): string {
  const describe = (entries: readonly (readonly [string, string])[]): string =>
    entries.map(([word, text]) => quoted(`${word}:${text}`)).join(' ');
  const verbs = nounsWithVerbs(commands).map((noun) => {
    const list = verbsOf(commands, noun).map(
      ({ words, summary }) => [words[1] ?? '', summary] as const,
    );
    return `    ${noun}) verbs=(${describe(list)}) ;;`;
  });
  const options = commands.map(
    ({ words, options: list }) =>
      `    ${quoted(words.join(' '))}) options=(${list.map(quoted).join(' ')}) ;;`,
  );
  return `#compdef concordat
# zsh completion of concordat; written by "concordat completion zsh"
_concordat() {
  local -a nouns verbs options
  local at=2 noun=$words[2] verb=$words[3]
  nouns=(${describe(firstWords())})
  if [[ $noun == help && $CURRENT -gt 2 ]]; then
    noun=$words[3] verb=$words[4] at=3
  fi
  if (( CURRENT == at )); then
    _describe noun nouns
    return
  fi
  case $noun in
${verbs.join('\n')}
  esac
  if (( CURRENT == at + 1 && \${#verbs} > 0 )); then
    _describe verb verbs
    return
  fi
  (( at == 3 )) && return
  (( \${#verbs} == 0 )) && verb=
  case "$noun\${verb:+ $verb}" in
${options.join('\n')}
  esac
  if [[ $words[CURRENT] == -* ]]; then
    compadd -- $options
  else
    _files
  fi
}
if [[ $funcstack[1] == _concordat ]]; then _concordat "$@"; else compdef _concordat concordat; fi
`;
}

function fishScript(commands: readonly Completed[]): string {
  const lines = [
    '# fish completion of concordat; written by "concordat completion fish"',
    'complete -c concordat -f -n "test (count (commandline -opc)) -eq 1"',
  ];
  const first = 'test (count (commandline -opc)) -eq 1';
  for (const [noun, summary] of firstWords()) {
    lines.push(`complete -c concordat -n "${first}" -a ${noun} -d ${fishQuoted(summary)}`);
  }
  for (const { words, summary, options } of commands) {
    const [noun = '', verb] = words;
    const seen = '(commandline -opc)';
    if (verb !== undefined) {
      const here = `set -l w ${seen}; test (count $w) -eq 2; and test $w[2] = ${noun}`;
      lines.push(
        `complete -c concordat -f -n ${fishQuoted(here)} -a ${verb} -d ${fishQuoted(summary)}`,
      );
    }
    const second = verb === undefined ? '' : `; and test "$w[3]" = ${verb}`;
    const chosen = `set -l w ${seen}; test (count $w) -ge ${words.length + 1}; and test "$w[2]" = ${noun}${second}`;
    for (const option of options) {
      lines.push(`complete -c concordat -n ${fishQuoted(chosen)} -l ${option.slice(2)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const fishQuoted = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
