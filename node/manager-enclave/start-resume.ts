import { toView } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { claimedGenesis, learnSessionKeys, replayLedger } from './ledger-replay.ts';
import type { Manager } from './manager.ts';
import type { SealedIdentity } from './node-identity.ts';

/**
 * Starts again from the ledger on the host. While the rest of the network runs, this launch is a
 * new node: it leaves its reason to rejoin and ends, and a pristine one takes its place (DESIGN 6).
 * When no majority runs that could admit it, nodes resume together under their sealed identities.
 * @throws ManagerError LEDGER_TRUNCATED, LEDGER_CORRUPT, RECORD_UNREADABLE, NODE_REMOVED
 */
export async function startResume(manager: Manager, sealed: SealedIdentity): Promise<void> {
  const { keeper, lifeCycle, start, peerDesk, workers, identity, channel } = manager;
  const { networkId, networkCertificate, certificate } = sealed;
  lifeCycle.enter('resuming', 'checking the ledger');
  manager.belongTo({ id: networkId, certificate: networkCertificate }, certificate);
  const committed = await keeper.progress();
  const vote = await keeper.hardState();
  requireComplete(start.lastHeight, committed);
  const connected = manager.connectWorkers();
  await learnSessionKeys(manager, start.lastHeight);
  peerDesk.given(await claimedGenesis(manager));
  await connected;
  workers.configure(await keeper.constitution());
  const replayed = await replayLedger(manager, { upTo: start.lastHeight, committed });
  const { constitution } = manager.administration;
  workers.configure(constitution);
  requireOwnPlace(manager);
  rejoinWhenLive(manager);
  const { lastHeight, lastView } = manager.log;
  const view = toView(Math.max(vote?.view ?? 0, lastView));
  manager.resumedView = lastView;
  lifeCycle.enter('resuming', 'waiting for a majority of the network');
  manager.startConsensus(
    {
      view,
      ...(vote?.votedFor && vote.view === view && { votedFor: vote.votedFor }),
      lastHeight,
      lastView,
      committed: manager.log.committedHeight,
      configuration: replayed.configuration,
      configurationHeight: replayed.configurationHeight,
      earlierConfigurations: replayed.earlier,
      viewHistory: manager.log.viewHistory(),
    },
    constitution.policies,
  );
  channel.targets = constitution.nodes
    .filter(({ nodeId, status }) => status === 'trusted' && nodeId !== identity.nodeId)
    .map(({ nodeId, address }) => ({ nodeId, address }));
  await lifeCycle.live;
  await manager.serve();
}

function requireComplete(lastHeight: number, committed: number): void {
  if (lastHeight >= committed) return;
  throw new ManagerError(
    'LEDGER_TRUNCATED',
    `the ledger on this host ends at block ${lastHeight}, but block ${committed} was committed here`,
    { lastHeight, committed },
  );
}

/** A node that the network removed has nothing to resume. */
function requireOwnPlace({ administration, identity }: Manager): void {
  if (!administration.isCommitted) return;
  const { nodes } = administration.committedConstitution;
  const own = nodes.find(({ nodeId }) => nodeId === identity.nodeId);
  if (own && own.status !== 'retired') return;
  throw new ManagerError('NODE_REMOVED', 'the node list no longer has this node');
}

/** A peer that runs refuses a resumer: this launch ends, and the next one joins as a new node. */
function rejoinWhenLive(manager: Manager): void {
  const { lifeCycle, keeper, administration, identity, network } = manager;
  let leaving = false;
  lifeCycle.onNetworkLive = () => {
    if (leaving) return;
    leaving = true;
    const { nodes } = administration.constitution;
    const peers = nodes
      .filter(({ nodeId, status }) => nodeId !== identity.nodeId && status === 'trusted')
      .map(({ address }) => address);
    keeper
      .keepRejoin({
        replaces: identity.nodeId,
        peers,
        networkCertificate: network.certificate,
        networkId: network.id,
      })
      .then(
        () => new ManagerError('NETWORK_LIVE', 'the network runs: rejoining as a new node'),
        (error: Error) => error,
      )
      .then((reason) => lifeCycle.fail(reason));
  };
}
