import { renderTable } from '@concordat/cli';
import { median } from '../arithmetic.ts';
import { runBare } from '../peers/bare.ts';
import type { BareAnswer, BareJob } from '../peers/bare-process.ts';
import { loadAverage } from '../process-figures.ts';
import { allBlocks, paperBlocks, warmUpBlocksFor } from '../workloads/mainnet-set.ts';
import type { TransferKind } from '../workloads/token-set.ts';
import type { SectionOptions } from './section.ts';

const engines = ['own', 'reference'] as const;
type Engine = (typeof engines)[number];

/** One workload on both engines; transactions a second. */
export interface EngineRow {
  readonly workload: string;
  /** Execution only, senders known. */
  readonly executed: Readonly<Record<Engine, number>>;
  /** Decoding and sender recovery included. */
  readonly recovered: Readonly<Record<Engine, number>>;
}

/** What one core executes, without ledger or network. */
export interface EngineFigures {
  readonly id: 'engine';
  readonly rows: readonly EngineRow[];
  readonly rounds: number;
  readonly load: number;
}

interface Workload {
  readonly title: string;
  readonly jobOf: (engine: Engine) => BareJob;
}

/** Transactions before and within a round: enough for either engine to run as compiled. */
const counts: Readonly<Record<TransferKind, Readonly<Record<Engine, number>>>> = {
  plain: { own: 20_000, reference: 6_000 },
  token: { own: 12_000, reference: 2_000 },
  swap: { own: 4_000, reference: 400 },
  storage: { own: 2_000, reference: 400 },
};

const titles: Readonly<Record<TransferKind, string>> = {
  plain: 'plain transfer',
  token: 'ERC-20 transfer (OpenZeppelin)',
  swap: 'swap (Uniswap V2, by its router)',
  storage: '200 hashes and 50 writes of storage',
};

function workloads(quick: boolean): readonly Workload[] {
  const signed = (Object.keys(titles) as TransferKind[]).map((kind) => ({
    title: titles[kind],
    jobOf: (engine: Engine): BareJob => {
      const count = Math.ceil(counts[kind][engine] / (quick ? 8 : 1));
      return { kind, engine, warmUp: count, count };
    },
  }));
  const paper = paperBlocks();
  const mainnet = (title: string, blocks: readonly number[], warmUpBlocks: readonly number[]) => ({
    title,
    jobOf: (engine: Engine): BareJob => ({ kind: 'mainnet', engine, warmUpBlocks, blocks }),
  });
  return [
    ...signed,
    mainnet('mainnet blocks of 2015-2018', paper, warmUpBlocksFor(paper)),
    ...(quick ? [] : [mainnet('mainnet blocks of 2015-2024', allBlocks(), paper)]),
  ];
}

/** Runs every workload on each engine in turn, a process each time. */
export async function engineSection({
  rounds,
  quick,
  say,
}: SectionOptions): Promise<EngineFigures> {
  const rows: EngineRow[] = [];
  for (const { title, jobOf } of workloads(quick)) {
    const answers: Record<Engine, BareAnswer[]> = { own: [], reference: [] };
    for (let round = 1; round <= rounds; round++) {
      for (const engine of engines) {
        say(`${title}, ${engine}, round ${round} of ${rounds}`);
        answers[engine].push(await runBare(jobOf(engine)));
      }
    }
    const of = (figure: (answer: BareAnswer) => number) => ({
      own: median(answers.own.map(figure)),
      reference: median(answers.reference.map(figure)),
    });
    rows.push({
      workload: title,
      executed: of((answer) => answer.executedPerSecond),
      recovered: of((answer) => answer.perSecond),
    });
  }
  return { id: 'engine', rows, rounds, load: loadAverage() };
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

/** The section as people read it. */
export function renderEngine({ rows, rounds, load }: EngineFigures): string {
  const header = [
    'transactions a second',
    'own',
    'reference',
    'ratio',
    'own, with recovery',
    'reference',
  ];
  const lines = rows.map(({ workload, executed, recovered }) => [
    workload,
    count(executed.own),
    count(executed.reference),
    `${(executed.own / executed.reference).toFixed(1)} ×`,
    count(recovered.own),
    count(recovered.reference),
  ]);
  const method = `execution only on plain maps, one process, senders known; then with decoding and sender recovery; median of ${rounds} rounds, engines in turn`;
  return `\n(h) the EVM alone\n  ${method}\n  load average ${load.toFixed(1)}\n\n${renderTable(header, lines, 'right')}`;
}
