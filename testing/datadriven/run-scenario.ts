import { DatadrivenError, placed } from './errors.ts';
import { parseScenario, type ScenarioLine } from './scenario-file.ts';
import { ScenarioNetwork } from './scenario-network.ts';
import { ScenarioSafety } from './scenario-safety.ts';
import { stateLine } from './scenario-state.ts';
import { verbs } from './scenario-verbs.ts';

/**
 * Replays a scenario against our consensus. After each line that can change something no commit may be
 * unsafe; at its end the network must be able to agree. Answers the number of lines carried out;
 * `tell` hears every line and what it leads to.
 * @throws DatadrivenError with file and line
 */
export function runScenario(file: string, text: string, tell?: (line: string) => void): number {
  const network = new ScenarioNetwork();
  const safety = new ScenarioSafety();
  let carriedOut = 0;
  for (const line of parseScenario(text)) {
    try {
      carryOut(network, line, tell);
      safety.check(network);
    } catch (error) {
      throw placed(error, file, line.line);
    }
    carriedOut += 1;
  }
  return carriedOut;
}

function carryOut(
  network: ScenarioNetwork,
  { line, verb: name, items }: ScenarioLine,
  tell: (line: string) => void = () => undefined,
): void {
  tell(`${line}: ${[name, ...items].join(',')}`);
  const verb = name === 'end' ? verbs.get('loop_until_sync') : verbs.get(name);
  if (!verb) throw new DatadrivenError('UNKNOWN_COMMAND', `there is no verb ${name}`);
  if (items.length < verb.least || items.length > verb.most) {
    throw new DatadrivenError('BAD_ARGUMENT', `${name} does not take ${items.length} words`);
  }
  verb.do(network, items, (words) => tell(`    ${words}`));
  if (verb.changes) for (const node of network.all()) tell(`        ${stateLine(node)}`);
}
