import { assert, type NodeId } from '@concordat/std';

/** One peer that is sent to, and the peers it passes the same on to. */
export interface Branch {
  readonly to: NodeId;
  readonly relayTo: readonly NodeId[];
}

/**
 * How one message reaches several peers. Whoever has to pass one on asks its own distribution
 * again, so nodes need not agree on one.
 */
export interface Distribution {
  /** Names each peer once, as `to` or in one `relayTo`; whoever comes first passes on rather. */
  plan(peers: readonly NodeId[]): readonly Branch[];
}

const noPeers: readonly NodeId[] = [];

/** The sender sends to everyone itself: the shortest way, at the cost of its own bandwidth. */
export const directDistribution: Distribution = {
  plan: (peers) => peers.map((to) => ({ to, relayTo: noPeers })),
};

/**
 * A broadcast tree for wide networks: the sender sends to `fanOut` peers, 2 or more, each of which
 * passes it on to its share of the others in the same way. Everyone is reached in a number of
 * steps logarithmic in their number.
 */
export function treeDistribution(fanOut: number): Distribution {
  assert(Number.isSafeInteger(fanOut) && fanOut >= 2, 'a tree has at least two branches');
  return {
    plan: (peers) => {
      const branches = peers.slice(0, fanOut).map((to) => ({ to, relayTo: [] as NodeId[] }));
      for (let at = fanOut; at < peers.length; at += 1) {
        branches[at % fanOut]?.relayTo.push(peers[at] as NodeId);
      }
      return branches;
    },
  };
}
