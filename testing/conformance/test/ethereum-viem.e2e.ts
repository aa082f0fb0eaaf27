import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  type Address,
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  encodeFunctionData,
  type Hex,
  http,
  type PublicClient,
  webSocket,
} from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import type { FakeNode } from '../index.ts';
import { chainId, startEthereum, token } from './ethereum-node.ts';

const stranger = '0x00000000000000000000000000000000000000AA';

suite('viem 2, unmodified', () => {
  let node: FakeNode;
  let client: PublicClient;
  let address: Address;
  const account = privateKeyToAccount(generatePrivateKey());
  const abi = token.abi;
  const chain = () =>
    defineChain({
      id: chainId,
      name: 'Concordat',
      nativeCurrency: { name: 'none', symbol: 'NONE', decimals: 18 },
      rpcUrls: { default: { http: [node.url] } },
    });
  const wallet = () =>
    createWalletClient({ account, chain: chain(), transport: http(node.url, { batch: true }) });

  before(async () => {
    node = await startEthereum();
    const transport = http(node.url, { batch: true });
    client = createPublicClient({ chain: chain(), transport, pollingInterval: 50 }) as PublicClient;
    const hash = await wallet().deployContract({
      abi,
      bytecode: token.bytecode as Hex,
      args: ['Deed', 'DEED', 1_000n],
    });
    const receipt = await client.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, 'success');
    address = receipt.contractAddress as Address;
  });

  after(() => node.close());

  const read = (functionName: string, ...args: unknown[]) =>
    client.readContract({ address, abi, functionName, args });
  const write = (functionName: string, ...args: unknown[]) =>
    wallet().writeContract({ address, abi, functionName, args });

  test('batched reads answer together', async () => {
    const [name, supply, number, id] = await Promise.all([
      read('name'),
      read('totalSupply'),
      client.getBlockNumber(),
      client.getChainId(),
    ]);
    assert.deepEqual([name, supply, id], ['Deed', 1_000n, chainId]);
    assert.ok(number >= 1n);
  });

  test('a simulated and sent transfer moves tokens and leaves an event', async () => {
    const { request } = await client.simulateContract({
      account,
      address,
      abi,
      functionName: 'transfer',
      args: [stranger, 5n],
    });
    const receipt = await client.waitForTransactionReceipt({
      hash: await wallet().writeContract(request),
    });
    assert.equal(await read('balanceOf', stranger), 5n);
    const [event] = await client.getContractEvents({
      address,
      abi,
      eventName: 'Transfer',
      blockHash: receipt.blockHash,
    });
    const { args } = event as unknown as { args: { to: Address; value: bigint } };
    assert.deepEqual([args.to, args.value], [stranger, 5n]);
    const transaction = await client.getTransaction({ hash: receipt.transactionHash });
    assert.equal(transaction.type, 'eip1559');
  });

  test('reverts are decoded with their arguments', async () => {
    const call = { account, address, abi, functionName: 'transfer', args: [stranger, 10_000n] };
    await assert.rejects(client.simulateContract(call), (error) => {
      assert.ok(error instanceof BaseError);
      const revert = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
      assert.ok(revert instanceof ContractFunctionRevertedError);
      assert.equal(revert.data?.errorName, 'ERC20InsufficientBalance');
      return true;
    });
    const mint = { account: stranger, address, abi, functionName: 'mint', args: [stranger, 1n] };
    await assert.rejects(client.simulateContract({ ...mint, account: stranger }), /only the owner/);
    await assert.rejects(read('ratio', 1n, 0n), /divi/i);
  });

  test('refusals have the names viem knows', async () => {
    const request = { to: stranger, value: 10n ** 30n, gas: 21_000n } as const;
    const sent = wallet().sendTransaction(request);
    await assert.rejects(sent, (error) => {
      assert.ok(error instanceof BaseError);
      assert.ok(error.walk((cause) => (cause as Error).name === 'InsufficientFundsError'));
      return true;
    });
    const used = wallet().sendTransaction({ to: stranger, gas: 21_000n, nonce: 0 });
    await assert.rejects(used, (error) => {
      assert.ok(error instanceof BaseError);
      assert.ok(error.walk((cause) => (cause as Error).name === 'NonceTooLowError'));
      return true;
    });
  });

  test('filters report new events and blocks', async () => {
    const events = await client.createContractEventFilter({ address, abi, eventName: 'Approval' });
    const blocks = await client.createBlockFilter();
    await client.waitForTransactionReceipt({ hash: await write('approveMany', stranger, 3n) });
    assert.equal((await client.getFilterChanges({ filter: events })).length, 3);
    assert.equal((await client.getFilterChanges({ filter: events })).length, 0);
    assert.equal((await client.getFilterLogs({ filter: events })).length, 3);
    assert.ok((await client.getFilterChanges({ filter: blocks })).length >= 1);
    assert.ok(await client.uninstallFilter({ filter: events }));
  });

  test('a call sees overridden state', async () => {
    const data = encodeFunctionData({ abi, functionName: 'sender' });
    const code = (await client.getCode({ address: stranger })) ?? '0x';
    assert.equal(code, '0x');
    // PUSH1 0x2a, PUSH1 0, MSTORE, PUSH1 32, PUSH1 0, RETURN: answers 42 to anything.
    const answering = '0x602a60005260206000f3';
    const overridden = await client.call({
      to: stranger,
      data,
      stateOverride: [{ address: stranger, code: answering }],
    });
    assert.equal(BigInt(overridden.data ?? 0), 42n);
  });

  test('a call sees overridden block values', async () => {
    const { data } = await client.call({
      to: address,
      data: encodeFunctionData({ abi, functionName: 'blockValues' }),
      blockOverrides: { number: 77n, time: 99n, feeRecipient: stranger },
    });
    const words = (data ?? '0x').slice(2).match(/.{64}/g) ?? [];
    assert.deepEqual(
      [words[0], words[1]].map((word) => BigInt(`0x${word}`)),
      [77n, 99n],
    );
    assert.equal(BigInt(`0x${words[2]}`), 0xaan);
  });

  test('a raw transaction sent synchronously answers its receipt', async () => {
    const signer = privateKeyToAccount(generatePrivateKey());
    const sending = createWalletClient({
      account: signer,
      chain: chain(),
      transport: http(node.url),
    });
    const request = await sending.prepareTransactionRequest({ to: stranger, gas: 21_000n });
    const serializedTransaction = await sending.signTransaction(request);
    const receipt = await sending.sendRawTransactionSync({ serializedTransaction });
    assert.equal(receipt.status, 'success');
  });

  test('a WebSocket hears heads, logs and transactions', async () => {
    const transport = webSocket(`${node.url.replace('http', 'ws')}/eth`);
    const socket = createPublicClient({ chain: chain(), transport });
    const heard = { blocks: 0, logs: 0, hashes: 0 };
    const stop = [
      socket.watchBlocks({ onBlock: () => heard.blocks++ }),
      socket.watchContractEvent({ address, abi, onLogs: ({ length }) => (heard.logs += length) }),
      socket.watchPendingTransactions({ onTransactions: ({ length }) => (heard.hashes += length) }),
    ];
    assert.equal(await socket.getChainId(), chainId);
    let sent = 0;
    // Once more, as long as the first ones came before all of it was subscribed to.
    for (; sent < 20 && Object.values(heard).includes(0); sent++) {
      await client.waitForTransactionReceipt({ hash: await write('transfer', stranger, 1n) });
      for (let tries = 0; tries < 100 && Object.values(heard).includes(0); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    for (const end of stop) end();
    (await socket.transport.getRpcClient()).close();
    for (const count of Object.values(heard)) assert.ok(count > 0 && count <= sent, `${count}`);
  });
});
