import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { JsonRpcProvider, Wallet } from 'ethers';
import { chainId, startEthereum } from './ethereum-node.ts';

suite('An Ethereum transaction in the ledger', () => {
  test('concordat_getTransactionId names the same place as the submission, over several chains', async () => {
    const node = await startEthereum();
    const providers = ['/eth/main', '/eth/side'].map(
      (path) => new JsonRpcProvider(node.url + path),
    );
    const wallet = Wallet.createRandom();
    const sent: { path: number; hash: string; id: string | null }[] = [];
    const send = async (path: number, nonce: number) => {
      const raw = await wallet.signTransaction({
        type: 2,
        chainId: path === 0 ? chainId : 7,
        nonce,
        gasLimit: 21_000,
        to: wallet.address,
      });
      const response = await fetch(`${node.url}${path === 0 ? '/eth/main' : '/eth/side'}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'eth_sendRawTransaction',
          params: [raw],
        }),
      });
      const { result } = (await response.json()) as { result: string };
      sent.push({ path, hash: result, id: response.headers.get('x-ms-ccf-transaction-id') });
    };
    // Sent together, so that one batch holds transactions of both chains in turn.
    for (let round = 0; round < 3; round++) {
      const nonces = Array.from({ length: 8 }, (_, at) => round * 8 + at);
      await Promise.all(nonces.flatMap((nonce) => [send(0, nonce), send(1, nonce)]));
    }
    for (const { path, hash, id } of sent) {
      assert.match(String(id), /^\d+\.\d+$/);
      assert.equal(await providers[path]!.send('concordat_getTransactionId', [hash]), id);
    }
    assert.equal(new Set(sent.map(({ id }) => id)).size, sent.length);
    for (const provider of providers) provider.destroy();
    await node.close();
  });
});
