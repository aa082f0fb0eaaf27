import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordedTransaction, ReexecutionAnswer } from '@concordat/api';
import { decodeAccount, encodeAccount } from '@concordat/evm';
import { decodeWriteSet, Store } from '@concordat/kv';
import { toLatin1 } from '@concordat/std';
import { Reexecution } from '@concordat/worker-enclave';
import { EthereumAdapter } from '../adapter.ts';
import { createdAddress } from '../created-address.ts';
import { decodeHead, encodeHead } from '../records.ts';
import { accountKey } from '../state-source.ts';
import { ethereumTables, tableNames } from '../tables.ts';
import { Bench, reasonOf } from './adapter-bench.ts';
import { code, deploying, Wallet } from './wallet.ts';

const alice = new Wallet(1);
const bob = new Wallet(2);
const alloc = { [alice.hex]: { balance: '0xde0b6b3a7640000' }, [bob.hex]: { balance: '5000' } };
/** Stores the block's time, number, random value and the hash of the block before; logs. */
const witness = code('42 6000 55 43 6001 55 44 6002 55 6001 43 03 40 6003 55 6000 6000 a0 00');
const config = {
  chains: [
    { name: 'main', chainId: 1337, alloc },
    { name: 'other', chainId: 1337, alloc, gasLimit: 1_000_000 },
  ],
};
const on = (raw: Uint8Array, name = 'main') => ({ chain: name, raw });

/** A ledger of several batches on two chains: kept, failed and refused ones, and full blocks. */
async function recordedLedger(): Promise<Bench> {
  const bench = new Bench(new EthereumAdapter());
  bench.genesis(config);
  const address = createdAddress(alice.address, 0n);
  const deploy = on(alice.transaction({ data: deploying(witness), gasLimit: 300_000n }));
  await bench.run([deploy, on(bob.transaction({ to: alice.address, value: 5n }))]);
  for (let batch = 1n; batch <= 5n; batch += 1n) {
    bench.timeMs += 3_000;
    const send = (nonce: bigint, gasLimit: bigint) =>
      on(alice.transaction({ nonce, to: bob.address, value: 1n, gasLimit }), 'other');
    const first = (batch - 1n) * 4n;
    const outcomes = await bench.run([
      on(alice.transaction({ nonce: batch, to: address, gasLimit: 200_000n })),
      send(first, 800_000n),
      // Takes what is left of a block, asks for more, and is refused: the next begins another block.
      on(
        bob.transaction({ nonce: 0n, to: alice.address, gasLimit: 990_000n, value: 9_999n }),
        'other',
      ),
      send(first + 1n, 900_000n),
      send(first + 2n, 990_000n),
      send(first + 3n, 30_000n),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => reasonOf(outcome)),
      ['kept', 'kept', 'INSUFFICIENT_FUNDS', 'kept', 'kept', 'kept'],
    );
  }
  return bench;
}

async function reexecute(
  blocks: readonly (readonly RecordedTransaction[])[],
): Promise<ReexecutionAnswer[]> {
  const reexecution = new Reexecution([new EthereumAdapter()]);
  assert.equal(
    await reexecution.take({ kind: 'configure', adapters: { ethereum: config } }),
    undefined,
  );
  const answers: ReexecutionAnswer[] = [];
  for (const [at, transactions] of blocks.entries()) {
    const answer = await reexecution.take({ kind: 'block', height: at + 2, transactions });
    if (answer) answers.push(answer);
    if (answer?.kind === 'diverged') return answers;
  }
  const last = reexecution.finish();
  return last ? [...answers, last] : answers;
}

