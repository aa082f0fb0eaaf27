import type { NodeId } from '@concordat/std';
import { Archive } from './archive.ts';
import { Backfill } from './backfill.ts';
import { BlockLog } from './block-log.ts';
import { ChunkHealing } from './chunk-healing.ts';
import { entropy, pause } from './enclave-sources.ts';
import { HeldBlocks } from './held-blocks.ts';
import { HistoryPages } from './history-pages.ts';
import type { NodeContext } from './node-context.ts';
import { RecordKeeper } from './record-keeper.ts';
import { RefusalCounts } from './refusal-counts.ts';
import { SnapshotDesk } from './snapshot-desk.ts';
import { type StoredBlockKeys, StoredBlocks } from './stored-blocks.ts';

/** What a node has of its ledger: in memory, on its host, and through others. */
export type LedgerParts = Pick<
  NodeContext,
  | 'log'
  | 'stored'
  | 'pages'
  | 'held'
  | 'archive'
  | 'backfill'
  | 'healing'
  | 'snapshots'
  | 'refusals'
>;

/** What they ask of the node, and tell it. */
export interface LedgerQuestions {
  /** DER SPKI of a node's key. */
  nodeKey(nodeId: NodeId): Uint8Array | undefined;
  /** The ledger has confirmed the snapshot this node was given. */
  onProven(): void;
  /** It says otherwise. */
  onUnproven(height: number): void;
}

/** Makes them. The node may still be under construction: nothing of it is asked before it is used. */
export function createLedgerParts(node: NodeContext, asked: LedgerQuestions): LedgerParts {
  const { control, identity, administration, start } = node;
  const sessionKey: StoredBlockKeys['sessionKey'] = (epoch) => node.sessionKeys.get(epoch);
  const tell = (event: string, fields: Record<string, unknown>): void => control.log(event, fields);
  const refusals = new RefusalCounts();
  const archive = new Archive(node, refusals);
  const log = new BlockLog(identity.nodeId, {
    sessionKey,
    nodeKey: asked.nodeKey,
    sign: (bytes) => identity.signing.sign(bytes),
  });
  const pages = new HistoryPages({
    log,
    sources: {
      putPage: (page, bytes) => control.putPage(page, bytes),
      getPage: (page) => control.getPage(page),
      otherPages: (page) => archive.pages(page),
    },
    refusals,
    tell,
  });
  const keys: StoredBlockKeys = {
    history: () => log.history,
    answer: (ask) => pages.answer(ask),
    sessionKey,
    acquireKey: (epoch) => node.epochs.acquire(epoch),
    nodeCertificate: (nodeId) => administration.node(nodeId)?.certificate,
  };
  const stored = new StoredBlocks(control, keys, (error) => healing.damaged(error));
  const snapshots = new SnapshotDesk({
    host: control,
    keeper: new RecordKeeper(node.records),
    administration,
    log,
    states: node.states,
    networkId: () => node.network.id,
    sessionKey,
    entropy,
    serves: () => node.phase === 'running',
    leads: () => node.takesPart && node.driver.leads,
    administer: (body) => node.queue.administer(body),
    onUsable: (position) => {
      if (node.takesPart) node.driver.offerSnapshot(position);
    },
    onUnusable: (digest) => {
      if (node.takesPart) node.driver.withdrawSnapshot(digest);
    },
    onProven: asked.onProven,
    onUnproven: asked.onUnproven,
    tell,
    nowMs: () => performance.now(),
  });
  const held = new HeldBlocks(start.missing, start.firstHeight);
  const nowMs = (): number => performance.now();
  const backfill = new Backfill({ held, archive, stored, host: control, tell, pause, nowMs });
  const healing = new ChunkHealing({
    host: control,
    held,
    archive,
    prove: (block, height) => stored.prove(block, height),
    backfill,
    snapshotHeight: () => (snapshots.unproven === undefined ? snapshots.newestHeight : 0),
    tell,
    pause,
    nowMs,
  });
  return { log, stored, pages, held, archive, backfill, healing, snapshots, refusals };
}
