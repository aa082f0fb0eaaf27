import { keccak256 } from '../../crypto.ts';
import { maxCallDataBytes } from '../call-parameters.ts';
import { toData, toQuantity } from '../hex.ts';
import { type Method, method } from '../method.ts';
import { data, required } from '../parameters.ts';

/** What `web3_clientVersion` says. */
export const clientVersion = 'Concordat/v0.1.0/typescript';

/** `web3_*`, `net_*` and what `eth_*` says about the node and its network. */
export const networkMethods: readonly Method[] = [
  method('web3_clientVersion', [], () => clientVersion),
  method('web3_sha3', [required(data(maxCallDataBytes))], (_, bytes) => toData(keccak256(bytes))),
  method('net_version', [], ({ chain }) => chain.chainId.toString()),
  method('net_listening', [], () => true),
  // Nodes of this network do not speak devp2p: there are no Ethereum peers to count.
  method('net_peerCount', [], () => '0x0'),
  method('eth_protocolVersion', [], () => '0x0'),
  method('eth_chainId', [], ({ chain }) => toQuantity(chain.chainId)),
  // A node serves only once it holds the whole state, so it is never seen syncing.
  method('eth_syncing', [], () => false),
  // No node holds a user's key.
  method('eth_accounts', [], () => []),
  method('eth_coinbase', [], ({ chain }) => {
    const latest = chain.block('latest');
    return toData(latest?.header.coinbase ?? new Uint8Array(20));
  }),
  method('eth_mining', [], () => false),
  method('eth_hashrate', [], () => '0x0'),
  method('eth_blockNumber', [], ({ chain }) => toQuantity(chain.blockNumber())),
];
