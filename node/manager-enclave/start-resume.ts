import { decodeHeader, LedgerError, openPublicPart } from '@concordat/ledger';
import { emptyBytes, type Height, type NodeId, toHeight, toView } from '@concordat/std';
import { Administration, configurationOf, votersOf } from './administration.ts';
import { pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import type { Manager } from './manager.ts';
import type { SealedIdentity } from './node-identity.ts';
import type { RejoinRecord } from './start-join.ts';

const readBytes = 8 * 1024 * 1024;
/** The worker takes replayed blocks at its own pace. */
const maxWaitingBytes = 64 * 1024 * 1024;

interface Restored {
  readonly configuration: readonly NodeId[];
  readonly configurationHeight: Height;
  readonly earlier: readonly { height: Height; voters: readonly NodeId[] }[];
}

/**
 * Starts again from the ledger on the host. While the rest of the network runs, this launch is a
 * new node: it leaves its reason to rejoin and ends, and a pristine one takes its place (DESIGN 6).
 * When the whole network was stopped, its nodes resume together under their sealed identities.
 * @throws ManagerError LEDGER_TRUNCATED, LEDGER_CORRUPT
 */
export async function startResume(manager: Manager, sealed: SealedIdentity): Promise<void> {
  const { networkId, networkCertificate, certificate } = sealed;
  manager.enter('resuming', 'checking the ledger');
  manager.belongTo({ id: networkId, certificate: networkCertificate }, certificate);
  const progress = await manager.records.get<{ committed: number }>('progress');
  const vote = await manager.records.get<{ view: number; votedFor?: NodeId }>('hard-state');
  const committed = toHeight(progress?.committed ?? 0);
  if (manager.start.lastHeight < committed) {
    throw new ManagerError(
      'LEDGER_TRUNCATED',
      `the ledger on this host ends at block ${manager.start.lastHeight}, but block ${committed} was committed here`,
      { lastHeight: manager.start.lastHeight, committed },
    );
  }
  const workers = manager.connectWorkers();
  await learnSessionKeys(manager);
  await workers;
  const restored = await replay(manager, committed);
  const { constitution } = manager.administration;
  rejoinWhenLive(manager);
  const { lastHeight, lastView } = manager.log;
  const view = toView(Math.max(vote?.view ?? 0, lastView));
  const live = manager.live(lastView);
  manager.startConsensus(
    {
      view,
      ...(vote?.votedFor && vote.view === view && { votedFor: vote.votedFor }),
      lastHeight,
      lastView,
      committed: manager.log.committedHeight,
      configuration: restored.configuration,
      configurationHeight: restored.configurationHeight,
      earlierConfigurations: restored.earlier,
      viewHistory: manager.log.viewHistory(),
    },
    constitution.policies,
  );
  manager.enter('resuming', 'waiting for a majority of the network');
  manager.channel.targets = constitution.nodes
    .filter(({ nodeId, status }) => status === 'trusted' && nodeId !== manager.identity.nodeId)
    .map(({ nodeId, address }) => ({ nodeId, address }));
  await live;
  await manager.serve();
}

/** Session keys are in the ledger's public part, wrapped to this node wherever it was admitted. */
async function learnSessionKeys(manager: Manager): Promise<void> {
  const { start, sessionKeys, identity, control } = manager;
  for (let from = 1; from <= start.lastHeight; ) {
    const blocks = await control.read(from, start.lastHeight, readBytes);
    if (blocks.length === 0) throw missing(from);
    for (const block of blocks) {
      if (decodedSource(block, from) === 0) {
        sessionKeys.learnFromWrites(openPublicPart(block).publicWrites, identity.nodeId);
      }
      from += 1;
    }
  }
}

const missing = (height: number): ManagerError =>
  new ManagerError('LEDGER_CORRUPT', `the host has no block ${height}`, { height });

function decodedSource(block: Uint8Array, height: number): number {
  try {
    return decodeHeader(block).source;
  } catch (error) {
    throw damaged(error, height);
  }
}

function damaged(error: unknown, height: number): unknown {
  if (!(error instanceof LedgerError)) return error;
  return new ManagerError('LEDGER_CORRUPT', `block ${height}: ${error.message}`, {
    height,
    reason: error.code,
  });
}

/** Opens every block, checks it, and rebuilds both states; uncommitted ones stay speculative. */
async function replay(manager: Manager, committed: Height): Promise<Restored> {
  const { start, log, administration, feed, control } = manager;
  const configurations: { height: Height; voters: NodeId[] }[] = [];
  for (let from = 1; from <= start.lastHeight; ) {
    const blocks = await control.read(from, start.lastHeight, readBytes);
    if (blocks.length === 0) throw missing(from);
    for (const block of blocks) {
      if (from === 1) manager.peerDesk.given(genesisConstitution(block));
      const voters = openOne(manager, block, from);
      if (voters) configurations.push({ height: toHeight(from), voters });
      if (from === 1) manager.configureWorkers(administration.constitution);
      if (from <= committed) {
        log.commit(toHeight(from));
        administration.commit(toHeight(from));
        feed.committed(toHeight(from), toHeight(from));
      }
      from += 1;
    }
    await feedTaken(manager);
  }
  manager.configureWorkers(administration.constitution);
  const newest = configurations.at(-1);
  return {
    configuration: newest?.voters ?? votersOf(administration.constitution),
    configurationHeight: newest?.height ?? toHeight(0),
    earlier: configurations.slice(0, -1).filter(keepFrom(configurations, committed)),
  };
}

/** Configurations that may still be active: the last committed one and everything after it. */
const keepFrom = (all: readonly { height: Height }[], committed: Height) => {
  const base = all.findLast(({ height }) => height <= committed)?.height ?? 0;
  return ({ height }: { height: Height }): boolean => height >= base;
};

function openOne(manager: Manager, block: Uint8Array, height: number): NodeId[] | undefined {
  const { log, administration, sessionKeys, feed } = manager;
  try {
    const opened = log.open(block);
    feed.opened(opened);
    if (opened.header.source > 0) return undefined;
    administration.apply(opened.header.height, opened.transactions);
    sessionKeys.learnCurrent(administration.head);
    if ((opened.header.flags & 1) === 0) return undefined;
    return configurationOf(opened.transactions.map(({ publicWrites }) => publicWrites));
  } catch (error) {
    throw damaged(error, height);
  }
}

/** The genesis block names its own author: its key is found in its public part. */
function genesisConstitution(block: Uint8Array) {
  const genesis = new Administration();
  const { publicWrites } = openPublicPart(block);
  genesis.apply(
    toHeight(1),
    publicWrites.map((writes) => ({ publicWrites: writes, privateWrites: emptyBytes })),
  );
  return genesis.constitution;
}

async function feedTaken(manager: Manager): Promise<void> {
  const waiting = (): number =>
    [...manager.feed.links].reduce((sum, link) => sum + link.waitingBytes, 0);
  while (waiting() > maxWaitingBytes) await pause(5);
}

/** A peer that runs refuses a resumer: this launch ends, and the next one joins as a new node. */
function rejoinWhenLive(manager: Manager): void {
  let leaving = false;
  manager.onRejoin = () => {
    if (leaving) return;
    leaving = true;
    const { nodes } = manager.administration.constitution;
    const self = manager.identity.nodeId;
    const record: RejoinRecord = {
      replaces: self,
      peers: nodes
        .filter(({ nodeId, status }) => nodeId !== self && status === 'trusted')
        .map(({ address }) => address),
      networkCertificate: manager.network.certificate,
    };
    manager.records.put('rejoin', record).then(
      () =>
        manager.fail(new ManagerError('NETWORK_LIVE', 'the network runs: rejoining as a new node')),
      (error: unknown) => manager.fail(error as Error),
    );
  };
}
