import { quorumSize } from '@concordat/consensus';
import { DatadrivenError } from './errors.ts';
import type { ScenarioNetwork } from './scenario-network.ts';
import type { ScenarioNode } from './scenario-node.ts';
import { activeConfigurations, prefixText } from './scenario-state.ts';

/**
 * What a node holds as committed is in the logs of a majority of its configuration.
 * @throws DatadrivenError UNSAFE
 */
export function checkCommit(network: ScenarioNetwork, node: ScenarioNode): void {
  const { committed } = node.machine.status;
  if (committed === 0) return;
  const prefix = prefixText(node, committed);
  for (const { index, words } of activeConfigurations(node)) {
    if (index > node.commitIndex) continue;
    const holders = words.filter((name) => {
      const other = network.nodes.get(name);
      return other !== undefined && prefixText(other, committed) === prefix;
    });
    if (holders.length >= quorumSize(words.length)) continue;
    const where = `only ${holders.length} of ${words.join(' ')} hold it`;
    throw new DatadrivenError('UNSAFE', `${node.name} has committed ${node.commitIndex}, ${where}`);
  }
}

/** Watches what must hold whatever a scenario does. */
export class ScenarioSafety {
  readonly #leaders = new Map<number, string>();
  #committed = '';
  #committedHeight = 0;

  /**
   * Every commit is held by a majority, no two nodes commit different entries, no view has two leaders.
   * @throws DatadrivenError UNSAFE
   */
  check(network: ScenarioNetwork): void {
    for (const node of network.all()) {
      checkCommit(network, node);
      this.#checkAgreement(node);
      if (!node.leads) continue;
      const { view } = node.machine.status;
      const leader = this.#leaders.get(view) ?? node.name;
      this.#leaders.set(view, node.name);
      if (leader !== node.name) {
        throw new DatadrivenError('UNSAFE', `${leader} and ${node.name} both lead view ${view}`);
      }
    }
  }

  #checkAgreement(node: ScenarioNode): void {
    const { committed } = node.machine.status;
    const prefix = prefixText(node, committed);
    const longer = committed > this.#committedHeight;
    const [short, long] = longer ? [this.#committed, prefix] : [prefix, this.#committed];
    if (!long.startsWith(short)) {
      throw new DatadrivenError('UNSAFE', `${node.name} commits what others did not`);
    }
    if (longer) {
      this.#committed = prefix;
      this.#committedHeight = committed;
    }
  }
}
