import { renderTable } from '@concordat/cli';
import type { Costs } from './measure.ts';
import type { Section } from './sections/section.ts';

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const times = (value: number | undefined): string =>
  value === undefined ? '' : `${value.toFixed(2)} ×`;
const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);

/** A section as people read it. */
export function renderSection(section: Section): string {
  const { perSecond, rounds, latencies, costs, peers, notes } = section;
  const head = [
    `\n${section.title}`,
    `  ${section.method}`,
    `  ${count(perSecond.median)} a second, median of ${rounds} rounds (${count(perSecond.lowest)} to ${count(perSecond.highest)}); load average ${section.load.toFixed(1)}`,
    ...latencies.map(
      ({ what, figures }) =>
        `  ${what}: p50 ${figures.p50.toFixed(1)} ms, p99 ${figures.p99.toFixed(1)} ms`,
    ),
    `  ${costs.ledgerBytes.toFixed(0)} ledger bytes each`,
    ...notes.map((note) => `  ${note}`),
    '',
  ];
  return `${head.join('\n')}\n${costTable(section)}\n${threadLines(section)}${peerTable(peers)}`;
}

function threadLines({ costs }: Section): string {
  const told = leaderThreads(costs.threadMicros);
  return told === '' ? '' : `  ${told}\n\n`;
}

/** What the leader's worker does in which thread; the others' hardly do anything. */
export function leaderThreads(threadMicros: Costs['threadMicros']): string {
  const [busiest] = Object.entries(threadMicros).sort(
    ([, a], [, b]) => (b.main ?? 0) - (a.main ?? 0),
  );
  if (busiest === undefined) return '';
  const [name, threads] = busiest;
  const shown = Object.entries(threads).filter(([, micros]) => micros >= 0.5);
  const told = shown.map(([thread, micros]) => `${thread} ${micros.toFixed(1)}`).join(', ');
  return `${name} by thread, µs each: ${told}`;
}

function costTable({ costs }: Section): string {
  const rows = Object.entries(costs.cpuMicros).map(([name, micros]) => {
    const peak = costs.peakBytes[name];
    return [name, micros.toFixed(1), peak === undefined ? '' : mebibytes(peak)];
  });
  return renderTable(
    ['process', 'CPU µs each', 'peak MiB'],
    [...rows, ...sums(costs.cpuMicros)],
    'right',
  );
}

/** Leader and follower as the targets name them; the first node leads unless it was voted out. */
function sums(cpuMicros: Readonly<Record<string, number>>): string[][] {
  const byNode = new Map<string, number>();
  for (const [name, micros] of Object.entries(cpuMicros)) {
    const [node = ''] = name.split(' ');
    if (node !== 'client') byNode.set(node, (byNode.get(node) ?? 0) + micros);
  }
  return [...byNode].map(([node, micros]) => [`${node}, all three`, micros.toFixed(1), '']);
}

function peerTable(peers: Section['peers']): string {
  if (peers.length === 0) return '';
  const width = Math.max(...peers.map(({ name }) => name.length));
  const lines = peers.map(({ name, perSecond, ratio, note }) => {
    const rate = perSecond === undefined ? '' : `${count(perSecond)}/s`;
    return `  ${name.padEnd(width)}  ${rate.padStart(9)}  ${times(ratio).padStart(8)}  ${note}`;
  });
  return `  peers of the same run, and our rate over theirs\n${lines.join('\n')}\n`;
}
