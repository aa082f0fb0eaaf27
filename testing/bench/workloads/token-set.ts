import { keccak256 } from '@concordat/ethereum';
import { toHex, utf8 } from '@concordat/std';
import { callData, compiledHere, compiledThere, deploy } from './contract-calls.ts';
import { benchChainId, type Sender, senderOf, sign } from './signer.ts';

export { benchChainId } from './signer.ts';

/** Accounts that send; a batch of 100 holds at most two transactions of each. */
const senderCount = 64;
const richBalance = 10n ** 24n;
const forEver = 2n ** 256n - 1n;

/**
 * What the transactions do: transfer OpenZeppelin tokens, or the chain's own currency, swap through
 * Uniswap V2's router, or make 200 hashes and 50 writes of storage.
 */
export type TransferKind = 'token' | 'plain' | 'swap' | 'storage';

/** Signed transactions, and what they need to be in place. */
export interface TransferSet {
  readonly kind: TransferKind;
  /** One chain of the adapter's configuration. */
  readonly chain: Readonly<Record<string, unknown>>;
  /** Accounts with money, 0x-hex: a peer is told to give them some. */
  readonly rich: readonly string[];
  /** To be committed first: deployments and approvals. */
  readonly deployment: readonly Uint8Array[];
  /** Transactions in the order of each sender's nonces, senders in turn. */
  readonly transfers: readonly Uint8Array[];
}

/** Makes a transaction of the sender whose turn it is. */
type Next = (sender: Sender, at: number) => Uint8Array;

interface Prepared {
  readonly deployment: readonly Uint8Array[];
  readonly next: Next;
}

/** Makes and signs so many transactions of 64 senders. */
export function transferSet(kind: TransferKind, count: number): TransferSet {
  const senders = Array.from({ length: senderCount }, (_, at) => senderOf(`sender ${at}`));
  const deployer = senderOf('deployer');
  const rich = [deployer, ...senders].map(({ address }) => `0x${toHex(address)}`);
  const { deployment, next } = prepare[kind](deployer, senders);
  const transfers = Array.from({ length: count }, (_, at) =>
    next(senders[at % senderCount] as Sender, at),
  );
  const chain = {
    name: 'main',
    chainId: benchChainId,
    hardfork: 'prague',
    gasLimit: 60_000_000,
    zeroFee: true,
    alloc: Object.fromEntries(
      rich.map((address) => [address, { balance: `0x${richBalance.toString(16)}` }]),
    ),
  };
  return { kind, chain, rich, deployment, transfers };
}

const prepare: Readonly<
  Record<TransferKind, (deployer: Sender, senders: readonly Sender[]) => Prepared>
> = {
  plain: () => ({
    deployment: [],
    next: (sender, at) => sign(sender, { to: recipientOf(at), gasLimit: 21_000n, value: 1n }),
  }),
  token: (deployer, senders) => {
    const token = deployToken(deployer, senders);
    return {
      deployment: [token.raw],
      next: (sender, at) =>
        sign(sender, {
          to: token.address,
          gasLimit: 80_000n,
          data: callData('transfer(address,uint256)', [recipientOf(at), 1n]),
        }),
    };
  },
  swap: prepareSwaps,
  storage: (deployer) => {
    const contract = deploy(deployer, compiledHere('bench-storage'));
    return {
      deployment: [contract.raw],
      next: (sender, at) =>
        sign(sender, {
          to: contract.address,
          gasLimit: 3_000_000n,
          data: callData('work(uint256)', [at]),
        }),
    };
  },
};

/** A sixteenth of the transfers goes to an address never seen before. */
const recipientOf = (at: number): Uint8Array =>
  keccak256(utf8(at % 16 === 0 ? `new ${at}` : `old ${at % 251}`)).slice(12);

const deployToken = (deployer: Sender, holders: readonly Sender[]) =>
  deploy(
    deployer,
    compiledHere('bench-token'),
    ['address[]', 'uint256'],
    [holders.map(({ address }) => `0x${toHex(address)}`), 10n ** 18n],
  );

/** A pair of two tokens with liquidity; the senders swap one way and the other. */
function prepareSwaps(deployer: Sender, senders: readonly Sender[]): Prepared {
  const holders = [deployer, ...senders];
  const tokens = [deployToken(deployer, holders), deployToken(deployer, holders)] as const;
  const [one, other] = tokens.map(({ address }) => `0x${toHex(address)}`) as [string, string];
  const owner = deployer.address;
  const factoryCode = compiledThere('@uniswap/v2-core/build/UniswapV2Factory.json');
  const factory = deploy(deployer, factoryCode, ['address'], [owner]);
  const router = deploy(
    deployer,
    compiledThere('@uniswap/v2-periphery/build/UniswapV2Router02.json'),
    ['address', 'address'],
    [factory.address, one],
  );
  const approvals = holders.flatMap((holder) =>
    tokens.map(({ address }) =>
      sign(holder, {
        to: address,
        gasLimit: 100_000n,
        data: callData('approve(address,uint256)', [router.address, forEver]),
      }),
    ),
  );
  const amount = 10n ** 17n;
  const liquidity = sign(deployer, {
    to: router.address,
    gasLimit: 5_000_000n,
    data: callData(
      'addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)',
      [one, other, amount, amount, 0n, 0n, owner, forEver],
    ),
  });
  return {
    deployment: [...tokens, factory, router].map(({ raw }) => raw).concat(approvals, liquidity),
    next: (sender, at) =>
      sign(sender, {
        to: router.address,
        gasLimit: 250_000n,
        data: callData('swapExactTokensForTokens(uint256,uint256,address[],address,uint256)', [
          1_000_000n + BigInt(at),
          0n,
          // Each sender is as often on one side as on the other.
          (at / senderCount) & 1 ? [one, other] : [other, one],
          sender.address,
          forEver,
        ]),
      }),
  };
}
