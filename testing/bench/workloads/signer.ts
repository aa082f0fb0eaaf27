import { createHash } from 'node:crypto';
import { addressOfKey, signDigest, signedTransaction } from '@concordat/ethereum';

/** Chain id of the measured chain, and of the peers'. */
export const benchChainId = 1_337;
/** Bid by every transaction so that peers with a base fee take the same bytes; zero fees here. */
const maxFeePerGas = 2_000_000_000n;

/** An account that signs, and its next nonce. */
export interface Sender {
  readonly key: Uint8Array;
  readonly address: Uint8Array;
  nonce: bigint;
}

/** What a transaction does. */
export interface SignedCall {
  /** Absent for a creation. */
  readonly to?: Uint8Array;
  readonly gasLimit: bigint;
  readonly value?: bigint;
  readonly data?: Uint8Array;
}

/** The account of a name; the same name has the same key. */
export function senderOf(name: string): Sender {
  const key = createHash('sha256').update(`concordat bench ${name}`).digest();
  return { key, address: addressOfKey(key), nonce: 0n };
}

/** Signs a transaction of type 2 and counts the nonce up. */
export function sign(sender: Sender, call: SignedCall): Uint8Array {
  const nonce = sender.nonce++;
  const fields = { chainId: BigInt(benchChainId), nonce, maxFeePerGas, ...call };
  return signedTransaction(fields, (digest) => signDigest(digest, sender.key));
}
