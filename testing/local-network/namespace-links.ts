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
 * A network namespace for each node's host, and one more as the router between them and the test
 * process. A cut is a firewall rule at the receiver, so that packets are lost as on a
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
      attempt(() => deleteNamespace(routerName));
    });
  }

  /** Why this machine cannot do it; undefined when it can. */
  static get missing(): string | undefined {
    if (process.platform !== 'linux') return 'network namespaces exist on Linux only';
    if (process.getuid?.() !== 0) return 'network namespaces need root';
    if (!hasCommand('ip', '-V')) return 'ip is missing: install iproute2';
    if (!hasCommand('nft', '-v')) return 'nft is missing: install nftables';
    if (!hasCommand('sysctl', '-V')) return 'sysctl is missing: install procps';
    try {
      run('ip', 'netns', 'add', nameOf(99));
      run('ip', 'netns', 'delete', nameOf(99));
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
    run('ip', 'netns', 'add', routerName);
    run('ip', 'netns', 'exec', routerName, 'sysctl', '--quiet', '--write', 'net.ipv4.ip_forward=1');
    for (const number of this.#numbers.values()) {
      const name = nameOf(number);
      run('ip', 'netns', 'add', name);
      const ends = ['peer', 'name', `port${number}`, 'netns', routerName];
      run('ip', '-n', name, 'link', 'add', 'wire', 'type', 'veth', ...ends);
      this.#connect(number, ['-n', name], 'wire');
      run('ip', '-n', name, 'link', 'set', 'lo', 'up');
      run('ip', '-n', name, 'route', 'add', 'default', 'via', this.#gateway(number));
      runWith(firewall, 'ip', 'netns', 'exec', name, 'nft', '-f', '-');
    }
    const ends = ['peer', 'name', `port${clients}`, 'netns', routerName];
    run('ip', 'link', 'add', routerName, 'type', 'veth', ...ends);
    this.#connect(clients, [], routerName);
    run('ip', 'route', 'add', `${this.#subnet}.0/24`, 'via', this.#gateway(clients));
  }

  /** Gives both ends of a wire to the router their addresses. */
  #connect(number: number, where: readonly string[], device: string): void {
    const port = `port${number}`;
    run('ip', ...where, 'address', 'add', `${this.#address(number)}/30`, 'dev', device);
    run('ip', ...where, 'link', 'set', device, 'up');
    run('ip', '-n', routerName, 'address', 'add', `${this.#gateway(number)}/30`, 'dev', port);
    run('ip', '-n', routerName, 'link', 'set', port, 'up');
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

  /** Of four addresses each wire has, the second is the node's, the first the router's. */
  #address(number: number): string {
    return `${this.#subnet}.${4 * number + 2}`;
  }

  #gateway(number: number): string {
    return `${this.#subnet}.${4 * number + 1}`;
  }

  #numberOf(node: string): number {
    const number = this.#numbers.get(node);
    if (number === undefined) throw new RangeError(`there is no namespace for ${node}`);
    return number;
  }
}

/** Also the name of the test process's end of its wire: at most 15 characters. */
const routerName = `${prefix}${process.pid}-r`;
/** Number of the wire to the test process. */
const clients = 0;
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
    const [, pid] = /^cc(\d+)-(?:r|\d+)$/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) attempt(() => deleteNamespace(name));
  }
}
