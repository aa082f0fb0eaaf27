import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { methodTable } from '../rpc/index.ts';
import { stubServer } from './rpc-client.ts';

const word = `0x${'11'.repeat(32)}`;
const account = `0x${'aA'.repeat(20)}`;

/** What is never a value of each kind of parameter, whatever the method. */
const notText = [5, true, [], {}, 1e300, -1, 0.5];
const notHex = ['', 'aa', '0X12', 'latest ', '0xzz', ' 0x12', '0x12 ', '0x\u0661'];
const notQuantity = [...notText, ...notHex, '0x', '0x01', '0x00', '-0x1', `0x1${'0'.repeat(64)}`];
const notCount = [...notQuantity, '0x20000000000000', '0xffffffffffffffff', '0x10000000000000000'];
const notAddress = [...notText, ...notHex, '0x', '0x1', account.slice(0, -2), `${account}00`];
const notHash = [...notText, ...notHex, '0x', '0x1', word.slice(0, -2), `${word}00`];
const notData = [...notText, ...notHex, '0x1', `0x${'00'.repeat(1_048_577)}`];
const notNumberedBlock = [...notCount, 'newest', '__proto__', 'Latest', word];
const notBlock = [
  ...notCount.filter((value) => JSON.stringify(value) !== '{}'),
  'newest',
  {},
  { blockNumber: 'x' },
  { blockNumber: 5 },
  { blockHash: '0x1' },
  { blockHash: word, blockNumber: '0x1' },
  { blockHash: word, requireCanonical: 'yes' },
];
const notFlag = [0, 1, 'true', 'false', [], {}];
const notFilter = [
  5,
  'x',
  true,
  [],
  { fromBlock: 5 },
  { fromBlock: '0x01' },
  { toBlock: 'soon' },
  { blockHash: word, fromBlock: '0x1' },
  { blockHash: word, toBlock: 'latest' },
  { blockHash: '0x12' },
  { address: 5 },
  { address: '0x12' },
  { address: [account, 'x'] },
  { address: [null] },
  { address: new Array(1_001).fill(account) },
  { topics: word },
  { topics: [5] },
  { topics: ['0x12'] },
  { topics: [[word, '0x']] },
  { topics: [[[word]]] },
  { topics: [word, null, null, null, word] },
  { topics: [new Array(1_001).fill(word)] },
];
const notCall = [
  5,
  'x',
  true,
  [],
  { to: 'x' },
  { to: '0x12' },
  { from: 5 },
  { gas: '0x01' },
  { gas: 21_000 },
  { gas: '0x10000000000000000' },
  { gasPrice: '1' },
  { gasPrice: '0x1', maxFeePerGas: '0x1' },
  { maxFeePerGas: {} },
  { maxPriorityFeePerGas: '0xx' },
  { value: `0x1${'0'.repeat(64)}` },
  { value: -1 },
  { nonce: '0x10000000000000000' },
  { data: '0x1' },
  { input: 'deadbeef' },
  { data: '0x12', input: '0x13' },
  { data: `0x${'00'.repeat(1_048_577)}` },
  { accessList: {} },
  { accessList: [5] },
  { accessList: [{ address: account }] },
  { accessList: [{ storageKeys: [] }] },
  { accessList: [{ address: account, storageKeys: ['0x1'] }] },
  { accessList: new Array(1_001).fill({ address: account, storageKeys: [] }) },
  { blobVersionedHashes: [word] },
  { maxFeePerBlobGas: '0x1' },
];
const notState = [
  5,
  'x',
  [],
  { x: {} },
  { '0x12': {} },
  { [account]: 5 },
  { [account]: { balance: 5 } },
  { [account]: { nonce: '0x01' } },
  { [account]: { code: '0x1' } },
  { [account]: { code: `0x${'00'.repeat(196_609)}` } },
  { [account]: { state: [] } },
  { [account]: { state: { '0x1': word } } },
  { [account]: { stateDiff: { [word]: '0x1' } } },
  { [account]: { state: {}, stateDiff: {} } },
  { [account]: { movePrecompileToAddress: account } },
];
const notBlockOverrides = [
  5,
  'x',
  [],
  { number: 5 },
  { time: '0x10000000000000000' },
  { gasLimit: '0x' },
  { feeRecipient: '0x12' },
  { prevRandao: '0x12' },
  { baseFeePerGas: 'x' },
  { blobBaseFee: [] },
  { difficulty: '0x1' },
  { withdrawals: [] },
];

/** Valid parameters of a method and what each of them must not be; how many must be there. */
type Shape = readonly [valid: readonly unknown[], bad: readonly unknown[][], required: number];

const block = 'latest';
const nothing: Shape = [[], [], 0];
const byHash: Shape = [[word], [notHash], 1];
const reader: Shape = [[account, block], [notAddress, notBlock], 1];
const raw = [`0x02c0`];
const calls: Shape = [
  [{ to: account }, block, {}, {}],
  [notCall, notBlock, notState, notBlockOverrides],
  1,
];
const indexed: Shape = [[word, '0x0'], [notHash, notCount], 2];
const numbered: Shape = [[block, '0x0'], [notNumberedBlock, notCount], 2];
const filter: Shape = [[{}], [notFilter], 1];
const filterId: Shape = [['0x1'], [notText], 1];

