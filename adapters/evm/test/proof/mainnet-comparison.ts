import { forkOf as forkOfChain } from '../../../ethereum/fork.ts';
import type { MainnetBlock } from '../../../ethereum/mainnet.ts';
import { ReferenceExecutor } from '../../../ethereum/reference/executor.ts';
import { createEvm, type EvmLog, type EvmSink, type MemoryHost } from '../../index.ts';
import { hasVagueStatus } from './executor.ts';
import { environmentOf, hostOf, transactionsOf } from './mainnet-blocks.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Takes a transaction's writes into a state, and writes them down. */
function noting(host: MemoryHost): { readonly sink: EvmSink; readonly lines: string[] } {
  const lines: string[] = [];
  const note = (kind: string, key: string, value: Uint8Array | undefined): void => {
    lines.push(`${kind} ${hex(Buffer.from(key, 'latin1'))} = ${value && hex(value)}`);
  };
  const copy = (bytes: Uint8Array | undefined) => bytes && new Uint8Array(bytes);
  const sink: EvmSink = {
    putAccount(key, record) {
      note('account', key, record);
      host.putAccount(key, copy(record));
    },
    putSlot(key, value) {
      note('slot', key, value);
      host.putSlot(key, copy(value));
    },
    putCode(key, code) {
      if (!host.codes.has(key)) note('code', key, code);
      host.putCode(key, new Uint8Array(code));
    },
  };
  return { sink, lines };
}

interface Ended {
  readonly status: 0 | 1;
  readonly gasUsed: number;
  readonly output: Uint8Array;
  readonly logs: readonly EvmLog[];
}

/** `vague`: see {@link hasVagueStatus}. */
const linesOf = (
  { status, gasUsed, output, logs }: Ended,
  { vague, writes }: { readonly vague: boolean; readonly writes: readonly string[] },
): string[] => [
  vague ? `gas ${gasUsed}` : `status ${status}, gas ${gasUsed}, output ${hex(output)}`,
  ...logs.map(
    ({ address, topics, data }) => `log ${[address, ...topics, data].map(hex).join(' ')}`,
  ),
  ...writes.toSorted(),
];

/**
 * Executes each transaction of a block by both engines, on states that go their own ways; the first
 * line in which they or the header's gas differ.
 */
export async function compareMainnetBlock(block: MainnetBlock): Promise<string | undefined> {
  const environment = environmentOf(block);
  const [ownHost, referenceHost] = [hostOf(block), hostOf(block)];
  const own = createEvm({ fork: block.hardfork, chainId: 1n, host: ownHost });
  const reference = new ReferenceExecutor(forkOfChain(block.hardfork, 1n));
  reference.attach(referenceHost);
  let gasUsed = 0;
  for (const [at, transaction] of transactionsOf(block).entries()) {
    const { fields, from } = transaction;
    const ours = noting(ownHost);
    const applied = own.execute({ ...fields, from, authorizationList: [] }, environment);
    own.finish(ours.sink);
    const theirs = noting(referenceHost);
    const expected = await reference.execute(transaction, environment);
    reference.finish(theirs.sink);
    gasUsed += applied.gasUsed;
    const vague = hasVagueStatus(block.hardfork, fields);
    const wanted = linesOf(expected, { vague, writes: theirs.lines });
    const got = linesOf(applied, { vague, writes: ours.lines });
    const wrong = got.findIndex((line, i) => line !== wanted[i]);
    if (wrong >= 0) return `transaction ${at}: ${got[wrong]}, expected ${wanted[wrong]}`;
    if (wanted.length > got.length) return `transaction ${at}: lacks ${wanted[got.length]}`;
  }
  const header = Number(block.header.gasUsed);
  return gasUsed === header ? undefined : `gas ${gasUsed}, the header says ${header}`;
}
