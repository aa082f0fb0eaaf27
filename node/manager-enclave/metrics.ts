import { cpuUsage, memoryUsage } from 'node:process';
import type { NodeContext } from './node-context.ts';
import { currentEpoch } from './session-keys.ts';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly kind: 'gauge' | 'counter';
  readonly value: number;
}

/** The manager's figures as Prometheus text (version 0.0.4). */
export function renderMetrics(node: NodeContext, connections: number): string {
  return metricsOf(node, connections)
    .map(
      ({ name, help, kind, value }) =>
        `# HELP concordat_${name} ${help}\n# TYPE concordat_${name} ${kind}\nconcordat_${name} ${value}\n`,
    )
    .join('');
}

function metricsOf(node: NodeContext, connections: number): Metric[] {
  const { log, driver, administration, feed, readBarriers } = node;
  const { role, view, leader } = driver.status;
  const waiting = [...feed.links].reduce((sum, link) => sum + link.waitingBytes, 0);
  const cpu = cpuUsage();
  return [
    gauge('consensus_view', 'View of consensus', view),
    gauge('consensus_is_leader', 'Whether this node leads', role === 'leader' ? 1 : 0),
    gauge('consensus_has_leader', 'Whether this node knows a leader', leader ? 1 : 0),
    gauge('ledger_height', 'Newest block', log.lastHeight),
    gauge('ledger_committed_height', 'Newest committed block', log.committedHeight),
    gauge('ledger_committed_seqno', 'Newest committed transaction', log.committedSeqno),
    counter('ledger_blocks_sealed_total', 'Blocks sealed here as leader', driver.blocksSealed),
    gauge('epoch', 'Epoch in force', currentEpoch(administration.committedState)),
    gauge('application_connections', 'Client connections open', connections),
    counter('read_barriers_passed_total', 'Read barriers passed', readBarriers.counts.passed),
    counter('read_barriers_refused_total', 'Read barriers refused', readBarriers.counts.refused),
    gauge('worker_waiting_bytes', 'Bytes that wait for workers', waiting),
    gauge('process_resident_memory_bytes', 'Memory of the manager', memoryUsage().rss),
    counter('process_cpu_seconds_total', 'CPU time of the manager', (cpu.user + cpu.system) / 1e6),
  ];
}

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