/** The same with one write of one transaction changed. */
function changed(
  blocks: readonly (readonly RecordedTransaction[])[],
  where: { readonly block: number; readonly transaction: number; readonly table: string },
  change: (value: Uint8Array | undefined, key: string) => Uint8Array | undefined,
): RecordedTransaction[][] {
  return blocks.map((transactions, block) =>
    transactions.map((recorded, transaction) => {
      if (block !== where.block || transaction !== where.transaction) return recorded;
      const set = new Store(ethereumTables).begin(1);
      let isChanged = false;
      for (const { table, key, value } of decodeWriteSet(recorded.privateWrites)) {
        const isIt: boolean = table === where.table && !isChanged;
        const now = isIt ? change(value, key) : value;
        isChanged ||= isIt;
        if (now !== undefined) set.table(table).set(key, now);
      }
      assert.ok(isChanged);
      return { ...recorded, ...set.takeWriteSet() };
    }),
  );
}

function diverges(
  answers: readonly ReexecutionAnswer[],
  height: number,
  transaction: number,
): string {
  const last = answers.at(-1);
  assert.ok(last?.kind === 'diverged', JSON.stringify(last));
  assert.deepEqual([last.height, last.transaction], [height, transaction]);
  return last.message;
}

test('a ledger executed anew comes to what was recorded, but for its initial state', async () => {
  const { recorded } = await recordedLedger();
  const answers = await reexecute(recorded);
  assert.deepEqual(
    answers.map((answer) => answer.kind === 'done' && [answer.executed, answer.given]),
    recorded.map(({ length }, at) => (at === 0 ? [0, length] : [length, 0])),
  );
  assert.ok(recorded.slice(2).every((block) => block.length === 6));
});

test('a leader that gave itself money is found at the transaction where it did', async () => {
  const { recorded } = await recordedLedger();
  const richer = changed(
    recorded,
    { block: 3, transaction: 1, table: tableNames.accounts },
    (value) => {
      const account = decodeAccount(value as Uint8Array);
      return encodeAccount({ ...account, balance: account.balance + 1n });
    },
  );
  assert.match(diverges(await reexecute(richer), 5, 1), /ethereum\/accounts/);
});

test('what a leader may choose is taken, and what follows from it is not', async () => {
  const { recorded } = await recordedLedger();
  // Another time in the header alone: the contract stored the one it was executed at.
  const head = changed(recorded, { block: 2, transaction: 5, table: tableNames.heads }, (value) => {
    const record = decodeHead(value as Uint8Array);
    return encodeHead({ ...record, timestamp: record.timestamp + 1 });
  });
  assert.match(diverges(await reexecute(head), 4, 5), /ethereum\/heads/);
  const slot = changed(recorded, { block: 2, transaction: 0, table: tableNames.storage }, () =>
    Uint8Array.of(9),
  );
  assert.match(diverges(await reexecute(slot), 4, 0), /ethereum\/storage/);
});

test('a write left out, one too many, and another claims digest are found', async () => {
  const { recorded } = await recordedLedger();
  const where = { block: 2, transaction: 1, table: tableNames.accounts };
  const less = changed(recorded, where, () => undefined);
  diverges(await reexecute(less), 4, 1);
  const claims = recorded.map((block, at) =>
    block.map((one, i) =>
      at === 2 && i === 1 ? { ...one, claimsDigest: new Uint8Array(32) } : one,
    ),
  );
  assert.match(diverges(await reexecute(claims), 4, 1), /claims digest/);
  const more = changed(
    recorded,
    { ...where, transaction: 5, table: tableNames.heads },
    (v) => v,
  ).map((block, at) =>
    at === 2 ? [...block.slice(0, 5), withMallory(block[5] as RecordedTransaction)] : block,
  );
  assert.match(diverges(await reexecute(more), 4, 5), /ethereum\/accounts/);
});

/** Puts an account of somebody's own among the writes that close a batch. */
function withMallory(recorded: RecordedTransaction): RecordedTransaction {
  const set = new Store(ethereumTables).begin(1);
  for (const { table, key, value } of decodeWriteSet(recorded.privateWrites)) {
    if (value) set.table(table).set(key, value);
  }
  const account = {
    exists: true,
    nonce: 0n,
    balance: 10n ** 18n,
    incarnation: 0,
    hasStorage: false,
  };
  const codeKey = toLatin1(new Uint8Array(32));
  const key = `${'\0'}${accountKey(new Wallet(9).address)}`;
  set.table(tableNames.accounts).set(key, encodeAccount({ ...account, codeKey }));
  return { ...recorded, ...set.takeWriteSet() };
}

