import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { settled, stubServer } from './rpc-client.ts';

const chainId = { jsonrpc: '2.0', id: 1, method: 'eth_chainId' };

suite('JSON-RPC envelope', () => {
  test('a body that is not JSON is a parse error with a null id', async () => {
    const { post } = stubServer();
    for (const body of ['', '{', 'nul', '\u0000', '{"jsonrpc":"2.0",}', '[1,', '"', '\ufeff{}{}']) {
      const answer = JSON.parse((await post(body)).text);
      assert.equal(answer.error.code, -32700, body);
      assert.equal(answer.id, null);
    }
  });

  test('a value that is no request object is an invalid request', async () => {
    const { post } = stubServer();
    const bodies = [
      1,
      'text',
      null,
      true,
      {},
      { id: 1, method: 'eth_chainId' },
      { ...chainId, jsonrpc: '1.0' },
      { ...chainId, jsonrpc: 2 },
      { jsonrpc: '2.0', id: 1 },
      { ...chainId, method: 5 },
      { ...chainId, method: '' },
      { ...chainId, method: 'x'.repeat(129) },
      { ...chainId, id: {} },
      { ...chainId, id: [] },
      { ...chainId, id: true },
      { ...chainId, id: 2 ** 60 },
      { ...chainId, id: 'x'.repeat(257) },
    ];
    for (const body of bodies) {
      const answer = JSON.parse((await post(JSON.stringify(body))).text);
      assert.equal(answer.error.code, -32600, JSON.stringify(body));
    }
  });

  test('ids come back exactly as they came', async () => {
    const { post } = stubServer();
    for (const id of [0, 1, -5, 1.5, Number.MAX_SAFE_INTEGER, 'a"b\\', '', null]) {
      const answer = JSON.parse((await post({ ...chainId, id })).text);
      assert.deepEqual(answer, { jsonrpc: '2.0', id, result: '0x539' });
    }
  });

  test('parameters that are no array are refused, missing ones are none', async () => {
    const { post } = stubServer();
    for (const params of [{}, 'x', 5, true]) {
      const answer = JSON.parse((await post({ ...chainId, params })).text);
      assert.deepEqual(answer.error, { code: -32602, message: 'non-array args' });
    }
    for (const params of [undefined, null, []]) {
      const answer = JSON.parse((await post({ ...chainId, params })).text);
      assert.equal(answer.result, '0x539');
    }
  });

  test('a notification is run and not answered', async () => {
    const { post, host } = stubServer();
    const notification = { jsonrpc: '2.0', method: 'eth_sendRawTransaction', params: ['0xaabb'] };
    const waiting = post(notification);
    await settled();
    host.accept(0);
    assert.equal((await waiting).text, '');
    assert.equal((await post({ jsonrpc: '2.0', method: 'eth_nonsense' })).text, '');
    assert.equal((await post([{ jsonrpc: '2.0', method: 'eth_chainId' }])).text, '');
  });

  test('unknown methods, and names of object members, do not exist', async () => {
    const { call } = stubServer();
    for (const name of [
      'eth_foo',
      'constructor',
      '__proto__',
      'toString',
      'hasOwnProperty',
      'eth_chainid',
    ]) {
      const { error } = await call(name, []);
      assert.equal(error?.code, -32601, name);
      assert.equal(error?.message, `the method ${name} does not exist/is not available`);
    }
    const { error } = await call('eth_\u001b[31m', []);
    assert.ok(!error?.message.includes('\u001b'), 'no control characters are echoed');
  });

  test('a request cannot reach a prototype', async () => {
    const { post } = stubServer();
    await post('{"__proto__":{"polluted":1},"jsonrpc":"2.0","id":1,"method":"eth_chainId"}');
    const call =
      '{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"__proto__":{"to":"0x1"}},"latest",{"__proto__":{"balance":"0x1"}}]}';
    const answer = JSON.parse((await post(call)).text);
    assert.equal(answer.error.code, -32602, 'an override of an account called __proto__');
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
    assert.equal(({} as Record<string, unknown>).balance, undefined);
  });
});

