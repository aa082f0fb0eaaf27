import { RpcError } from './errors.ts';

const noTrie = 'accounts and storage are not kept in a trie; ask for the ledger receipt instead';
const noKeys = 'no node holds a user key: sign in the client and use eth_sendRawTransaction';
const noMining = 'blocks are ordered by the validating nodes, not mined';
const noCompiler = 'nodes hold no compiler';
const noHistory = 'the state of earlier blocks is not kept, so nothing can be run on it again';
const noBlobs = 'blob transactions are not accepted';
const noPeers = 'nodes speak to each other over their own attested channel, not devp2p';

/**
 * Methods other Ethereum nodes have and this one cannot offer, with the reason each call is
 * answered. `docs/ethereum.md` lists them.
 */
export const unsupportedMethods: ReadonlyMap<string, string> = new Map([
  ['eth_getProof', noTrie],
  ['eth_sign', noKeys],
  ['eth_signTransaction', noKeys],
  ['eth_signTypedData', noKeys],
  ['eth_signTypedData_v3', noKeys],
  ['eth_signTypedData_v4', noKeys],
  ['eth_sendTransaction', noKeys],
  ['eth_fillTransaction', noKeys],
  ['personal_sign', noKeys],
  ['personal_newAccount', noKeys],
  ['personal_importRawKey', noKeys],
  ['personal_listAccounts', noKeys],
  ['personal_unlockAccount', noKeys],
  ['personal_lockAccount', noKeys],
  ['personal_sendTransaction', noKeys],
  ['personal_ecRecover', noKeys],
  ['eth_getWork', noMining],
  ['eth_submitWork', noMining],
  ['eth_submitHashrate', noMining],
  ['miner_start', noMining],
  ['miner_stop', noMining],
  ['miner_setEtherbase', noMining],
  ['miner_setGasPrice', noMining],
  ['eth_getCompilers', noCompiler],
  ['eth_compileSolidity', noCompiler],
  ['eth_compileLLL', noCompiler],
  ['eth_compileSerpent', noCompiler],
  ['eth_simulateV1', 'several blocks cannot be simulated; use eth_call with overrides'],
  ['debug_traceTransaction', noHistory],
  ['debug_traceCall', noHistory],
  ['debug_traceBlockByNumber', noHistory],
  ['debug_traceBlockByHash', noHistory],
  ['debug_traceBlock', noHistory],
  ['debug_storageRangeAt', noHistory],
  ['debug_accountRange', noHistory],
  ['trace_transaction', noHistory],
  ['trace_block', noHistory],
  ['trace_call', noHistory],
  ['trace_filter', noHistory],
  ['trace_replayTransaction', noHistory],
  ['eth_blobSidecars', noBlobs],
  ['eth_getBlobSidecars', noBlobs],
  ['admin_addPeer', noPeers],
  ['admin_removePeer', noPeers],
  ['admin_peers', noPeers],
  ['admin_nodeInfo', noPeers],
]);

/** Why a method that is not in the table has no result. */
export function missingMethod(name: string): RpcError {
  const reason = unsupportedMethods.get(name);
  if (reason !== undefined) {
    const details = { code: 'METHOD_NOT_SUPPORTED', reason };
    return new RpcError('METHOD_NOT_SUPPORTED', `${name} is not supported: ${reason}`, details);
  }
  const message = `the method ${printable(name)} does not exist/is not available`;
  return new RpcError('METHOD_NOT_FOUND', message);
}

/** A foreign name without what could disturb a terminal or a log. */
const printable = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?');
