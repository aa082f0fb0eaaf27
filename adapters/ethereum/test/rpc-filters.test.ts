import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { stubServer } from './rpc-client.ts';
import { stubActor } from './stub-chain.ts';

const hash = (byte: number): string => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`;

suite('eth_getLogs', () => {
  test('bounds are inclusive, and one left out is the latest block', async () => {
    const { call } = stubServer();
    const count = async (criteria: object) => (await call('eth_getLogs', [criteria])).result.length;
    assert.equal(await count({}), 3);
    assert.equal(await count({ fromBlock: 'earliest' }), 6);
    assert.equal(await count({ fromBlock: '0x1', toBlock: '0x2' }), 3);
    assert.equal(await count({ fromBlock: '0x1', toBlock: '0xffff' }), 6);
    assert.equal(await count({ fromBlock: '0x9', toBlock: '0xffff' }), 0);
    assert.equal(await count({ blockHash: hash(0x12) }), 2);
  });

  test('a reversed range, an unknown block and too wide a range are refused', async () => {
    const { call, main } = stubServer();
    const reversed = await call('eth_getLogs', [{ fromBlock: '0x3', toBlock: '0x1' }]);
    assert.equal(reversed.error?.code, -32602);
    const unknown = await call('eth_getLogs', [{ blockHash: hash(0x99) }]);
    assert.deepEqual(unknown.error?.data, { code: 'UNKNOWN_BLOCK' });
    main.height = 100_000;
    const wide = await call('eth_getLogs', [{ fromBlock: '0x0' }]);
    assert.equal(wide.error?.code, -32005);
  });

  test('too many results are refused with the limit', async () => {
    const { call, main } = stubServer();
    main.height = 150;
    const { error } = await call('eth_getLogs', [{ fromBlock: '0x0' }]);
    assert.equal(error?.code, -32005);
    assert.match(error.message, /^query returned more than .* 10000/);
    assert.deepEqual(error.data, { code: 'TOO_MANY_RESULTS' });
  });
});

suite('Filters', () => {
  test('each poll reports what was committed since the last one, once', async () => {
    const { call, main } = stubServer();
    const logs = (await call('eth_newFilter', [{}])).result;
    const blocks = (await call('eth_newBlockFilter', [])).result;
    const transactions = (await call('eth_newPendingTransactionFilter', [])).result;
    const changes = async (id: string) => (await call('eth_getFilterChanges', [id])).result;
    assert.deepEqual(await changes(blocks), []);
    main.commit();
    main.commit();
    assert.equal((await changes(logs)).length, 9);
    assert.deepEqual(await changes(blocks), [hash(0x14), hash(0x15)]);
    assert.deepEqual(await changes(transactions), [hash(0x84), hash(0x85)]);
    for (const id of [logs, blocks, transactions]) assert.deepEqual(await changes(id), []);
    assert.equal((await call('eth_getFilterLogs', [logs])).result.length, 5);
    assert.equal((await call('eth_getFilterLogs', [blocks])).error?.message, 'filter not found');
  });

  test('a log filter ends at its last block', async () => {
    const { call, main } = stubServer();
    const id = (await call('eth_newFilter', [{ fromBlock: '0x5', toBlock: '0x5' }])).result;
    for (let commits = 0; commits < 4; commits++) main.commit();
    const { result } = await call('eth_getFilterChanges', [id]);
    assert.deepEqual(
      new Set(result.map((log: { blockNumber: string }) => log.blockNumber)),
      new Set(['0x5']),
    );
    assert.deepEqual((await call('eth_getFilterChanges', [id])).result, []);
  });

  test('a filter that falls behind a flood catches up over several polls and skips nothing', async () => {
    const { call, main } = stubServer();
    const id = (await call('eth_newFilter', [{}])).result;
    main.height = 303;
    let expected = 0;
    for (let number = 4; number <= 303; number++) expected += number;
    let got = 0;
    for (let polls = 0; polls < 20; polls++) {
      const { result } = await call('eth_getFilterChanges', [id]);
      assert.ok(result.length <= 10_000);
      got += result.length;
    }
    assert.equal(got, expected);
  });

  test('only the actor that made a filter can use or remove it', async () => {
    const { call } = stubServer();
    const id = (await call('eth_newBlockFilter', [])).result;
    const bob = stubActor('bob');
    assert.equal(
      (await call('eth_getFilterChanges', [id], bob)).error?.message,
      'filter not found',
    );
    assert.equal((await call('eth_uninstallFilter', [id], bob)).result, false);
    assert.equal((await call('eth_uninstallFilter', [id])).result, true);
    assert.equal((await call('eth_uninstallFilter', [id])).result, false);
    assert.equal((await call('eth_getFilterChanges', [id])).error?.code, -32000);
  });

  test('idle filters are forgotten and used ones stay', async () => {
    const { call, host } = stubServer();
    const [idle, used] = [
      await call('eth_newBlockFilter', []),
      await call('eth_newBlockFilter', []),
    ];
    host.nowMs += 200_000;
    assert.deepEqual((await call('eth_getFilterChanges', [used.result])).result, []);
    host.nowMs += 200_000;
    assert.equal(
      (await call('eth_getFilterChanges', [idle.result])).error?.message,
      'filter not found',
    );
    assert.deepEqual((await call('eth_getFilterChanges', [used.result])).result, []);
  });

  test('an actor holds a bounded number of filters, without taking those of others', async () => {
    const { call, host } = stubServer();
    for (let count = 0; count < 128; count++) {
      assert.ok((await call('eth_newBlockFilter', [])).result);
    }
    assert.equal((await call('eth_newBlockFilter', [])).error?.code, -32005);
    assert.ok((await call('eth_newBlockFilter', [], stubActor('bob'))).result);
    host.nowMs += 300_001;
    assert.ok((await call('eth_newBlockFilter', [])).result);
  });
});

suite('WebSocket', () => {
  test('answers calls and batches, and refuses garbage without closing', async () => {
    const { connect } = stubServer();
    const socket = connect('/eth/side');
    socket.receive({ jsonrpc: '2.0', id: 1, method: 'eth_chainId' });
    assert.equal((await socket.take())[0]?.result, '0x7');
    for (const garbage of ['', '{', '[]', 'null', '\u0000\u0001']) {
      socket.receive(garbage);
      assert.ok((await socket.take())[0]?.error, garbage);
    }
    assert.equal(socket.closed, undefined);
  });

  test('an unknown chain and an oversized message close it', () => {
    const { connect } = stubServer();
    assert.equal(connect('/eth/none').closed, 1008);
    const socket = connect();
    socket.onMessage(Buffer.alloc(5 * 1024 * 1024 + 1), false);
    assert.equal(socket.closed, 1009);
  });

  test('subscriptions tell of each committed block after the id is known', async () => {
    const { connect, main } = stubServer();
    const socket = connect();
    const subscribe = async (...params: unknown[]): Promise<string> => {
      socket.receive({ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params });
      return (await socket.take())[0]!.result;
    };
    const heads = await subscribe('newHeads');
    const pending = await subscribe('newPendingTransactions');
    const logs = await subscribe('logs', { topics: [null, [hash(9), hash(4)]] });
    const none = await subscribe('logs', { address: `0x${'bb'.repeat(20)}` });
    main.commit();
    const events = await socket.take();
    const of = (id: string) => events.filter((event) => event.params?.subscription === id);
    assert.deepEqual(
      of(heads).map((event) => event.params?.result.number),
      ['0x4'],
    );
    assert.deepEqual(
      of(pending).map((event) => event.params?.result),
      [hash(0x84)],
    );
    assert.equal(of(logs).length, 4);
    assert.equal(of(none).length, 0);
    main.commit();
    const later = await socket.take();
    assert.equal(later.filter((event) => event.params?.subscription === logs).length, 0);
  });

  test('events wait until the answer with the id of their subscription has left', async () => {
    const { connect, main, host } = stubServer();
    const socket = connect();
    const call = (id: number, method: string, ...params: string[]) => ({
      jsonrpc: '2.0',
      id,
      method,
      params,
    });
    socket.receive([
      call(1, 'eth_subscribe', 'newHeads'),
      call(2, 'eth_sendRawTransaction', '0x02'),
    ]);
    socket.receive(call(3, 'eth_chainId'));
    assert.deepEqual(
      (await socket.take()).map(({ id }) => id),
      [3],
    );
    main.commit();
    assert.deepEqual(await socket.take(), []);
    host.accept(0);
    const [batch, event] = (await socket.take()) as unknown[];
    const id = (batch as { result: string }[])[0]?.result;
    assert.equal((event as { params: { subscription: string } }).params.subscription, id);
  });

  test('an ended subscription is silent and a closed socket listens no more', async () => {
    const { connect, main } = stubServer();
    const socket = connect();
    socket.receive({ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] });
    const id = (await socket.take())[0]!.result;
    const end = { jsonrpc: '2.0', id: 2, method: 'eth_unsubscribe', params: [id] };
    socket.receive(end);
    assert.equal((await socket.take())[0]?.result, true);
    assert.equal(main.listeners.size, 0);
    socket.receive(end);
    assert.equal((await socket.take())[0]?.error?.code, -32000);
    socket.receive({ jsonrpc: '2.0', id: 3, method: 'eth_subscribe', params: ['newHeads'] });
    await socket.take();
    assert.equal(main.listeners.size, 1);
    socket.close();
    assert.equal(main.listeners.size, 0);
    main.commit();
    assert.deepEqual(socket.sent, []);
  });

  test('a subscription belongs to its socket', async () => {
    const { connect } = stubServer();
    const [one, other] = [connect(), connect()];
    one.receive({ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] });
    const id = (await one.take())[0]!.result;
    other.receive({ jsonrpc: '2.0', id: 2, method: 'eth_unsubscribe', params: [id] });
    assert.ok((await other.take())[0]?.error);
  });

  test('subscriptions and unanswered calls of one socket are bounded', async () => {
    const { connect, host } = stubServer();
    const socket = connect();
    const subscribe = { jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] };
    for (let count = 0; count < 129; count++) socket.receive(subscribe);
    const answers = await socket.take();
    assert.equal(answers.filter((answer) => answer.result).length, 128);
    assert.equal(answers.find((answer) => answer.error)?.error?.code, -32005);
    const send = { jsonrpc: '2.0', id: 1, method: 'eth_sendRawTransaction', params: ['0x02'] };
    for (let count = 0; count < 4_097; count++) socket.receive(send);
    const [refused, ...more] = await socket.take();
    assert.equal(refused?.error?.code, -32005);
    assert.equal(more.length, 0);
    host.accept(0);
    assert.equal((await socket.take()).length, 1);
  });
});
