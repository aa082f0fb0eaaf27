import { cpuUsage, memoryUsage } from 'node:process';
import { currentEpoch } from '@concordat/governance';
import type { KeyStatus } from './key-status.ts';
import type { NodeContext } from './node-context.ts';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly kind: 'gauge' | 'counter';
  readonly value: number;
}

/** A metric with one value for each kind of thing. */
interface LabelledMetric extends Omit<Metric, 'value'> {
  readonly values: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

/** The manager's figures as Prometheus text (version 0.0.4). */
export function renderMetrics(node: NodeContext, connections: number): string {
  const plain = metricsOf(node, connections).map(({ value, ...metric }) => ({
    ...metric,
    values: [{ labels: {}, value }],
  }));
  return [...plain, refusalsOf(node), ...peersOf(node)].map(textOf).join('');
}

function textOf({ name, help, kind, values }: LabelledMetric): string {
  const lines = values.map(
    ({ labels, value }) => `concordat_${name}${labelText(labels)} ${value}\n`,
  );
  return `# HELP concordat_${name} ${help}\n# TYPE concordat_${name} ${kind}\n${lines.join('')}`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Members choose the names of nodes: what would end a label is escaped. */
const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

const refusalsOf = ({ refusals }: NodeContext): LabelledMetric => ({
  name: 'refusals_total',
  help: 'Messages, connections, chunks, blocks and pages of others that were refused',
  kind: 'counter',
  values: [...refusals].map(({ what, code, count }) => ({ labels: { what, code }, value: count })),
});

/** Only a leader knows how far its peers are; elsewhere these have no values. */
function peersOf({ administration, driver, log }: NodeContext): LabelledMetric[] {
  const peers = [...driver.status.progress].map(([node, progress]) => ({
    labels: { node, name: administration.node(node)?.name ?? '' },
    progress,
  }));
  const behind = peers.map(({ labels, progress }) => ({
    labels,
    value: log.lastHeight - progress.match,
  }));
  const active = peers.map(({ labels, progress }) => ({ labels, value: progress.active ? 1 : 0 }));
  const known = 'as the leader knows';
  return [
    {
      name: 'peer_blocks_behind',
      help: `Blocks a peer lacks, ${known}`,
      kind: 'gauge',
      values: behind,
    },
    {
      name: 'peer_active',
      help: `Whether a peer answers, ${known}`,
      kind: 'gauge',
      values: active,
    },
  ];
}

function metricsOf(node: NodeContext, connections: number): Metric[] {
  const {
    log,
    driver,
    administration,
    feed,
    readBarriers,
    snapshots,
    held,
    healing,
    leaderChanges,
    keyDesk,
  } = node;
  const keys = keyDesk.status;
  const { role, view, leader } = driver.status;
  const waiting = [...feed.links].reduce((sum, link) => sum + link.waitingBytes, 0);
  const cpu = cpuUsage();
  return [
    gauge('consensus_view', 'View of consensus', view),
    gauge('consensus_is_leader', 'Whether this node leads', role === 'leader' ? 1 : 0),
    gauge('consensus_has_leader', 'Whether this node knows a leader', leader ? 1 : 0),
    counter('consensus_leader_changes_total', 'Changes of leader seen', leaderChanges.count),
    gauge('ledger_height', 'Newest block', log.lastHeight),
    gauge('ledger_committed_height', 'Newest committed block', log.committedHeight),
    gauge('ledger_committed_seqno', 'Newest committed transaction', log.committedSeqno),
    counter('ledger_blocks_sealed_total', 'Blocks sealed here as leader', driver.blocksSealed),
    gauge('snapshot_height', 'Newest snapshot on the host', snapshots.newestHeight),
    gauge('backfill_missing_blocks', 'Earlier blocks the host lacks', held.missing),
    counter('ledger_chunks_set_aside_total', 'Damaged chunks set aside', healing.setAside),
    gauge('ledger_chunks_damaged', 'Damaged chunks that were kept', healing.kept.length),
    gauge('epoch', 'Epoch in force', currentEpoch(administration.committedState)),
    gauge('shared_key_threshold', 'Shares that read a session key', keys?.threshold ?? 0),
    gauge('shared_key_holders', 'Members that hold a share', keys?.holders.length ?? 0),
    gauge('shared_keys_out_of_reach', 'Keys of the past that too few can use', unreachable(keys)),
    gauge('key_ceremony', 'Number of the key ceremony that is open', keys?.ceremony?.number ?? 0),
    gauge('key_ceremony_waits_for', 'Members whose part in it is missing', awaited(keys)),
    gauge('session_keys', 'Epochs whose keys are in memory', node.sessionKeys.epochs.length),
    counter(
      'session_keys_collected_total',
      'Session keys put together from shares',
      node.epochs.collected,
    ),
    gauge('key_shares_missing', 'Shares missing for a key that is needed', node.epochs.missing),
    gauge('application_connections', 'Client connections open', connections),
    counter(
      'program_preparations_failed_total',
      'Applications not ready when a vote put them in force',
      node.programs.failedPreparations,
    ),
    counter('read_barriers_passed_total', 'Read barriers passed', readBarriers.counts.passed),
    counter('read_barriers_refused_total', 'Read barriers refused', readBarriers.counts.refused),
    gauge('worker_waiting_bytes', 'Bytes that wait for workers', waiting),
    gauge('process_resident_memory_bytes', 'Memory of the manager', memoryUsage().rss),
    counter('process_cpu_seconds_total', 'CPU time of the manager', (cpu.user + cpu.system) / 1e6),
  ];
}

const unreachable = (keys: KeyStatus | undefined): number => keys?.outOfReach?.length ?? 0;

const awaited = (keys: KeyStatus | undefined): number =>
  (keys?.ceremony ?? keys?.due)?.waitsFor.length ?? 0;

const gauge = (name: string, help: string, value: number): Metric => ({
  name,
  help,
  kind: 'gauge',
  value,
});

const counter = (name: string, help: string, value: number): Metric => ({
  name,
  help,
  kind: 'counter',
  value,
});
