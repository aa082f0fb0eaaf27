import { readdirSync } from 'node:fs';
import { attempt, hasCommand, run, runWith, undoLater } from './commands.ts';
import type { Links } from './links.ts';
import type { LocalNode } from './local-node.ts';
import { isAlive } from './processes.ts';

const prefix = 'cc';
const namespaceDirectory = '/run/netns';

/** The firewall of a node's namespace: what comes from these addresses is dropped. */
const firewall = `
table ip cut {
  set from { type ipv4_addr; }
  chain input { type filter hook input priority 0; policy accept; ip saddr @from drop; }
}`;

/**
 * A network namespace for each node's host, joined by a bridge in one more, with the test process
 * at the bridge too. A cut is a firewall rule at the receiver, so that packets are lost as on a
 * real way, and TCP has to find out. Needs root, iproute2 and nftables.
 */
export class NamespaceLinks implements Links {
  readonly hidesNodePorts = false;
  readonly #subnet: string;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #undo: () => void;

  private constructor(numbers: ReadonlyMap<string, number>, subnet: string) {
    this.#numbers = numbers;
    this.#subnet = subnet;
    this.#undo = undoLater(() => {
      for (const number of this.#numbers.values()) attempt(() => deleteNamespace(nameOf(number)));
      attempt(() => deleteNamespace(switchName));
    });
  }

  /** Why this machine cannot do it; undefined when it can. */
  static get missing(): string | undefined {
    if (process.platform !== 'linux') return 'network namespaces exist on Linux only';
    if (process.getuid?.() !== 0) return 'network namespaces need root';
    if (!hasCommand('ip', '-V')) return 'ip is missing: install iproute2';
    if (!hasCommand('nft', '-v')) return 'nft is missing: install nftables';
    try {
      run('ip', 'netns', 'add', nameOf(0));
      run('ip', 'netns', 'delete', nameOf(0));
      return undefined;
    } catch (error) {
      return `network namespaces do not work here: ${(error as Error).message}`;
    }
  }

  /** Prepares a namespace for each node. @throws LocalNetworkError COMMAND_FAILED */
  static open(nodes: readonly string[]): NamespaceLinks {
    sweep();
    const numbers = new Map(nodes.map((name, at) => [name, at + 1]));
    // Benchmarking addresses (RFC 2544): no machine routes them.
    const subnet = `198.${18 + (process.pid & 1)}.${(process.pid >> 1) & 0xff}`;
    const links = new NamespaceLinks(numbers, subnet);
    try {
      links.#build();
    } catch (error) {
      links.close();
      throw error;
    }
    return links;
  }

  #build(): void {
    run('ip', 'netns', 'add', switchName);
    run('ip', '-n', switchName, 'link', 'add', 'bridge0', 'type', 'bridge');
    run('ip', '-n', switchName, 'link', 'set', 'bridge0', 'up');
    for (const number of this.#numbers.values()) {
      const name = nameOf(number);
      run('ip', 'netns', 'add', name);
      const peer = ['peer', 'name', `port${number}`, 'netns', switchName];
      run('ip', '-n', name, 'link', 'add', 'wire', 'type', 'veth', ...peer);
      run('ip', '-n', switchName, 'link', 'set', `port${number}`, 'master', 'bridge0', 'up');
      run('ip', '-n', name, 'address', 'add', `${this.#address(number)}/24`, 'dev', 'wire');
      run('ip', '-n', name, 'link', 'set', 'wire', 'up');
      run('ip', '-n', name, 'link', 'set', 'lo', 'up');
      runWith(firewall, 'ip', 'netns', 'exec', name, 'nft', '-f', '-');
    }
    const peer = ['peer', 'name', 'clients', 'netns', switchName];
    run('ip', 'link', 'add', switchName, 'type', 'veth', ...peer);
    run('ip', '-n', switchName, 'link', 'set', 'clients', 'master', 'bridge0', 'up');
    run('ip', 'address', 'add', `${this.#subnet}.254/24`, 'dev', switchName);
    run('ip', 'link', 'set', switchName, 'up');
  }

  readonly hostOf = (node: string): string => this.#address(this.#numberOf(node));

  readonly launcherOf = (node: string): readonly string[] => [
    'nsenter',
    `--net=${namespaceDirectory}/${nameOf(this.#numberOf(node))}`,
  ];

  cut(from: LocalNode, to: LocalNode): void {
    const element = `{ ${this.hostOf(from.name)} }`;
    const name = nameOf(this.#numberOf(to.name));
    run('ip', 'netns', 'exec', name, 'nft', 'add', 'element', 'ip', 'cut', 'from', element);
  }

  heal(): void {
    for (const number of this.#numbers.values()) {
      run('ip', 'netns', 'exec', nameOf(number), 'nft', 'flush', 'set', 'ip', 'cut', 'from');
    }
  }

  close(): void {
    this.#undo();
  }

  #address(number: number): string {
    return `${this.#subnet}.${number}`;
  }

  #numberOf(node: string): number {
    const number = this.#numbers.get(node);
    if (number === undefined) throw new RangeError(`there is no namespace for ${node}`);
    return number;
  }
}

/** Also the name of the test process's end of its wire: at most 15 characters. */
const switchName = `${prefix}${process.pid}-s`;
const nameOf = (number: number): string => `${prefix}${process.pid}-${number}`;

/** The wires of a namespace go with it, once no process is left in it. */
function deleteNamespace(name: string): void {
  run('ip', 'netns', 'delete', name);
}

/** Removes what test processes left that were killed. */
function sweep(): void {
  const names = (): string[] => {
    try {
      return readdirSync(namespaceDirectory);
    } catch {
      return [];
    }
  };
  for (const name of names()) {
    const [, pid] = /^cc(\d+)-(?:s|\d+)$/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) attempt(() => deleteNamespace(name));
  }
}
