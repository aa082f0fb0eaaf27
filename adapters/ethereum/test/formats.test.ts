import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MerklePatriciaTrie } from '@ethereumjs/mpt';
import { EthereumAdapter } from '../adapter.ts';
import { parseConfig } from '../config.ts';
import { encodeImport, ImportReader } from '../import-format.ts';
import { orderedTrieRoot } from '../ordered-trie.ts';
import {
  decodeHead,
  decodeTransactionRecord,
  encodeHead,
  encodeTransactionRecord,
} from '../records.ts';
import { encodeRlp } from '../rlp.ts';
import { Bench } from './adapter-bench.ts';

test('the ordered trie has the root that @ethereumjs/mpt computes, for 0 to 300 values', async () => {
  for (const count of [0, 1, 2, 3, 16, 17, 127, 128, 129, 200, 256, 257, 300]) {
    const values = Array.from({ length: count }, (_, i) =>
      Buffer.alloc(1 + ((i * 37) % 90), i + 1),
    );
    const trie = new MerklePatriciaTrie();
    for (const [i, value] of values.entries()) {
      await trie.put(
        encodeRlp(i === 0 ? new Uint8Array(0) : Buffer.from(i < 256 ? [i] : [i >> 8, i & 255])),
        value,
      );
    }
    assert.deepEqual(
      Buffer.from(orderedTrieRoot(values)),
      Buffer.from(trie.root()),
      `${count} values`,
    );
  }
});

test('head and transaction records come back as they were, and only whole ones are read', () => {
  const head = {
    number: 7,
    hash: Buffer.alloc(32, 1),
    timestamp: 9,
    gasUsed: 21_000,
    gasLimit: 30_000_000,
    baseFee: 7n,
    transactions: 1,
    logs: 2,
    bloom: Buffer.alloc(256, 3),
  };
  assert.deepEqual(decodeHead(encodeHead(head)), head);
  const counted = { ...head, gas: { paid: 4, regular: 5, state: 6 } };
  assert.deepEqual(decodeHead(encodeHead(counted)), counted);
  const record = {
    hash: Buffer.alloc(32, 1),
    from: Buffer.alloc(20, 2),
    status: 1 as const,
    gasUsed: 5,
    cumulativeGasUsed: 6,
    effectiveGasPrice: 7n,
    contractAddress: Buffer.alloc(20, 3),
    firstLog: 4,
    raw: Buffer.from([1, 2]),
    logs: [{ address: Buffer.alloc(20, 4), topics: [Buffer.alloc(32, 5)], data: Buffer.from([6]) }],
  };
  const bytes = encodeTransactionRecord(record);
  assert.deepEqual(decodeTransactionRecord(bytes), record);
  for (const [whole, read] of [
    [bytes, decodeTransactionRecord],
    [encodeHead(head), decodeHead],
  ] as const) {
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => read(whole.subarray(0, length)), { code: 'MALFORMED' });
    }
    assert.throws(() => read(Buffer.concat([whole, Buffer.alloc(1)])), { code: 'MALFORMED' });
  }
});

const account = {
  address: Buffer.alloc(20, 9),
  nonce: 1n,
  balance: 10n,
  code: 0,
  storage: [[1n, 2n]] as const,
};
const data = encodeImport([Buffer.from('6000', 'hex')], [{ name: 'main', accounts: [account] }]);

function readAll(bytes: Uint8Array): unknown {
  return [...new ImportReader(bytes).chains()].map(({ name }) => name);
}

test('genesis data reads back account by account, and refuses all but whole files', () => {
  const reader = new ImportReader(data);
  for (const { name, accounts } of reader.chains()) {
    assert.equal(name, 'main');
    assert.deepEqual([...accounts], [{ ...account, storage: [[1n, 2n]] }]);
  }
  const drain = (bytes: Uint8Array) => {
    for (const { accounts } of new ImportReader(bytes).chains()) for (const _ of accounts);
  };
  drain(data);
  for (let length = 0; length < data.length; length++) {
    assert.throws(() => drain(data.subarray(0, length)), { code: 'MALFORMED' });
  }
  assert.throws(() => drain(Buffer.concat([data, Buffer.alloc(1)])), { code: 'MALFORMED' });
  assert.throws(() => readAll(data), { code: 'MALFORMED' });
});

test('genesis wants exactly the data whose digest the constitution names', () => {
  const chains = [{ name: 'main', chainId: 1 }];
  const right = new Bench(new EthereumAdapter());
  assert.throws(() => right.genesis({ chains, genesisDataSha256: '0'.repeat(64) }, data), {
    code: 'INVALID_GENESIS',
  });
  assert.throws(
    () => new Bench(new EthereumAdapter()).genesis({ chains, genesisDataSha256: '0'.repeat(64) }),
    { code: 'INVALID_GENESIS' },
  );
  assert.throws(() => new Bench(new EthereumAdapter()).genesis({ chains }, data), {
    code: 'INVALID_GENESIS',
  });
});

test('configurations with unknown keys, doubles or values out of range are refused by path', () => {
  const chain = { name: 'main', chainId: 1 };
  const rows: readonly (readonly [unknown, string])[] = [
    [undefined, 'ethereum'],
    [{ chains: [] }, 'ethereum.chains'],
    [{ chains: [chain], extra: 1 }, 'ethereum.extra'],
    [{ chains: [chain, chain] }, 'ethereum.chains'],
    [{ chains: [{ ...chain, engine: 'fastest' }] }, 'ethereum.chains[0].engine'],
    [{ chains: [{ ...chain, engine: 'toString' }] }, 'ethereum.chains[0].engine'],
    [{ chains: [{ ...chain, name: 'Bad Name' }] }, 'ethereum.chains[0].name'],
    [{ chains: [{ ...chain, chainId: 0 }] }, 'ethereum.chains[0].chainId'],
    [{ chains: [{ ...chain, hardfork: 'nowhere' }] }, 'ethereum.chains[0].hardfork'],
    [{ chains: [{ ...chain, hardfork: 'homestead' }] }, 'ethereum.chains[0].hardfork'],
    [{ chains: [{ ...chain, gasLimit: 1 }] }, 'ethereum.chains[0].gasLimit'],
    [{ chains: [{ ...chain, reads: { code: 'maybe' } }] }, 'ethereum.chains[0].reads.code'],
    [{ chains: [{ ...chain, alloc: { '0x00': {} } }] }, 'ethereum.chains[0].alloc.0x00'],
    [{ chains: [chain], genesisDataSha256: 'x' }, 'ethereum.genesisDataSha256'],
  ];
  for (const [config, path] of rows) {
    assert.throws(
      () => parseConfig(config),
      (error: { code?: string; details?: { path?: string } }) => {
        assert.equal(error.code, 'INVALID_CONFIGURATION');
        assert.equal(error.details?.path, path);
        return true;
      },
    );
  }
});
