import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EthereumAdapter } from '../adapter.ts';
import type { ReplayFigures } from '../chain-reader.ts';
import { mainnetReplay, replayChainName } from '../import.ts';
import { mainnetIndex } from '../mainnet.ts';
import { Bench } from './adapter-bench.ts';

/** Replays blocks through the adapter's own batches of 100 and checks each against its header. */
async function replays(numbers: readonly number[]): Promise<void> {
  const replay = mainnetReplay(numbers);
  const adapter = new EthereumAdapter();
  const bench = new Bench(adapter);
  bench.genesis(replay.config, replay.genesisData);
  const sent = new Map<string, number>();
  for (let start = 0; start < replay.transactions.length; start += 100) {
    const raws = replay.transactions.slice(start, start + 100).map(({ chain, raw, hash }) => {
      sent.set(chain, (sent.get(chain) ?? 0) + 1);
      return { chain, raw, hash };
    });
    const outcomes = await bench.run(raws);
    for (const [i, outcome] of outcomes.entries()) {
      assert.equal(outcome.ok && outcome.result.hash, raws[i]?.hash);
    }
  }
  for (const number of numbers) {
    const view = adapter.forChain(replayChainName(number));
    const progress = view?.replayProgress?.();
    assert.deepEqual(readable(progress?.executed), readable(progress?.expected), `block ${number}`);
    assert.equal(progress?.matches, true);
    assert.equal(view?.block('latest')?.transactionHashes.length, sent.get(view?.name ?? ''));
  }
}

const readable = (figures: ReplayFigures | undefined): unknown =>
  Object.entries(figures ?? {}).map(([name, value]) =>
    typeof value === 'number' ? [name, value] : [name, Buffer.from(value).toString('hex')],
  );

const index = mainnetIndex();

test('21 real blocks of 2015 to 2018 come to the gas, bloom and roots of their headers', async () => {
  const numbers = index.map(({ number }) => number).filter((number) => number < 7_000_000);
  assert.equal(numbers.length, 21);
  await replays(numbers);
});

test('36 real blocks of 2019 to 2024 come to the gas, bloom and roots of their headers', async () => {
  const numbers = index.map(({ number }) => number).filter((number) => number >= 7_000_000);
  assert.equal(numbers.length, 36);
  await replays(numbers);
});
