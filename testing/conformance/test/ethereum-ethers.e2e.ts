import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  Contract,
  ContractFactory,
  type ContractTransactionReceipt,
  type EventLog,
  JsonRpcProvider,
  NonceManager,
  Wallet,
  WebSocketProvider,
} from 'ethers';
import type { FakeNode } from '../index.ts';
import { startEthereum, token } from './ethereum-node.ts';

const stranger = '0x00000000000000000000000000000000000000AA';
const supply = 1_000n;

suite('ethers 6, unmodified', () => {
  let node: FakeNode;
  let provider: JsonRpcProvider;
  let owner: NonceManager;
  let contract: Contract;

  before(async () => {
    node = await startEthereum();
    provider = new JsonRpcProvider(node.url, undefined, { cacheTimeout: -1 });
    provider.pollingInterval = 50;
    owner = new NonceManager(Wallet.createRandom().connect(provider));
    const factory = new ContractFactory(token.abi, token.bytecode, owner);
    const deployed = await factory.deploy('Deed', 'DEED', supply);
    await deployed.waitForDeployment();
    contract = new Contract(await deployed.getAddress(), token.abi, owner);
  });

  after(async () => {
    provider.destroy();
    await node.close();
  });

  const read = (name: string, ...values: unknown[]) =>
    contract.getFunction(name).staticCall(...values);
  const send = async (name: string, ...values: unknown[]) =>
    (
      await contract.getFunction(name).send(...values)
    ).wait() as Promise<ContractTransactionReceipt>;

  test('a deployed token answers reads', async () => {
    assert.equal(await read('name'), 'Deed');
    assert.equal(await read('totalSupply'), supply);
    assert.equal(await read('balanceOf', await owner.getAddress()), supply);
    const [number, , , chainId] = await read('blockValues');
    assert.equal(number, BigInt(await provider.getBlockNumber()));
    assert.equal(chainId, (await provider.getNetwork()).chainId);
  });

  test('a transfer is committed with a receipt, and its event is found', async () => {
    const receipt = await send('transfer', stranger, 5n);
    assert.equal(receipt.status, 1);
    assert.ok(receipt.gasUsed > 21_000n);
    assert.equal(await read('balanceOf', stranger), 5n);
    const [log] = await contract.queryFilter('Transfer', receipt.blockNumber);
    assert.deepEqual([...(log as EventLog).args], [await owner.getAddress(), stranger, 5n]);
    const transaction = await provider.getTransaction(receipt.hash);
    assert.equal(transaction?.from, await owner.getAddress());
    assert.equal(transaction?.blockHash, receipt.blockHash);
    const block = await provider.getBlock(receipt.blockNumber, true);
    assert.ok(block?.prefetchedTransactions.some(({ hash }) => hash === receipt.hash));
    const id = await provider.send('concordat_getTransactionId', [receipt.hash]);
    assert.match(id, /^\d+\.\d+$/);
  });

  test('custom errors, require reasons and panics are decoded', async () => {
    const failure = async (promise: Promise<unknown>) => {
      try {
        await promise;
      } catch (error) {
        return error as { code: string; reason: string; revert: { name: string; args: bigint[] } };
      }
      return assert.fail('the call succeeded');
    };
    const custom = await failure(read('transfer', stranger, 10_000n));
    assert.equal(custom.code, 'CALL_EXCEPTION');
    assert.equal(custom.revert.name, 'ERC20InsufficientBalance');
    assert.equal(custom.revert.args[2], 10_000n);
    const other = contract.connect(Wallet.createRandom().connect(provider)) as Contract;
    const required = await failure(other.getFunction('mint').estimateGas(stranger, 1n));
    assert.equal(required.reason, 'Token: only the owner may mint');
    const panicked = await failure(read('ratio', 1n, 0n));
    assert.equal(panicked.revert.name, 'Panic');
    assert.equal(panicked.revert.args[0], 0x12);
  });

  test('a transaction that reverts is committed with status 0', async () => {
    const sent = await contract
      .getFunction('transfer')
      .send(stranger, 10_000n, { gasLimit: 90_000 });
    await assert.rejects(sent.wait(), { code: 'CALL_EXCEPTION' });
    assert.equal((await provider.getTransactionReceipt(sent.hash))?.status, 0);
  });

  test('many transactions in flight keep their nonces and all commit', async () => {
    const before = await read('balanceOf', stranger);
    const sent = await Promise.all(
      Array.from({ length: 30 }, () =>
        contract.getFunction('transfer').send(stranger, 1n, { gasLimit: 90_000 }),
      ),
    );
    const receipts = await Promise.all(sent.map((transaction) => transaction.wait()));
    assert.ok(receipts.every((receipt) => receipt?.status === 1));
    assert.equal(await read('balanceOf', stranger), before + 30n);
  });

  test('refusals have the codes ethers knows', async () => {
    const poor = Wallet.createRandom().connect(provider);
    const { chainId } = await provider.getNetwork();
    const fees = { gasLimit: 21_000, maxFeePerGas: 0, maxPriorityFeePerGas: 0, chainId, type: 2 };
    const payment = await poor.signTransaction({ ...fees, to: stranger, value: 1n, nonce: 0 });
    await assert.rejects(provider.broadcastTransaction(payment), { code: 'INSUFFICIENT_FUNDS' });
    const first = await poor.signTransaction({ ...fees, to: stranger, nonce: 0 });
    await (await provider.broadcastTransaction(first)).wait();
    await assert.rejects(provider.broadcastTransaction(first), /already known|nonce/);
    const late = await poor.signTransaction({ ...fees, to: poor.address, nonce: 0 });
    await assert.rejects(provider.broadcastTransaction(late), { code: 'NONCE_EXPIRED' });
    const foreign = await poor.signTransaction({ ...fees, to: stranger, nonce: 1, chainId: 999 });
    await assert.rejects(provider.broadcastTransaction(foreign), /chain id/);
  });

  test('a polled contract listener hears each event once', async () => {
    const heard: bigint[] = [];
    await contract.on('Approval', (_owner, _spender, value) => heard.push(value));
    await send('approveMany', stranger, 4n);
    for (let tries = 0; tries < 2_000 && heard.length < 4; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await contract.off('Approval');
    assert.deepEqual(heard, [0n, 1n, 2n, 3n]);
  });

  test('a WebSocket provider sends, reads and hears blocks and events', async () => {
    const socket = new WebSocketProvider(`${node.url.replace('http', 'ws')}/eth`);
    try {
      const there = new Contract(await contract.getAddress(), token.abi, socket);
      const heads: number[] = [];
      const events: bigint[] = [];
      await socket.on('block', (number: number) => heads.push(number));
      await there.on('Transfer', (_from, _to, value) => events.push(value));
      assert.equal(await there.getFunction('symbol')(), 'DEED');
      const receipt = await send('transfer', stranger, 3n);
      for (let tries = 0; tries < 3_000 && (heads.length === 0 || events.length === 0); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.ok(heads.includes(receipt.blockNumber));
      assert.deepEqual(events, [3n]);
    } finally {
      await socket.destroy();
    }
  });
});
