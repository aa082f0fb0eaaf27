import { toView } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { claimedGenesis, learnSessionKeys, replayLedger } from './ledger-replay.ts';
import type { Manager } from './manager.ts';
import type { SealedIdentity } from './node-identity.ts';
import { rejoinRecordOf, requireProven } from './rejoining.ts';
import { beginFrom, findStartBase } from './start-base.ts';

/**
 * Starts again from what is on the host: the newest snapshot of this node and the ledger after it,
 * or the ledger from its first block. While the rest of the network runs, this launch is a
 * new node: it leaves its reason to rejoin and ends, and a pristine one takes its place (DESIGN 6).
 * When no majority runs that could admit it, nodes resume together under their sealed identities.
 * @throws ManagerError LEDGER_TRUNCATED, LEDGER_CORRUPT, SNAPSHOT_CORRUPT, SNAPSHOT_MISSING,
 *   SNAPSHOT_UNPROVEN, RECORD_UNREADABLE, NODE_REMOVED
 */
export async function startResume(manager: Manager, sealed: SealedIdentity): Promise<void> {
  const { keeper, lifeCycle, start, peerDesk, workers, identity, channel } = manager;
  const { networkId, networkCertificate, certificate } = sealed;
  lifeCycle.enter('resuming', 'checking the ledger');
  manager.belongTo({ id: networkId, certificate: networkCertificate }, certificate);
  const base = await findStartBase(manager);
  const committed = Math.max(await keeper.progress(), base?.height ?? 0);
  const vote = await keeper.hardState();
  const upTo = Math.max(start.lastHeight, base?.height ?? 0);
  requireComplete(upTo, committed);
  const connected = manager.connectWorkers();
  if (!base) peerDesk.given(await beginning(manager));
  await learnSessionKeys(manager, { from: (base?.height ?? 0) + 1, upTo });
  await connected;
  workers.configure(await keeper.constitution());
  if (base) await beginFrom(manager, base, start.lastHeight);
  const replayed = await replayLedger(manager, { upTo, committed, ...(base && { base }) });
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
  await requireProven(manager);
  await manager.serve();
}

/** The ledger is read from its first block. @throws ManagerError SNAPSHOT_MISSING, LEDGER_CORRUPT */
async function beginning(manager: Manager) {
  const { firstHeight } = manager.start;
  if (firstHeight === 1) return claimedGenesis(manager);
  throw new ManagerError(
    'SNAPSHOT_MISSING',
    `the ledger on this host begins at block ${firstHeight}, and no snapshot it goes on from is left`,
    { firstHeight },
  );
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
  const { lifeCycle, keeper } = manager;
  let leaving = false;
  lifeCycle.onNetworkLive = () => {
    if (leaving) return;
    leaving = true;
    keeper
      .keepRejoin(rejoinRecordOf(manager))
      .then(
        () => new ManagerError('NETWORK_LIVE', 'the network runs: rejoining as a new node'),
        (error: Error) => error,
      )
      .then((reason) => lifeCycle.fail(reason));
  };
}