suite('JSON-RPC batch', () => {
  test('answers stand in the order of the calls, refused ones among them', async () => {
    const { post } = stubServer();
    const { text } = await post([
      { ...chainId, id: 'a' },
      7,
      { ...chainId, id: 'c', method: 'no' },
    ]);
    const answers = JSON.parse(text);
    assert.deepEqual(
      answers.map((answer: { id: unknown }) => answer.id),
      ['a', null, 'c'],
    );
    assert.equal(answers[0].result, '0x539');
    assert.equal(answers[1].error.code, -32600);
    assert.equal(answers[2].error.code, -32601);
  });

  test('an empty batch and one call too many are refused whole', async () => {
    const { post } = stubServer();
    assert.equal(JSON.parse((await post([])).text).error.code, -32600);
    const full = new Array(1_000).fill(chainId);
    assert.equal(JSON.parse((await post(full)).text).length, 1_000);
    const answer = JSON.parse((await post([...full, chainId])).text);
    assert.equal(answer.error.code, -32600);
    assert.match(answer.error.message, /batch too large/);
  });

  test('a batch whose answers grow too large is cut off, call by call', async () => {
    const { post, main } = stubServer();
    main.height = 140;
    const call = { jsonrpc: '2.0', id: 1, method: 'eth_getLogs', params: [{ fromBlock: '0x0' }] };
    const answers = JSON.parse((await post(new Array(12).fill(call))).text);
    const refused = answers.filter((answer: { error?: { code: number } }) => answer.error);
    assert.equal(answers.length, 12);
    assert.ok(answers[0].result.length > 9_000);
    assert.ok(refused.length > 0 && refused.length < 12);
    assert.deepEqual(refused[0].error, { code: -32005, message: 'response too large' });
  });

  test('every submission of a batch starts before any is answered', async () => {
    const { post, host } = stubServer();
    const sends = [0, 1, 2].map((index) => ({
      jsonrpc: '2.0',
      id: index,
      method: 'eth_sendRawTransaction',
      params: [`0xaa0${index}`],
    }));
    const broken = { ...sends[0], id: 9, params: ['0xzz'] };
    const waiting = post([sends[0], broken, sends[1], { ...chainId, id: 7 }, sends[2]]);
    await settled();
    assert.equal(host.submissions.length, 3);
    for (const index of [2, 0, 1]) host.accept(index);
    const answers = JSON.parse((await waiting).text);
    const ids = answers.map((answer: { id: unknown }) => answer.id);
    assert.deepEqual(ids, [0, 9, 1, 7, 2]);
    assert.equal(answers[0].result, `0x${'0'.repeat(64)}`);
    assert.equal(answers[1].error.code, -32602);
    assert.equal(answers[4].result, `0x${'2'.repeat(64)}`);
  });

  test('a read behind a submission waits for it, a read before it does not', async () => {
    const { post, host, main } = stubServer();
    const send = { jsonrpc: '2.0', id: 1, method: 'eth_sendRawTransaction', params: ['0xaa'] };
    const read = { jsonrpc: '2.0', id: 0, method: 'eth_blockNumber' };
    const waiting = post([read, send, { ...read, id: 2 }]);
    await settled();
    main.commit();
    host.accept(0);
    const results = JSON.parse((await waiting).text).map(
      (answer: { result: string }) => answer.result,
    );
    assert.deepEqual([results[0], results[2]], ['0x3', '0x4']);
  });
});

