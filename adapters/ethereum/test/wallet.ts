import type { TransactionFields } from '../chain-reader.ts';
import { addressOfKey, signDigest } from '../crypto.ts';
import { signedTransaction } from '../transaction.ts';

/** A key pair that signs transactions for tests. */
export class Wallet {
  readonly key: Uint8Array;
  readonly address: Uint8Array;

  constructor(seed: number) {
    this.key = new Uint8Array(32).fill(seed);
    this.address = addressOfKey(this.key);
  }

  get hex(): string {
    return `0x${Buffer.from(this.address).toString('hex')}`;
  }

  readonly sign = (digest: Uint8Array) => signDigest(digest, this.key);

  /** Raw bytes of a transaction of type 2 on chain 1337 unless the fields say otherwise. */
  transaction(fields: Partial<TransactionFields>): Uint8Array {
    const usual = { chainId: 1337n, gasLimit: 100_000n };
    return signedTransaction({ ...usual, ...fields }, this.sign);
  }
}

/** Bytes of hex without prefix; blanks are ignored. */
export const code = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');

/** Init code that deploys a runtime code of up to 255 bytes. */
export function deploying(runtime: Uint8Array): Uint8Array {
  const size = runtime.length.toString(16).padStart(2, '0');
  return Buffer.concat([code(`60${size} 600c 6000 39 60${size} 6000 f3`), runtime]);
}
