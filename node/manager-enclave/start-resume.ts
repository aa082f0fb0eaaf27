import type { Constitution } from '@concordat/governance';
import { type ActorId, type NodeId, toView } from '@concordat/std';
import { pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { replayLedger } from './ledger-replay.ts';
import type { Manager } from './manager.ts';
import type { PeerTarget } from './node-channel.ts';
import type { SealedIdentity } from './node-identity.ts';
import { type PublicLedger, readPublic } from './public-replay.ts';
import type { RejoinRecord } from './record-keeper.ts';
import { rejoinRecordOf, requireProven } from './rejoining.ts';
import { ResumedLedger } from './resumed-ledger.ts';
import { RollCall } from './roll-call.ts';
import { beginFrom, findStartBase, publicPartOf, type StartBase } from './start-base.ts';

const liveCheckMs = 1_000;

/**
 * Starts again from what is on the host: the newest snapshot of this node and the ledger after it,
 * or the ledger from its first block. While the rest of the network runs, this launch is a
 * new node: it leaves its reason to rejoin and ends, and a pristine one takes its place (DESIGN 6).
 * When no majority runs that could admit it, nodes resume together under their sealed identities.
 *
 * What a stopped node has at rest opens nothing. It checks what is public of its ledger, gives and
 * gathers decryption shares by that, and reads on once nodes of as many actors are up as the shared
 * key asks for: by starting them, their operators consent.
 * @throws ManagerError LEDGER_TRUNCATED, LEDGER_CORRUPT, SNAPSHOT_CORRUPT, SNAPSHOT_UNPROVEN,
 *   RECORD_UNREADABLE, NODE_REMOVED
 */
export async function startResume(manager: Manager, sealed: SealedIdentity): Promise<void> {
  const { keeper, lifeCycle, start, workers } = manager;
  const { networkId, networkCertificate, certificate } = sealed;
  lifeCycle.enter('resuming', 'checking the ledger');
  manager.reopening.need();
  manager.belongTo({ id: networkId, certificate: networkCertificate }, certificate);
  const base = await findStartBase(manager);
  const progress = await keeper.progress();
  const upTo = Math.max(start.lastHeight, base?.height ?? 0);
  requireComplete(upTo, Math.max(progress.committed, base?.height ?? 0));
  const connected = manager.connectWorkers();
  if (!base && start.firstHeight > 1) return withoutBeginning(manager);
  const ledger = await publicPartOf(manager, base, { upTo, progress });
  requireOwnPlace(manager, ledger);
  const { channel, control, keyDesk } = manager;
  const finalTo = Math.max(ledger.committed, base?.height ?? 0);
  manager.resumed = new ResumedLedger({
    own: ledger,
    channel,
    read: (from, to, maxBytes) => control.read(from, to, maxBytes),
    begin: () => readPublic(manager, { upTo: finalTo, progress, base: base?.stored }),
    learn: ({ administration }) => keyDesk.restore(administration),
    tell: (event, fields) => control.log(event, fields),
    nowMs: () => Date.now(),
  });
  await consent(manager, ledger);
  await connected;
  workers.configure(ledger.administration.constitution);
  await goOn(manager, ledger, { upTo, ...(base && { base }) });
  await lifeCycle.live;
  manager.resumed = undefined;
  await requireProven(manager);
  await manager.serve();
}

/**
 * Gives and gathers decryption shares by what is public of the ledger, until this node has the
 * session keys of all that is on its host.
 */
async function consent(manager: Manager, ledger: PublicLedger): Promise<void> {
  const { peerDesk, channel, lifeCycle, epochs } = manager;
  const { constitution } = ledger.administration;
  await manager.keyDesk.restore(ledger.administration);
  peerDesk.given(constitution);
  rejoinWhenLive(manager, () => rejoinRecordOf(manager, constitution));
  watchNetwork(manager, constitution);
  lifeCycle.enter('resuming', 'waiting for decryption shares of other actors');
  channel.targets = othersOf(constitution, manager);
  await epochs.obtain(ledger.epochs, ledger.administration.head);
}

/** Reads the ledger with its keys, and takes part in consensus. */
async function goOn(
  manager: Manager,
  ledger: PublicLedger,
  { upTo, base }: { readonly upTo: number; readonly base?: StartBase },
): Promise<void> {
  const { keeper, lifeCycle, start, workers } = manager;
  lifeCycle.enter('resuming', 'reading the ledger');
  if (base) await beginFrom(manager, base, start.lastHeight);
  const { committed } = ledger;
  const replayed = await replayLedger(manager, { upTo, committed, ...(base && { base }) });
  const { constitution } = manager.administration;
  workers.configure(constitution);
  const vote = await keeper.hardState();
  const { lastHeight, lastView } = manager.log;
  const view = toView(Math.max(vote?.view ?? 0, lastView));
  manager.resumedView = lastView;
  await callTheRoll(manager, constitution);
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
}

/** Hears from all voters how long their logs are, as long as the constitution has patience. */
async function callTheRoll(manager: Manager, { actors, nodes, policies }: Constitution) {
  const { identity, log, channel, lifeCycle, control } = manager;
  const voters = nodes.filter(({ status }) => status === 'trusted');
  const rollCall = new RollCall({
    others: voters.map(({ nodeId }) => nodeId).filter((nodeId) => nodeId !== identity.nodeId),
    own: { view: log.lastView, height: log.lastHeight },
    patienceMs: policies.resumePatience * 1_000,
    channel,
    nowMs: () => Date.now(),
    pause,
  });
  manager.rollCall = rollCall;
  const namesOf = (missing: readonly NodeId[]): string => {
    const owners = voters.filter(({ nodeId }) => missing.includes(nodeId));
    const isOwner = (actorId: ActorId): boolean => owners.some((node) => node.actorId === actorId);
    return actors
      .filter(({ actorId }) => isOwner(actorId))
      .map(({ name }) => name)
      .join(', ');
  };
  await rollCall.complete((missing) =>
    lifeCycle.enter('resuming', `waiting for the nodes of ${namesOf(missing)}`),
  );
  const { missing, isBehind } = rollCall;
  if (missing.length > 0) control.log('resume.incomplete', { level: 'warn', missing });
  if (isBehind) control.log('resume.behind', { level: 'warn', height: log.lastHeight });
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
  watchNetwork(manager, constitution);
  channel.targets = othersOf(constitution, manager);
}

/** Until this node takes part, it asks for itself whether the network runs without it. */
function watchNetwork(manager: Manager, { policies }: Constitution): void {
  const { electionTimeoutMs } = policies;
  manager.every(liveCheckMs, () => {
    if (!manager.takesPart) manager.lifeCycle.checkNetworkLive(electionTimeoutMs, Date.now());
  });
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
function requireOwnPlace({ identity }: Manager, { administration }: PublicLedger): void {
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