suite('JSON-RPC over HTTP', () => {
  test('only JSON content is taken, so that a foreign page cannot post without asking', async () => {
    const { post } = stubServer();
    for (const type of [undefined, 'text/plain', 'application/x-www-form-urlencoded', 'json']) {
      const response = await post(chainId, { headers: { 'content-type': type } });
      assert.equal(response.status, 415, type);
    }
    for (const type of ['application/json; charset=utf-8', 'Application/JSON']) {
      assert.equal((await post(chainId, { headers: { 'content-type': type } })).status, 200);
    }
  });

  test('a body above the limit is refused', async () => {
    const { request } = stubServer();
    assert.equal((await request({ body: Buffer.alloc(5 * 1024 * 1024 + 1) })).status, 413);
  });

  test('each chain has its path, and an unknown one is not found', async () => {
    const { post } = stubServer();
    const idAt = async (path: string) => JSON.parse((await post(chainId, { path })).text).result;
    assert.equal(await idAt('/'), '0x539');
    assert.equal(await idAt('/eth'), '0x539');
    assert.equal(await idAt('/eth/side'), '0x7');
    assert.equal(await idAt('/eth/m%61in'), '0x539');
    for (const path of [
      '/eth/',
      '/eth/none',
      '/eth/%',
      '/eth/%ff',
      '/eth/side/x',
      '/eth/__proto__',
    ]) {
      assert.equal((await post(chainId, { path })).status, 404, path);
    }
  });

  test('an accepted transaction is answered after commit, with its place in the ledger', async () => {
    const { post, host } = stubServer();
    const send = { jsonrpc: '2.0', id: 4, method: 'eth_sendRawTransaction', params: ['0x02ff'] };
    const waiting = post(send, { path: '/eth/side' });
    await settled();
    assert.equal(host.submissions[0]!.raw, 'side:\x02\xff');
    assert.equal(host.submissions[0]!.wait, 'commit');
    host.accept(0);
    const response = await waiting;
    assert.equal(response.transactionId, '2.1');
    assert.deepEqual(JSON.parse(response.text), {
      jsonrpc: '2.0',
      id: 4,
      result: `0x${'0'.repeat(64)}`,
    });
  });

  test('a caller may choose to be answered once executed', async () => {
    const { post, host } = stubServer();
    const send = { jsonrpc: '2.0', id: 4, method: 'eth_sendRawTransaction', params: ['0x02'] };
    const waiting = post(send, { query: new URLSearchParams('wait=local') });
    await settled();
    assert.equal(host.submissions[0]!.wait, 'local');
    host.accept(0);
    await waiting;
  });

  test('notifications cannot be subscribed to', async () => {
    const { call } = stubServer();
    assert.equal((await call('eth_subscribe', ['newHeads'])).error?.code, -32601);
    assert.equal((await call('eth_unsubscribe', ['0x1'])).error?.code, -32601);
  });
});

suite('Calls on a WebSocket for linearizable reads', () => {
  const refused = { ok: false as const, code: 'READ_NOT_CONFIRMED', message: 'no majority' };
  const refuse = async (message: unknown): Promise<unknown[]> => {
    const socket = stubServer().connect();
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    socket.onRefused?.(Buffer.from(text), false, refused);
    return socket.take();
  };
  const error = { code: -32002, message: 'no majority', data: { code: 'READ_NOT_CONFIRMED' } };
  const call = { jsonrpc: '2.0', id: 7, method: 'eth_blockNumber' };

  test('are each told why they are not answered', async () => {
    assert.deepEqual(await refuse(call), [{ jsonrpc: '2.0', id: 7, error }]);
    const batch = [call, { ...call, id: undefined }, { ...call, id: 'b' }];
    assert.deepEqual(await refuse(batch), [
      [
        { jsonrpc: '2.0', id: 7, error },
        { jsonrpc: '2.0', id: 'b', error },
      ],
    ]);
    assert.deepEqual(await refuse({ ...call, id: undefined }), []);
  });

  test('hear of their own mistakes first', async () => {
    const [answer] = (await refuse('{')) as [{ id: unknown; error: { code: number } }];
    assert.deepEqual([answer.id, answer.error.code], [null, -32700]);
    const [other] = (await refuse({ ...call, jsonrpc: '1' })) as [{ error: { code: number } }];
    assert.equal(other.error.code, -32600);
  });
});
