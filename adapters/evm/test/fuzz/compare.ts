import { type Execution, type Executor, hasVagueStatus, type Outcome } from '../proof/executor.ts';
import { codeKeyOf } from '../proof/world.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const sorted = (map: ReadonlyMap<string, Uint8Array | undefined>): string[] =>
  [...map]
    .map(([key, value]) => `${Buffer.from(key, 'latin1').toString('hex')} = ${value && hex(value)}`)
    .sort();

/** The outcomes of an execution as lines of text: what two engines must agree on. */
export function outcomeLines(outcomes: readonly Outcome[], execution: Execution): string[] {
  const transactions = [execution, ...(execution.followers ?? [])];
  // A code that is there already may be written again or not.
  const known = new Set([...execution.world.values()].map(codeKeyOf));
  return transactions.flatMap(({ fields }, at) => {
    const vague = hasVagueStatus(execution.fork, fields);
    const lines = linesOf(outcomes[at] as Outcome, { vague, known });
    return lines.map((line) => `${at} ${line}`);
  });
}

function linesOf(
  outcome: Outcome,
  { vague, known }: { readonly vague: boolean; readonly known: Set<string> },
): string[] {
  if (outcome.refused !== undefined) return [`refused ${outcome.refused}`];
  const { changes } = outcome;
  const codes = [...changes.codes].filter(([key]) => !known.has(key));
  for (const [key] of codes) known.add(key);
  return [
    ...(vague ? [] : [`status ${outcome.status}`, `output ${hex(outcome.output)}`]),
    `gas ${outcome.gasUsed}`,
    ...(outcome.blockGas ? [`block ${outcome.blockGas.regular} ${outcome.blockGas.state}`] : []),
    `created ${outcome.contractAddress && hex(outcome.contractAddress)}`,
    ...outcome.logs.map(
      ({ address, topics, data }) => `log ${[address, ...topics, data].map(hex).join(' ')}`,
    ),
    ...sorted(changes.accounts).map((line) => `account ${line}`),
    ...sorted(changes.slots).map((line) => `slot ${line}`),
    ...sorted(new Map(codes)).map((line) => `code ${line}`),
  ];
}

/** Output and code can be long; the start of them tells enough. */
const longestLine = 400;

/** How two engines end an execution differently; undefined when they do not. */
export async function differenceOf(
  execution: Execution,
  own: Executor,
  reference: Executor,
): Promise<string | undefined> {
  const ours = await endOf(own, execution);
  const theirs = await endOf(reference, execution);
  if (ours.join('\n') === theirs.join('\n')) return undefined;
  return [
    ...ours.filter((line) => !theirs.includes(line)).map((line) => `own: ${line}`),
    ...theirs.filter((line) => !ours.includes(line)).map((line) => `reference: ${line}`),
  ]
    .map((line) => (line.length > longestLine ? `${line.slice(0, longestLine)}...` : line))
    .join('\n');
}

/** An engine that throws has ended differently as well. */
async function endOf(execute: Executor, execution: Execution): Promise<string[]> {
  try {
    return outcomeLines(await execute(execution), execution);
  } catch (error) {
    return [`thrown ${error instanceof Error ? error.message : String(error)}`];
  }
}
