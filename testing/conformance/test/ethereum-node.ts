import { readFileSync } from 'node:fs';
import { createEthereumAdapter } from '@concordat/ethereum';
import { createFakeNode, type FakeNode } from '../index.ts';

/** Chain id of the test chains. */
export const chainId = 1_337;

const artifact = new URL('../../../adapters/ethereum/test/data/token.json', import.meta.url);

/** The test token: `adapters/ethereum/test/data/token.sol`, compiled. */
export const token = JSON.parse(readFileSync(artifact, 'utf8')) as {
  // biome-ignore lint/suspicious/noExplicitAny: each library has its own type for an ABI
  readonly abi: any[];
  readonly bytecode: string;
};

/** A zero-fee network with a default chain and one more, on which raw reads are open. */
export const startEthereum = (): Promise<FakeNode> =>
  createFakeNode(createEthereumAdapter(), {
    config: {
      chains: [
        { name: 'main', chainId },
        { name: 'side', chainId: 7 },
      ],
    },
  });

/** One JSON-RPC call over HTTP; the whole response object. */
export async function rpc(
  node: FakeNode,
  method: string,
  params: readonly unknown[],
): Promise<{
  // biome-ignore lint/suspicious/noExplicitAny: results of any method are looked into
  readonly result?: any;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}> {
  const response = await fetch(node.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return (await response.json()) as Awaited<ReturnType<typeof rpc>>;
}
