import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createEthereumAdapter } from '@concordat/ethereum';
import { Wallet } from 'ethers';
import { createFakeNode } from '../index.ts';
import { chainId, rpc, startEthereum } from './ethereum-node.ts';

suite('JSON-RPC on a node that follows', () => {
  test('a transaction is forwarded, and its receipt is there when the hash arrives', async (t) => {
    const leader = await startEthereum();
    const config = {
      chains: [
        { name: 'main', chainId },
        { name: 'side', chainId: 7 },
      ],
    };
    const follower = await createFakeNode(createEthereumAdapter(), { config, follows: leader });
    t.after(() => Promise.all([follower.close(), leader.close()]));
    const wallet = Wallet.createRandom();
    const sign = (nonce: number) =>
      wallet.signTransaction({ type: 2, chainId, nonce, gasLimit: 21_000, to: wallet.address });
    const sent = await rpc(follower, 'eth_sendRawTransaction', [await sign(0)]);
    assert.match(sent.result, /^0x[0-9a-f]{64}$/, sent.error?.message);
    for (const node of [follower, leader]) {
      const { result } = await rpc(node, 'eth_getTransactionReceipt', [sent.result]);
      assert.equal(result.status, '0x1');
    }
    const [here, there] = await Promise.all(
      [follower, leader].map((node) => rpc(node, 'concordat_getTransactionId', [sent.result])),
    );
    assert.match(here!.result, /^\d+\.\d+$/);
    assert.equal(here!.result, there!.result);
    const again = await rpc(follower, 'eth_sendRawTransaction', [await sign(0)]);
    assert.match(again.error!.message, /^already known/);
  });
});
