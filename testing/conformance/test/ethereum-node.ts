import { readFileSync } from 'node:fs';
import {
  addressOfKey,
  createEthereumAdapter,
  encodeSubmission,
  signDigest,
  signedTransaction,
} from '@concordat/ethereum';
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

/** A transfer of nothing on the chain `main`, of the sender with this number, as a submission. */
export function transfer(sender: number, nonce: number): Uint8Array {
  const key = new Uint8Array(32).fill(sender + 1);
  const unsigned = {
    type: 2,
    chainId: BigInt(chainId),
    nonce: BigInt(nonce),
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    gasLimit: 21_000n,
    to: addressOfKey(key),
    value: 0n,
    data: new Uint8Array(0),
    accessList: [],
    authorizationList: [],
    blobVersionedHashes: [],
    maxFeePerBlobGas: 0n,
  } as const;
  return encodeSubmission(
    'main',
    signedTransaction(unsigned, (digest) => signDigest(digest, key)),
  );
}

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