const shapes: Readonly<Record<string, Shape>> = {
  web3_clientVersion: nothing,
  web3_sha3: [['0x12'], [notData], 1],
  net_version: nothing,
  net_listening: nothing,
  net_peerCount: nothing,
  eth_protocolVersion: nothing,
  eth_chainId: nothing,
  eth_syncing: nothing,
  eth_accounts: nothing,
  eth_coinbase: nothing,
  eth_mining: nothing,
  eth_hashrate: nothing,
  eth_blockNumber: nothing,
  eth_gasPrice: nothing,
  eth_maxPriorityFeePerGas: nothing,
  eth_blobBaseFee: nothing,
  eth_feeHistory: [
    ['0x2', block, [10, 50]],
    [
      [...notCount.filter((value) => value !== 5), -3, 2 ** 60, '5'],
      notNumberedBlock,
      [{}, 'x', 5, ['10'], [-1], [101], [50, 10], [null], [[1]], new Array(101).fill(1)],
    ],
    2,
  ],
  eth_getBalance: reader,
  eth_getTransactionCount: reader,
  eth_getCode: reader,
  eth_getStorageAt: [
    [account, '0x0', block],
    [notAddress, [...notText, '', 'aa', '0xzz', `${word}0`], notBlock],
    2,
  ],
  eth_call: calls,
  eth_estimateGas: calls,
  eth_createAccessList: [[{ to: account }, block], [notCall, notBlock], 1],
  eth_getBlockByNumber: [[block, false], [notNumberedBlock, notFlag], 1],
  eth_getBlockByHash: [[word, true], [notHash, notFlag], 1],
  eth_getBlockTransactionCountByNumber: [[block], [notNumberedBlock], 1],
  eth_getBlockTransactionCountByHash: byHash,
  eth_getBlockReceipts: [[block], [notBlock], 1],
  eth_getUncleCountByBlockNumber: [[block], [notNumberedBlock], 1],
  eth_getUncleCountByBlockHash: byHash,
  eth_getUncleByBlockNumberAndIndex: numbered,
  eth_getUncleByBlockHashAndIndex: indexed,
  eth_sendRawTransaction: [raw, [notData], 1],
  eth_sendRawTransactionSync: [[...raw, '0x1'], [notData, notCount.filter((v) => v !== 5)], 1],
  eth_getTransactionByHash: byHash,
  eth_getTransactionByBlockHashAndIndex: indexed,
  eth_getTransactionByBlockNumberAndIndex: numbered,
  eth_getTransactionReceipt: byHash,
  eth_getRawTransactionByHash: byHash,
  debug_getRawTransaction: byHash,
  eth_getLogs: filter,
  eth_newFilter: [[{}], [[...notFilter, { blockHash: word }]], 1] as unknown as Shape,
  eth_newBlockFilter: nothing,
  eth_newPendingTransactionFilter: nothing,
  eth_getFilterChanges: filterId,
  eth_getFilterLogs: filterId,
  eth_uninstallFilter: filterId,
  txpool_status: nothing,
  txpool_content: nothing,
  txpool_inspect: nothing,
  concordat_getTransactionId: byHash,
  concordat_chain: nothing,
  concordat_replayStatus: nothing,
};
const onSockets = ['eth_subscribe', 'eth_unsubscribe'];

suite('Parameters of every method', () => {
  test('the table below holds every method that is offered', () => {
    assert.deepEqual(
      Object.keys(shapes).sort(),
      [...methodTable.keys()].filter((name) => !onSockets.includes(name)).sort(),
    );
  });

  for (const [name, [valid, bad, required]] of Object.entries(shapes)) {
    test(`${name} refuses wrong types, huge numbers, missing and surplus parameters`, async () => {
      const { call, host } = stubServer();
      const refused = async (params: readonly unknown[], why: string) => {
        const { error } = await call(name, params);
        assert.equal(error?.code, -32602, `${why}: ${JSON.stringify(params).slice(0, 200)}`);
        assert.ok(error.message.length < 300, 'the message does not echo its input');
      };
      await refused([...valid, 1], 'one too many');
      await refused(new Array(valid.length + 1_000).fill(null), 'many too many');
      for (let count = 0; count < required; count++) {
        await refused(valid.slice(0, count), 'too few');
        await refused(
          valid.map((value, index) => (index === count ? null : value)),
          'null',
        );
      }
      for (const [index, values] of bad.entries()) {
        for (const value of values) {
          await refused(
            valid.map((good, at) => (at === index ? value : good)),
            `argument ${index}`,
          );
        }
      }
      assert.deepEqual(host.submissions, [], 'nothing was submitted');
      assert.deepEqual(host.logged, [], 'nothing counted as a bug');
    });
  }

  test('eth_subscribe refuses wrong names and options', async () => {
    const { connect } = stubServer();
    const socket = connect();
    const bad: unknown[][] = [
      [],
      [5],
      ['heads'],
      ['__proto__'],
      ['syncing'],
      ['newHeads', {}],
      ['logs', 5],
      ['newPendingTransactions', 'yes'],
      ['newPendingTransactions', true],
      ['newHeads', null, 1],
      ...notFilter.map((value) => ['logs', value]),
    ];
    for (const params of bad) {
      socket.receive({ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params });
      const [answer] = await socket.take();
      assert.equal(answer?.error?.code, -32602, JSON.stringify(params).slice(0, 100));
    }
  });
});
