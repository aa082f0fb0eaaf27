import { readFileSync } from 'node:fs';
import { DatadrivenError } from './errors.ts';
import { runScenario } from './run-scenario.ts';

/**
 * The command `scenario.ts [--trace] FILE...`: replays each file and prints a line for it, with the
 * place of what failed. Answers the exit code: 1 when a scenario failed, 2 when it was misused.
 */
export function replayScenarios(words: readonly string[], print: (line: string) => void): number {
  const trace = words[0] === '--trace';
  const files = trace ? words.slice(1) : words;
  if (files.length === 0 || files.some((file) => file.startsWith('-'))) {
    print('usage: node testing/datadriven/scenario.ts [--trace] FILE...');
    return 2;
  }
  let failed = 0;
  for (const file of files) {
    try {
      const lines = runScenario(file, readFileSync(file, 'utf8'), trace ? print : undefined);
      print(`pass  ${file} (${lines} lines)`);
    } catch (error) {
      failed += 1;
      const code = error instanceof DatadrivenError ? error.code : 'ERROR';
      print(`FAIL  ${error instanceof Error ? error.message : String(error)} [${code}]`);
    }
  }
  print(`${files.length - failed} of ${files.length} scenarios pass`);
  return failed === 0 ? 0 : 1;
}
