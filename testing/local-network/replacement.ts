import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type NodeStatus, nodeTuple } from '@concordat/cli';
import { LocalNetworkError } from './errors.ts';
import type { LocalNetwork } from './local-network.ts';
import type { LocalNode } from './local-node.ts';

/**
 * Puts a fresh node in the place of one that is dead or has diverged, as its operator does
 * (docs/operate/troubleshooting.md, "Start anew"): no data, no platform key, another identity; the
 * members remove the old one and add the new one by a single vote. Resolves when it serves.
 * @throws LocalNetworkError TIMEOUT, NOT_ADMITTED
 */
export async function replaceNode(network: LocalNetwork, node: LocalNode): Promise<NodeStatus> {
  const formerId = await presentId(network, node);
  await node.kill();
  for (const name of readdirSync(node.dataDirectory)) {
    rmSync(join(node.dataDirectory, name), { recursive: true, force: true });
  }
  node.configure(joining(network, node));
  node.start();
  const status = await node.waitFor(
    ({ phase, reason = '' }) => phase === 'joining' && reason.startsWith('NODE_NOT_ADMITTED'),
    { what: `${node.name} to ask for admission` },
  );
  await admit(network, node, { formerId, status });
  return node.running();
}

/** Identity under which the members know the node now. */
async function presentId(network: LocalNetwork, node: LocalNode): Promise<string> {
  const admin = await network.admin(servingBeside(network, node));
  try {
    const { constitution } = await admin.constitution();
    const present = constitution.nodes.find(
      ({ name, status }) => name === node.name && status !== 'retired',
    );
    if (present) return present.nodeId;
    throw new LocalNetworkError('NOT_ADMITTED', `no node of the node list is called ${node.name}`);
  } finally {
    admin.close();
  }
}

/** Configuration of a node that joins, whichever way the former one came to the network. */
function joining(network: LocalNetwork, node: LocalNode): unknown {
  const {
    genesisFile: _,
    actorCertificateFile: __,
    genesisData: ___,
    ...config
  } = node.config as unknown as Record<string, unknown>;
  return {
    ...config,
    mode: 'join',
    approve: 'any',
    networkCertificateFile: network.sandbox.layout.networkCertificate,
    peers: network.nodes
      .filter((other) => other !== node)
      .map(({ host, ports }) => `${host}:${ports.node}`),
  };
}

async function admit(
  network: LocalNetwork,
  node: LocalNode,
  { formerId, status }: { readonly formerId: string; readonly status: NodeStatus },
): Promise<void> {
  const witness = servingBeside(network, node);
  const owner = await network.identity(node.organisation);
  const proposer = await network.admin(witness);
  const { proposalId } = await proposer
    .propose([
      { name: 'remove_node', args: { nodeId: formerId } },
      { name: 'add_node', args: nodeTuple(owner, status) },
    ])
    .finally(() => proposer.close());
  for (const { organisation } of network.nodes) {
    const voter = await network.admin(witness, organisation);
    const { state } = await voter.vote(proposalId, true).finally(() => voter.close());
    if (state === 'accepted') return;
  }
  throw new LocalNetworkError('NOT_ADMITTED', `the members' votes did not admit ${node.name}`);
}

function servingBeside(network: LocalNetwork, node: LocalNode): LocalNode {
  const witness = network.nodes.find(
    (other) => other !== node && other.isUp && other.status?.phase === 'running',
  );
  if (witness) return witness;
  throw new LocalNetworkError('NO_PROCESS', `no node beside ${node.name} serves`);
}
