import type { Constitution } from '@concordat/governance';
import { toView } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { claimedGenesis, learnSessionKeys, replayLedger } from './ledger-replay.ts';
import type { Manager } from './manager.ts';
import type { PeerTarget } from './node-channel.ts';
import type { SealedIdentity } from './node-identity.ts';
import type { RejoinRecord } from './record-keeper.ts';
import { rejoinRecordOf, requireProven } from './rejoining.ts';
import { beginFrom, findStartBase } from './start-base.ts';

const liveCheckMs = 1_000;

/**
 * Starts again from what is on the host: the newest snapshot of this node and the ledger after it,
 * or the ledger from its first block. While the rest of the network runs, this launch is a
 * new node: it leaves its reason to rejoin and ends, and a pristine one takes its place (DESIGN 6).
 * When no majority runs that could admit it, nodes resume together under their sealed identities.
 * @throws ManagerError LEDGER_TRUNCATED, LEDGER_CORRUPT, SNAPSHOT_CORRUPT, SNAPSHOT_UNPROVEN,
 *   RECORD_UNREADABLE, NODE_REMOVED
 */
export async function startResume(manager: Manager, sealed: SealedIdentity): Promise<void> {
  const { keeper, lifeCycle, start, peerDesk, workers, channel } = manager;
  const { networkId, networkCertificate, certificate } = sealed;
  lifeCycle.enter('resuming', 'checking the ledger');
  manager.belongTo({ id: networkId, certificate: networkCertificate }, certificate);
  const base = await findStartBase(manager);
  const committed = Math.max(await keeper.progress(), base?.height ?? 0);
  const vote = await keeper.hardState();
  const upTo = Math.max(start.lastHeight, base?.height ?? 0);
  requireComplete(upTo, committed);
  const connected = manager.connectWorkers();
  if (!base && start.firstHeight > 1) return withoutBeginning(manager);
  if (!base) peerDesk.given(await claimedGenesis(manager));
  await learnSessionKeys(manager, { from: (base?.height ?? 0) + 1, upTo });
  await connected;
  workers.configure(await keeper.constitution());
  if (base) await beginFrom(manager, base, start.lastHeight);
  const replayed = await replayLedger(manager, { upTo, committed, ...(base && { base }) });
  const { constitution } = manager.administration;
  workers.configure(constitution);
  requireOwnPlace(manager);
  rejoinWhenLive(manager, () => rejoinRecordOf(manager));
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
  channel.targets = othersOf(constitution, manager);
  await lifeCycle.live;
  await requireProven(manager);
  await manager.serve();
}

/**
 * The ledger lacks its first blocks, and no snapshot that it goes on from is left. What there is
 * stays untouched, for its files may come back; but when the rest of the network turns out to run,
 * the next launch joins it with nothing.
 */
async function withoutBeginning(manager: Manager): Promise<void> {
  const { start, keeper, lifeCycle, peerDesk, channel, control } = manager;
  const { firstHeight } = start;
  const why = `the ledger on this host begins at block ${firstHeight}, and no snapshot it goes on from is left`;
  control.log('snapshot.missing', { level: 'error', code: 'SNAPSHOT_MISSING', firstHeight, why });
  const constitution = await keeper.constitution();
  peerDesk.given(constitution);
  const discarding = { ...rejoinRecordOf(manager, constitution), discardLedger: true };
  rejoinWhenLive(manager, () => discarding);
  lifeCycle.enter('resuming', `SNAPSHOT_MISSING: ${why}`);
  const { electionTimeoutMs } = constitution.policies;
  manager.every(liveCheckMs, () => lifeCycle.checkNetworkLive(electionTimeoutMs, Date.now()));
  channel.targets = othersOf(constitution, manager);
}

/** The trusted nodes beside this one. */
const othersOf = ({ nodes }: Constitution, { identity }: Manager): PeerTarget[] =>
  nodes
    .filter(({ nodeId, status }) => status === 'trusted' && nodeId !== identity.nodeId)
    .map(({ nodeId, address }) => ({ nodeId, address }));

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
function rejoinWhenLive({ lifeCycle, keeper }: Manager, record: () => RejoinRecord): void {
  let leaving = false;
  lifeCycle.onNetworkLive = () => {
    if (leaving) return;
    leaving = true;
    keeper
      .keepRejoin(record())
      .then(
        () => new ManagerError('NETWORK_LIVE', 'the network runs: rejoining as a new node'),
        (error: Error) => error,
      )
      .then((reason) => lifeCycle.fail(reason));
  };
}
