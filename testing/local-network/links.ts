import type { LocalNode } from './local-node.ts';

/**
 * The ways between the nodes of a network under test, each of which can be cut in one direction.
 * Clients reach every node all the time. Nothing is lost on a way that is whole; what is on a cut
 * one waits or is lost as its means have it, and every connection survives a cut that is short.
 */
export interface Links {
  /** IPv4 address that a node listens on, by its name. */
  readonly hostOf: (node: string) => string;
  /** Command that a node's host is started by. */
  readonly launcherOf: (node: string) => readonly string[];
  /** Whether node ports stand behind something that forwards to other ones. */
  readonly hidesNodePorts: boolean;
  /** Forwards a node's port; only where node ports are hidden. */
  forward?(node: {
    readonly name: string;
    readonly port: number;
    readonly hidden: number;
  }): Promise<void>;
  /** Learns of the nodes, once they run. */
  attend?(nodes: readonly LocalNode[]): void;
  /** From now on nothing gets from one node to the other. The way back is another matter. */
  cut(from: LocalNode, to: LocalNode): void;
  /** Makes every way whole again. */
  heal(): void;
  /** Gives back what this took from the machine. */
  close(): void;
}

/** Cuts both ways between every node of one side and every node of the other. */
export function separate(
  links: Links,
  some: readonly LocalNode[],
  others: readonly LocalNode[],
): void {
  for (const a of some) {
    for (const b of others) {
      links.cut(a, b);
      links.cut(b, a);
    }
  }
}