test('a transaction left out of the order, doubled, or of another hand is found', async () => {
  const { recorded } = await recordedLedger();
  const edit = (body: (block: RecordedTransaction[]) => RecordedTransaction[]) =>
    reexecute(recorded.map((block, at) => (at === 2 ? body([...block]) : block)));
  diverges(await edit((block) => block.toSpliced(1, 1)), 4, 1);
  diverges(await edit((block) => block.toSpliced(1, 0, block[1] as RecordedTransaction)), 4, 2);
  diverges(await edit(([a, b, ...rest]) => [b, a, ...rest] as RecordedTransaction[]), 4, 0);
  diverges(await edit((block) => block.slice(0, 5)), 4, 0);
  const forged = changed(
    recorded,
    { block: 2, transaction: 0, table: tableNames.transactions },
    (v) => {
      const record = Uint8Array.from(v as Uint8Array);
      record[record.length - 1] = (record.at(-1) as number) ^ 1;
      return record;
    },
  );
  diverges(await reexecute(forged), 4, 0);
});

test('state that no transaction made is taken at the beginning, and never afterwards', async () => {
  const { recorded } = await recordedLedger();
  const [genesis] = recorded as [RecordedTransaction[]];
  const later = await reexecute([...recorded.slice(0, 3), genesis]);
  assert.match(diverges(later, 5, 0), /no transaction is recorded/);
  const framework = { publicWrites: new Uint8Array(0), privateWrites: new Uint8Array(0) };
  const empty = await reexecute([...recorded.slice(0, 2), [framework]]);
  assert.deepEqual(empty.at(-1), {
    kind: 'done',
    height: 4,
    pendingFrom: 4,
    executed: 0,
    given: 1,
  });
});

test('records of any other form are a divergence, never a fault of the program', async () => {
  const { recorded } = await recordedLedger();
  const block = recorded[2] as RecordedTransaction[];
  let seed = 7;
  const next = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  for (let round = 0; round < 300; round += 1) {
    const at = next(block.length);
    const bytes = Uint8Array.from((block[at] as RecordedTransaction).privateWrites);
    const place = next(bytes.length);
    bytes[place] = (bytes[place] as number) ^ (1 << next(8));
    const spoiled = block.with(at, { ...(block[at] as RecordedTransaction), privateWrites: bytes });
    const answers = await reexecute([...recorded.slice(0, 2), spoiled]);
    assert.equal(answers.at(-1)?.kind, 'diverged', `byte ${place} of transaction ${at}`);
  }
});

test('a recovered network’s blocks hold parts of batches, several, and those of others', async () => {
  const { recorded } = await recordedLedger();
  const all = recorded.flat();
  const foreign = new Store([{ name: 'other/table', kind: 'hash' }]).begin(1);
  foreign.table('other/table').set('key', Uint8Array.of(1));
  const other = foreign.takeWriteSet();
  for (const size of [1, 2, 3, 5, 7, all.length]) {
    const blocks: RecordedTransaction[][] = [];
    for (let at = 0; at < all.length; at += size) blocks.push(all.slice(at, at + size));
    const answers = await reexecute([...blocks, [other]]);
    let [executed, given] = [0, 0];
    for (const answer of answers) {
      assert.ok(answer.kind === 'done');
      executed += answer.executed;
      given += answer.given;
    }
    const [genesis] = recorded as [RecordedTransaction[]];
    assert.deepEqual([executed, given], [all.length - genesis.length, genesis.length + 1]);
  }
  const cut = await reexecute([recorded[0] ?? [], (recorded[1] ?? []).slice(0, 2)]);
  assert.match(diverges(cut, 3, 0), /ends within its batch/);
  const broken = await reexecute([recorded[0] ?? [], [...(recorded[1] ?? []).slice(0, 2), other]]);
  assert.match(diverges(broken, 3, 0), /has no end/);
});
