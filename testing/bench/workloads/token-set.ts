import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  addressOfKey,
  createdAddress,
  keccak256,
  signDigest,
  signedTransaction,
} from '@concordat/ethereum';
import { toHex, utf8 } from '@concordat/std';

/** Chain id of the measured chain, and of the peers'. */
export const benchChainId = 1_337;
/** Accounts that send; a batch of 100 holds at most two transactions of each. */
const senderCount = 64;
/** Bid by every transaction so that peers with a base fee take the same bytes; zero fees here. */
const maxFeePerGas = 2_000_000_000n;
const richBalance = 10n ** 24n;

/** What is transferred: OpenZeppelin tokens, or the chain's own currency. */
export type TransferKind = 'token' | 'plain';

/** Signed transfers, and what they need to be in place. */
export interface TransferSet {
  readonly kind: TransferKind;
  /** One chain of the adapter's configuration. */
  readonly chain: Readonly<Record<string, unknown>>;
  /** Accounts with money, 0x-hex: a peer is told to give them some. */
  readonly rich: readonly string[];
  /** To be committed first: the token's deployment. */
  readonly deployment: readonly Uint8Array[];
  /** Transfers in the order of each sender's nonces, senders in turn. */
  readonly transfers: readonly Uint8Array[];
}

interface Sender {
  readonly key: Uint8Array;
  readonly address: Uint8Array;
  nonce: bigint;
}

/** Makes and signs so many transfers of 64 senders to as many others. */
export function transferSet(kind: TransferKind, count: number): TransferSet {
  const senders = Array.from({ length: senderCount }, (_, at) => senderOf(`sender ${at}`));
  const deployer = senderOf('deployer');
  const rich = [deployer, ...senders].map(({ address }) => `0x${toHex(address)}`);
  const deployment = kind === 'token' ? [deploy(deployer, senders)] : [];
  const token = createdAddress(deployer.address, 0n);
  const transfers = Array.from({ length: count }, (_, at) => {
    const sender = senders[at % senderCount] as Sender;
    // A sixteenth of the transfers goes to an address never seen before.
    const recipient = keccak256(utf8(at % 16 === 0 ? `new ${at}` : `old ${at % 251}`)).slice(12);
    return kind === 'token'
      ? sign(sender, { to: token, gasLimit: 80_000n, data: transferCall(recipient, 1n) })
      : sign(sender, { to: recipient, gasLimit: 21_000n, value: 1n });
  });
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

function senderOf(name: string): Sender {
  const key = createHash('sha256').update(`concordat bench ${name}`).digest();
  return { key, address: addressOfKey(key), nonce: 0n };
}

function sign(
  sender: Sender,
  call: {
    readonly to?: Uint8Array;
    readonly gasLimit: bigint;
    readonly value?: bigint;
    readonly data?: Uint8Array;
  },
): Uint8Array {
  const nonce = sender.nonce++;
  return signedTransaction(
    {
      type: 2,
      chainId: BigInt(benchChainId),
      nonce,
      maxFeePerGas,
      maxPriorityFeePerGas: 0n,
      value: 0n,
      data: new Uint8Array(0),
      ...call,
      accessList: [],
      authorizationList: [],
      blobVersionedHashes: [],
      maxFeePerBlobGas: 0n,
    },
    (digest) => signDigest(digest, sender.key),
  );
}

const word = (value: bigint): string => value.toString(16).padStart(64, '0');

const addressWord = (address: Uint8Array): string => toHex(address).padStart(64, '0');

/** transfer(address,uint256) */
const transferCall = (to: Uint8Array, amount: bigint): Uint8Array =>
  Buffer.from(`a9059cbb${addressWord(to)}${word(amount)}`, 'hex');

function deploy(deployer: Sender, holders: readonly Sender[]): Uint8Array {
  const file = new URL('../contracts/bench-token.json', import.meta.url);
  const { bytecode } = JSON.parse(readFileSync(file, 'utf8')) as { bytecode: string };
  // (address[] holders, uint256 each): offset of the list, each, length, addresses.
  const list = holders.map(({ address }) => addressWord(address)).join('');
  const argument = `${word(64n)}${word(10n ** 18n)}${word(BigInt(holders.length))}${list}`;
  const data = Buffer.from(bytecode.slice(2) + argument, 'hex');
  return sign(deployer, { gasLimit: 6_000_000n, data });
}
