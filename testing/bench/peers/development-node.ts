import { Agent } from 'node:http';
import { fileURLToPath } from 'node:url';
import { median, perSecond } from '../arithmetic.ts';
import { type PostBody, runLoad } from '../json-rpc-load.ts';
import { benchChainId, type TransferSet } from '../workloads/token-set.ts';
import { transferLanes } from '../workloads/transfer-lanes.ts';
import { caller, postTo } from './json-rpc-peer.ts';
import { freePort, PeerProcess, waitForPeer } from './peer-process.ts';
import { anvilProgram, packageFile } from './peer-program.ts';

/** An Ethereum development node of npm: one process, no consensus, nothing on disk, no TLS. */
export interface DevelopmentNode {
  readonly name: string;
  readonly command: string;
  readonly args: (port: number) => readonly string[];
  /** JSON-RPC method that gives an account money. */
  readonly setBalance: string;
  /** It mines so seldom that a round alone would measure its clock. */
  readonly roundsAreOne?: boolean;
}

/** Hardhat's node, mining each transaction as it comes: its quickest way. */
export const hardhatNode: DevelopmentNode = {
  name: 'Hardhat 3.18 node (automine)',
  command: process.execPath,
  args: (port) => [
    packageFile('hardhat', 'dist/src/cli.js'),
    'node',
    '--config',
    fileURLToPath(new URL('hardhat.config.ts', import.meta.url)),
    '--port',
    `${port}`,
  ],
  setBalance: 'hardhat_setBalance',
};

const anvilMining = (name: string, blockSeconds: string): DevelopmentNode => ({
  name,
  command: process.execPath,
  args: (port) => [
    anvilProgram(),
    ...['--port', `${port}`, '--chain-id', `${benchChainId}`, '--accounts', '1', '--silent'],
    ...['--block-base-fee-per-gas', '0', '--prune-history'],
    ...['--block-time', blockSeconds, '--gas-limit', '1000000000'],
  ],
  setBalance: 'anvil_setBalance',
});

/**
 * Anvil, mining ten blocks a second: mining each transaction as it comes, it hangs under this load
 * (1.7.1, a few thousand transfers in JSON-RPC batches).
 */
export const anvilNode = anvilMining('Anvil 1.7 (10 blocks a second)', '0.1');

/** The same with a block a second, whose last one is waited for: all rounds are one load for it. */
export const slowAnvilNode = {
  ...anvilMining('Anvil 1.7 (1 s blocks, --prune-history)', '1'),
  roundsAreOne: true,
};

/** What a peer did with the same signed transactions. */
export interface PeerFigures {
  readonly name: string;
  /** Mined, median of the rounds. */
  readonly perSecond: number;
  readonly cpuMicrosPerTransaction: number;
  readonly peakBytes: number;
}

/**
 * Sends the same rounds to a peer, over plain HTTP with keep-alive, and counts until all is mined.
 * @throws Error when it does not start or refuses something
 */
export async function measureDevelopmentNode(
  node: DevelopmentNode,
  set: TransferSet,
  {
    lanes,
    warmUp,
    rounds: wanted,
  }: { readonly lanes: number; readonly warmUp: number; readonly rounds: number },
): Promise<PeerFigures> {
  const rounds = node.roundsAreOne ? 1 : wanted;
  const port = await freePort();
  const peer = new PeerProcess(node.command, node.args(port), {
    HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true',
  });
  const agent = new Agent({ keepAlive: true });
  const post = postTo(port, agent);
  const call = caller(post);
  try {
    await waitForPeer(peer, async () => Number(await call('eth_chainId', [])) === benchChainId);
    if (node.setBalance.startsWith('hardhat')) await call('hardhat_setLoggingEnabled', [false]);
    for (const address of set.rich)
      await call(node.setBalance, [address, '0xd3c21bcecceda1000000']);
    for (const raw of set.deployment) {
      await call('eth_sendRawTransaction', [`0x${Buffer.from(raw).toString('hex')}`]);
    }
    const size = Math.floor((set.transfers.length - warmUp) / rounds);
    const mined = minedCounter(post, set);
    await runLoad(transferLanes(set.transfers.slice(0, warmUp), lanes, '/'), {
      post,
      lanesInFlight: lanes,
    });
    await mined(warmUp);
    const before = peer.figures();
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const from = warmUp + round * size;
      const slice = transferLanes(set.transfers.slice(from, from + size), lanes, '/', from);
      const startedMs = performance.now();
      await runLoad(slice, { post, lanesInFlight: lanes });
      await mined(from + size);
      rates.push(perSecond(size, performance.now() - startedMs));
    }
    const after = peer.figures();
    return {
      name: node.name,
      perSecond: median(rates),
      cpuMicrosPerTransaction: (after.cpuMicros - before.cpuMicros) / (size * rounds),
      peakBytes: after.peakBytes,
    };
  } finally {
    agent.destroy();
    await peer.stop();
  }
}

/** Waits until so many transfers are in blocks, by the senders' nonces. */
function minedCounter(post: PostBody, set: TransferSet): (count: number) => Promise<void> {
  const senders = set.rich.slice(1);
  const body = Buffer.from(
    JSON.stringify(
      senders.map((address, id) => ({
        jsonrpc: '2.0',
        id,
        method: 'eth_getTransactionCount',
        params: [address, 'latest'],
      })),
    ),
  );
  return async (count) => {
    const deadline = performance.now() + 60_000;
    while (performance.now() < deadline) {
      const answers = JSON.parse((await post('/', body)).toString()) as { result: string }[];
      const nonces = answers.reduce((sum, { result }) => sum + Number(result), 0);
      if (nonces >= count) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`the peer did not mine ${count} transfers`);
  };
}
