import { createEthereumAdapter, encodeSubmission } from '@concordat/ethereum';
import { fromHex, utf8 } from '@concordat/std';
import { Interface, type TransactionRequest, Wallet } from 'ethers';
import { adapterSuite } from '../index.ts';
import { chainId, token } from './ethereum-node.ts';

const [rich, poor] = [new Wallet(`0x${'11'.repeat(32)}`), new Wallet(`0x${'22'.repeat(32)}`)];
const abi = new Interface(token.abi);
const nobody = `0x${'00'.repeat(20)}`;

async function signed(from: Wallet, fields: TransactionRequest): Promise<Uint8Array> {
  const gas = { type: 2, chainId, gasLimit: 2_000_000 };
  const raw = await from.signTransaction({ ...gas, ...fields });
  return encodeSubmission('main', fromHex(raw.slice(2)) as Uint8Array);
}

const deploy = abi.encodeDeploy(['Token', 'TOK', 1_000n]);

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
});
