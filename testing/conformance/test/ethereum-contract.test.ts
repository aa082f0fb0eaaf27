import { createEthereumAdapter, encodeSubmission } from '@concordat/ethereum';
import { fromHex, utf8 } from '@concordat/std';
import { getCreateAddress, Interface, keccak256, type TransactionRequest, Wallet } from 'ethers';
import { adapterSuite, type SampleQuery } from '../index.ts';
import { chainId, token } from './ethereum-node.ts';

const [rich, poor] = [new Wallet(`0x${'11'.repeat(32)}`), new Wallet(`0x${'22'.repeat(32)}`)];
const abi = new Interface(token.abi);
const nobody = `0x${'00'.repeat(20)}`;

const hashes: string[] = [];

async function signed(from: Wallet, fields: TransactionRequest): Promise<Uint8Array> {
  const gas = { type: 2, chainId, gasLimit: 2_000_000 };
  const raw = await from.signTransaction({ ...gas, ...fields });
  hashes.push(keccak256(raw));
  return encodeSubmission('main', fromHex(raw.slice(2)) as Uint8Array);
}

const deploy = abi.encodeDeploy(['Token', 'TOK', 1_000n]);

const rpc = (method: string, ...params: unknown[]): SampleQuery => ({
  method: 'POST',
  path: '/eth/main',
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
});

/** Everything a wallet, an explorer or an application would ask. */
function queries(): SampleQuery[] {
  const contract = getCreateAddress({ from: rich.address, nonce: 1 });
  const balance = abi.encodeFunctionData('balanceOf', [rich.address]);
  const people = [rich.address, poor.address, contract, nobody];
  return [
    ...['eth_blockNumber', 'eth_gasPrice', 'concordat_chain', 'eth_chainId'].map((m) => rpc(m)),
    ...['0x0', '0x1', '0x2', '0x3', '0x4', '0x5', 'latest'].flatMap((block) => [
      rpc('eth_getBlockByNumber', block, true),
      rpc('eth_getTransactionByBlockNumberAndIndex', block, '0x0'),
    ]),
    ...people.flatMap((address) => [
      rpc('eth_getBalance', address, 'latest'),
      rpc('eth_getTransactionCount', address, 'latest'),
      rpc('eth_getTransactionCount', address, 'pending'),
      rpc('eth_getCode', address, 'latest'),
      rpc('eth_getStorageAt', address, '0x0', 'latest'),
    ]),
    ...hashes.flatMap((hash) => [
      rpc('eth_getTransactionByHash', hash),
      rpc('eth_getTransactionReceipt', hash),
      rpc('concordat_getTransactionId', hash),
    ]),
    rpc('eth_call', { to: contract, data: balance }, 'latest'),
    rpc('eth_estimateGas', { from: poor.address, to: rich.address, value: '0x1' }),
    rpc('eth_getLogs', { fromBlock: '0x0', toBlock: 'latest' }),
    rpc('eth_feeHistory', '0x5', 'latest', [50]),
  ];
}

adapterSuite({
  name: 'ethereum',
  create: createEthereumAdapter,
  config: {
    chains: [{ name: 'main', chainId, alloc: { [rich.address]: { balance: '0x1000000' } } }],
  },
  invalidConfigs: [undefined, {}, { chains: [] }, { chains: [{ name: 'main' }] }, { chains: 1 }],
  kept: [
    await signed(rich, { nonce: 0, to: poor.address, value: 100 }),
    await signed(rich, { nonce: 1, data: token.bytecode + deploy.slice(2) }),
    await signed(poor, { nonce: 0, to: rich.address, value: 40 }),
    await signed(rich, { nonce: 2, to: nobody, value: 1 }),
  ],
  dropped: [
    await signed(rich, { nonce: 3, to: poor.address, chainId: chainId + 1 }),
    await signed(poor, { nonce: 1, to: rich.address, value: 0x10000000 }),
    encodeSubmission('nowhere', utf8('x')),
    utf8('garbage'),
  ],
  queries: queries(),
});
