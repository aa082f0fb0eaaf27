import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { unsupportedMethods } from '../rpc/index.ts';
import { stubServer } from './rpc-client.ts';
import { stubActor } from './stub-chain.ts';

const hash = (byte: number): string => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`;
const account = `0x${'77'.repeat(20)}`;
const word = (value: bigint): string => value.toString(16).padStart(64, '0');

suite('JSON-RPC methods', () => {
  test('what a node says of itself is true', async () => {
    const { call } = stubServer();
    const results: Record<string, unknown> = {
      net_version: '1337',
      net_listening: true,
      net_peerCount: '0x0',
      eth_chainId: '0x539',
      eth_syncing: false,
      eth_accounts: [],
      eth_mining: false,
      eth_hashrate: '0x0',
      eth_coinbase: `0x${'01'.repeat(20)}`,
      eth_blockNumber: '0x3',
      eth_gasPrice: '0x7',
      eth_maxPriorityFeePerGas: '0x0',
    };
    for (const [name, expected] of Object.entries(results)) {
      assert.deepEqual((await call(name, [])).result, expected, name);
    }
    const { result } = await call('web3_sha3', ['0x68656c6c6f20776f726c64']);
    assert.equal(result, '0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad');
  });

  test('accounts are read at a block by tag, number, hash or EIP-1898 object', async () => {
    const { call } = stubServer();
    const blocks = ['latest', 'pending', 'safe', 'finalized', '0x3', hash(0x13)];
    const objects = [{ blockNumber: '0x3' }, { blockHash: hash(0x13), requireCanonical: true }];
    for (const block of [...blocks, ...objects, undefined]) {
      const params = block === undefined ? [account] : [account, block];
      assert.equal((await call('eth_getBalance', params)).result, '0x3635c9adc5dea00000');
    }
    assert.equal((await call('eth_getTransactionCount', [account, 'latest'])).result, '0x4');
    assert.equal((await call('eth_getTransactionCount', [account, 'pending'])).result, '0x5');
    assert.equal(
      (await call('eth_getStorageAt', [account, '0x1f', 'latest'])).result,
      `0x${word(31n)}`,
    );
  });

  test('state that is not kept, unknown blocks and closed reads are named', async () => {
    const { call } = stubServer();
    const old = await call('eth_getBalance', [account, '0x1']);
    assert.equal(old.error?.code, -32000);
    assert.deepEqual(old.error?.data, { code: 'STATE_NOT_KEPT' });
    const unknown = await call('eth_call', [{ to: account }, '0x99']);
    assert.deepEqual(unknown.error?.data, { code: 'UNKNOWN_BLOCK' });
    const closed = await call('eth_getCode', [account], stubActor('outsider'));
    assert.equal(closed.error?.code, 4100);
    assert.deepEqual(closed.error?.data, { code: 'ACCESS_DENIED' });
  });

  test('a reverted call answers error 3 with its data and the reason in words', async () => {
    const { call, main } = stubServer();
    const reverted = async (output: string) => {
      main.outcome = { status: 'revert', output: Buffer.from(output, 'hex'), gasUsed: 1 };
      const { error } = await call('eth_call', [{ to: account }, 'latest']);
      assert.equal(error?.code, 3);
      assert.equal(error.data, `0x${output}`);
      return error.message;
    };
    const text = Buffer.from('not yours').toString('hex');
    const reason = `08c379a0${word(32n)}${word(9n)}${text.padEnd(64, '0')}`;
    assert.equal(await reverted(reason), 'execution reverted: not yours');
    const panic = `4e487b71${word(0x12n)}`;
    assert.equal(await reverted(panic), 'execution reverted: division or modulo by zero');
    const odd = `4e487b71${word(0x77n)}`;
    assert.equal(await reverted(odd), 'execution reverted: unknown panic code: 0x77');
    for (const plain of [
      '',
      'deadbeef',
      reason.slice(0, 80),
      `08c379a0${word(32n)}${word(2n ** 255n)}`,
    ]) {
      assert.equal(await reverted(plain), 'execution reverted');
    }
    const estimate = await call('eth_estimateGas', [{ to: account }]);
    assert.equal(estimate.error?.code, 3);
    const list = await call('eth_createAccessList', [{ to: account }]);
    assert.equal(list.result.error, 'execution reverted');
  });

  test('a call that failed otherwise answers the reason without data', async () => {
    const { call, main } = stubServer();
    main.outcome = { status: 'error', output: new Uint8Array(0), error: 'out of gas', gasUsed: 9 };
    const { error } = await call('eth_call', [{ to: account }]);
    assert.deepEqual(error, { code: -32000, message: 'out of gas' });
  });

  test('a call takes Geth-like objects and both kinds of overrides', async () => {
    const { call, main } = stubServer();
    const request = {
      from: account,
      to: account,
      input: '0x12',
      data: '0x12',
      value: '0x1',
      gas: '0xffffffffffffffff',
      chainId: '0x539',
      unknown: 1,
    };
    const state = {
      [account.toUpperCase().replace('0X', '0x')]: {
        balance: '0x5',
        stateDiff: { [hash(1)]: hash(2) },
      },
    };
    const { result } = await call('eth_call', [
      request,
      'pending',
      state,
      { time: '0x64', number: '0x9' },
    ]);
    assert.equal(result, '0x0102');
    const [seen, at, accounts, block] = main.lastCall as [
      Record<string, unknown>,
      string,
      Record<string, unknown>,
      unknown,
    ];
    assert.equal(seen.gas, Number.MAX_SAFE_INTEGER);
    assert.deepEqual(Object.keys(seen).sort(), ['data', 'from', 'gas', 'to', 'value']);
    assert.equal(at, 'pending');
    assert.deepEqual(
      { ...(accounts[account] as object) },
      { balance: 5n, stateDiff: { __proto__: null, [hash(1)]: hash(2) } },
    );
    assert.deepEqual(block, { number: 9n, timestamp: 100n });
  });

  test('blocks come with hashes or whole transactions, and null when there is none', async () => {
    const { call } = stubServer();
    const brief = (await call('eth_getBlockByNumber', ['0x2', false])).result;
    assert.equal(brief.hash, hash(0x12));
    assert.deepEqual(brief.transactions, [hash(0x82)]);
    assert.deepEqual(
      [brief.uncles, brief.withdrawals, brief.nonce],
      [[], [], '0x0000000000000000'],
    );
    const full = (await call('eth_getBlockByHash', [hash(0x12), true])).result;
    const [transaction] = full.transactions;
    assert.equal(transaction.hash, hash(0x82));
    assert.equal(transaction.type, '0x2');
    assert.deepEqual([transaction.gasPrice, transaction.maxFeePerGas], ['0x8', '0x9']);
    assert.equal(transaction.accessList[0].storageKeys[0], hash(9));
    for (const [name, params] of [
      ['eth_getBlockByNumber', ['0x4', true]],
      ['eth_getBlockByHash', [hash(0x99), false]],
      ['eth_getBlockReceipts', ['0x4']],
      ['eth_getBlockTransactionCountByNumber', ['0x4']],
      ['eth_getUncleCountByBlockNumber', ['0x4']],
      ['eth_getUncleByBlockNumberAndIndex', ['0x1', '0x0']],
      ['eth_getTransactionByHash', [hash(0x01)]],
      ['eth_getTransactionByBlockNumberAndIndex', ['0x1', '0x1']],
      ['eth_getTransactionReceipt', [hash(0x01)]],
      ['concordat_getTransactionId', [hash(0x01)]],
    ] as const) {
      assert.equal((await call(name, params)).result, null, name);
    }
    assert.equal((await call('eth_getUncleCountByBlockNumber', ['0x1'])).result, '0x0');
    assert.equal((await call('eth_getBlockTransactionCountByHash', [hash(0x11)])).result, '0x1');
  });

  test('receipts carry logs, and a transaction names its place in the ledger', async () => {
    const { call } = stubServer();
    const receipt = (await call('eth_getTransactionReceipt', [hash(0x82)])).result;
    assert.deepEqual(
      [receipt.status, receipt.contractAddress, receipt.gasUsed],
      ['0x1', null, '0x5208'],
    );
    assert.equal(receipt.logs[0].removed, false);
    assert.deepEqual((await call('eth_getBlockReceipts', [{ blockHash: hash(0x12) }])).result, [
      receipt,
    ]);
    assert.equal((await call('concordat_getTransactionId', [hash(0x82)])).result, '2.130');
    assert.equal((await call('debug_getRawTransaction', [hash(0x82)])).result, '0x02c002');
  });

  test('fee history weighs percentiles by gas and adds the next base fee', async () => {
    const { call } = stubServer();
    const { result } = await call('eth_feeHistory', ['0x2', 'latest', [0, 25, 26, 100]]);
    assert.equal(result.oldestBlock, '0x2');
    assert.deepEqual(result.baseFeePerGas, ['0x7', '0x7', '0x7']);
    assert.deepEqual(result.gasUsedRatio, [0.5, 0.5]);
    assert.deepEqual(result.reward[0], ['0x2', '0x2', '0x9', '0x9']);
    const plain = (await call('eth_feeHistory', [2, 'pending'])).result;
    assert.equal(plain.reward, undefined);
    const beyond = await call('eth_feeHistory', ['0x1', '0x99', []]);
    assert.match(beyond.error!.message, /^request beyond head block/);
    assert.deepEqual((await call('eth_feeHistory', [0, 'latest'])).result.gasUsedRatio, null);
  });

  test('a replay reports what was executed beside what the real block holds', async () => {
    const { call, main } = stubServer();
    assert.equal((await call('concordat_replayStatus', [])).result, null);
    const [logsBloom, transactionsRoot] = [Buffer.alloc(256), Buffer.alloc(32, 1)];
    const executed = { gasUsed: 5, logsBloom, transactionsRoot, receiptsRoot: Buffer.alloc(32, 2) };
    const expected = { gasUsed: 6, logsBloom, transactionsRoot };
    main.replayProgress = () => ({ executed, expected, complete: false, matches: false });
    const { result } = await call('concordat_replayStatus', []);
    assert.deepEqual([result.number, result.transactions], ['0x3', '0x1']);
    assert.deepEqual([result.executed.gasUsed, result.expected.gasUsed], ['0x5', '0x6']);
    assert.equal(result.executed.receiptsRoot, `0x${'02'.repeat(32)}`);
    assert.deepEqual([result.complete, result.matches], [false, false]);
  });

  test('each method that cannot be offered says so, with the reason', async () => {
    const { call } = stubServer();
    for (const [name, reason] of unsupportedMethods) {
      const { error } = await call(name, []);
      assert.equal(error?.code, -32601, name);
      assert.deepEqual(error.data, { code: 'METHOD_NOT_SUPPORTED', reason });
    }
  });

  test('a bug in a method is an internal error that tells nothing, and is logged', async () => {
    const { call, main, host } = stubServer();
    main.account = () => {
      throw new TypeError('secret detail');
    };
    const { error } = await call('eth_getBalance', [account]);
    assert.deepEqual(error, { code: -32603, message: 'internal error' });
    assert.deepEqual(host.logged, ['ethereum-rpc-failed']);
  });
});

suite('Refused submissions', () => {
  const refusals: readonly (readonly [string, string, number])[] = [
    ['NONCE_TOO_LOW', 'nonce too low: next nonce 5, tx nonce 3', -32000],
    ['ALREADY_KNOWN', 'already known', -32000],
    ['INSUFFICIENT_FUNDS', 'insufficient funds for gas * price + value', -32000],
    ['INTRINSIC_GAS_TOO_LOW', 'intrinsic gas too low', -32000],
    ['OVERLOADED', 'the queue is full', -32005],
    ['POOL_FULL', 'txpool is full', -32005],
    ['TRANSACTION_UNKNOWN', 'not committed in time', 4],
    ['TRANSACTION_LOST', 'rolled back', -32002],
  ];
  for (const [code, message, number] of refusals) {
    test(`${code} answers ${number} with the chain's words and our code`, async () => {
      const { call, host } = stubServer();
      const waiting = call('eth_sendRawTransaction', ['0x02']);
      await new Promise((resolve) => setImmediate(resolve));
      host.submissions[0]!.done({ ok: false, code, message, details: { nonce: 5 } });
      assert.deepEqual((await waiting).error, { code: number, message, data: { code, nonce: 5 } });
    });
  }

  test("a refusal in the chain's own words is told in Geth's first", async () => {
    const { call, host } = stubServer();
    const waiting = call('eth_sendRawTransaction', ['0x02']);
    await new Promise((resolve) => setImmediate(resolve));
    host.submissions[0]!.done({ ok: false, code: 'NONCE_TOO_LOW', message: 'nonce 3, next is 5' });
    assert.equal((await waiting).error?.message, 'nonce too low: nonce 3, next is 5');
    const forwarded = call('eth_sendRawTransaction', ['0x02']);
    await new Promise((resolve) => setImmediate(resolve));
    const details = { reason: 'NONCE_TOO_LOW', next: '5' };
    const message = 'nonce 3, next is 5';
    host.submissions[1]!.done({ ok: false, code: 'INVALID_TRANSACTION', message, details });
    assert.deepEqual((await forwarded).error, {
      code: -32000,
      message: 'nonce too low: nonce 3, next is 5',
      data: { code: 'NONCE_TOO_LOW', next: '5' },
    });
  });

  test('a synchronous send answers the receipt, or after its wait error 4 with the hash', async () => {
    const { call, host, main } = stubServer();
    const patient = call('eth_sendRawTransactionSync', ['0x02', '0x1388']);
    await new Promise((resolve) => setImmediate(resolve));
    const receipt = main.receiptByHash(Buffer.alloc(32, 0x81));
    main.receiptByHash = () => receipt;
    host.accept(0);
    assert.equal((await patient).result.transactionHash, hash(0x81));
    const { error } = await call('eth_sendRawTransactionSync', ['0x02', 5]);
    assert.equal(error?.code, 4);
    assert.equal(error.data, '0xf2ee15ea639b73fa3db9b34a245bdfa015c260c598b211bf05a1ecc4b3e3b4f2');
  });
});
