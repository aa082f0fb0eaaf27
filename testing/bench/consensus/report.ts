import { renderTable } from '@concordat/cli';
import { ratio } from '../arithmetic.ts';
import type { ConsensusFigures, Loads } from '../sections/consensus-section.ts';
import type { CatchUpFigures } from './catch-up-part.ts';
import type { Cell } from './commit-part.ts';
import type { ElectionFigures } from './election-part.ts';

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0);
const times = (value: number | undefined): string =>
  value === undefined ? '' : `${value.toFixed(2)} ×`;

/** The section as people read it. */
export function renderConsensus(figures: ConsensusFigures): string {
  const { commits, elections, catchUps, loads, notes } = figures;
  const writes = commits.filter(({ what }) => what === 'write');
  const reads = commits.filter(({ what }) => what !== 'write');
  const tables = [
    titled('(e) writes of 100 bytes, to durable commit on a majority', loads.commits, [
      commitTable(writes),
      costTable(writes),
    ]),
    titled('(e) linearizable reads of 100 bytes', loads.commits, [
      commitTable(reads),
      costTable(reads),
    ]),
    titled('(e) kill -9 of the leader to the next commit', loads.elections, [
      electionTable(elections),
    ]),
    titled('(e) a node without a ledger, until it votes', loads['catch-up'], [
      catchUpTable(catchUps),
    ]),
  ];
  return `${[...tables, ...notes.map((note) => `  ${note}`)].filter(Boolean).join('\n')}\n`;
}

function titled(title: string, loads: Loads | undefined, tables: readonly string[]): string {
  if (!loads || tables.every((table) => table === '')) return '';
  const load = `load average ${loads.before.toFixed(1)} before, ${loads.after.toFixed(1)} after`;
  return `\n${title}; ${load}\n\n${tables.join('\n')}`;
}

function commitTable(cells: readonly Cell[]): string {
  if (cells.length === 0) return '';
  const rows = cells.map(({ voters, what, inFlight, own, etcd }) => [
    `${voters}`,
    what,
    count(inFlight),
    `${count(own.perSecond.median)} (${count(own.perSecond.lowest)}-${count(own.perSecond.highest)})`,
    ms(own.p50),
    ms(own.p99),
    etcd ? count(etcd.perSecond.median) : '',
    etcd ? ms(etcd.p50) : '',
    etcd ? ms(etcd.p99) : '',
    times(ratio(own.perSecond.median, etcd?.perSecond.median)),
    times(etcd && ratio(etcd.p50, own.p50)),
  ]);
  const head = ['VNs', 'what', 'in flight', 'a second', 'p50 ms', 'p99 ms'];
  const peer = ['etcd/s', 'p50', 'p99', 'our rate', 'their p50 / ours'];
  return renderTable([...head, ...peer], rows, 'right');
}

/** Processor time of each process, the followers' as their mean. */
function costTable(cells: readonly Cell[]): string {
  if (cells.length === 0) return '';
  const rows = cells.map((cell) => {
    const { voters, what, inFlight, costs, leader, etcd } = cell;
    const of = (node: string, part: string): number => costs.cpuMicros[`${node} ${part}`] ?? 0;
    const nodes = new Set(Object.keys(costs.cpuMicros).map((name) => name.split(' ')[0] ?? ''));
    nodes.delete('client');
    const followers = [...nodes].filter((name) => name !== leader);
    const micros = ['host', 'manager', 'worker'].map((part) => of(leader, part).toFixed(1));
    const others = ['host', 'manager', 'worker'].map((part) =>
      followers.length === 0 ? '' : mean(followers.map((name) => of(name, part))).toFixed(1),
    );
    const sum = Object.entries(costs.cpuMicros)
      .filter(([name]) => name !== 'client')
      .reduce((total, [, value]) => total + value, 0);
    const client = (costs.cpuMicros.client ?? 0).toFixed(1);
    const peer = etcd ? [etcd.cpuMicros.toFixed(0), etcd.clientMicros.toFixed(0)] : ['', ''];
    const own = [...micros, ...others, sum.toFixed(0), client];
    const ledger = costs.ledgerBytes.toFixed(0);
    return [`${voters}`, what, count(inFlight), ...own, ...peer, ledger];
  });
  const head = ['VNs', 'what', 'in flight', 'leader: host', 'manager', 'worker'];
  const others = ['follower: host', 'manager', 'worker', 'all nodes', 'client'];
  const peer = ['etcd, all', 'its client', 'ledger bytes'];
  return `  processor µs each\n${renderTable([...head, ...others, ...peer], rows, 'right')}`;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function electionTable(elections: readonly ElectionFigures[]): string {
  if (elections.length === 0) return '';
  const rows = elections.map(({ victim, runs, p50, p99, worst, elected }) => [
    victim,
    `${runs}`,
    ms(p50),
    ms(p99),
    ms(worst),
    ms(elected),
  ]);
  const head = ['killed', 'runs', 'p50 ms', 'p99 ms', 'worst ms', 'until elected, p50 ms'];
  return renderTable(head, rows, 'right');
}

function catchUpTable(catchUps: readonly CatchUpFigures[]): string {
  if (catchUps.length === 0) return '';
  const rows = catchUps.map(({ way, ledgerBytes, blocks, runs, tookMs, megabytesPerSecond }) => [
    way,
    `${runs}`,
    (ledgerBytes / 1e6).toFixed(0),
    count(blocks),
    count(tookMs),
    megabytesPerSecond.toFixed(0),
  ]);
  const head = ['by', 'runs', 'ledger MB', 'blocks', 'ms', 'MB/s'];
  return renderTable(head, rows, 'right');
}
