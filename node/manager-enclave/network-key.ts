import {
  exportSigningScalar,
  fromPem,
  importSigningScalar,
  type SigningKey,
  spkiOf,
} from '@concordat/crypto';
import { currentSharedKey, networkInfo, recordNetworkKey } from '@concordat/governance';
import {
  encodeCiphertext,
  encryptToThreshold,
  networkIdentityLabel,
  publicKeyOf,
} from '@concordat/keys';
import type { TransactionSet } from '@concordat/kv';
import { CodedError, type Epoch, equalBytes, toEpoch } from '@concordat/std';
import { ManagerError } from './errors.ts';

/**
 * The place of the network's private key among what is encrypted to a shared key and gathered by
 * decryption shares: before the first epoch.
 */
export const networkKeyPlace: Epoch = toEpoch(0);

/**
 * The network's private key in this enclave's memory: it endorses nodes that join. The ledger has it
 * encrypted to the members' shared key only, so that nobody reads it with an epoch's key or from a
 * snapshot. Wherever it comes from, it counts when it is the key of the network's certificate.
 */
export class NetworkKey {
  readonly #certificate: () => string;
  #scalar: Uint8Array | undefined;
  #isClosed = false;

  /** @param certificate PEM of the network's certificate */
  constructor(certificate: () => string) {
    this.#certificate = certificate;
  }

  get isHeld(): boolean {
    return this.#scalar !== undefined;
  }

  /** The private scalar, when this enclave holds it. */
  get(_place: Epoch): Uint8Array | undefined {
    return this.#scalar;
  }

  /** There is no other one to be found in a state. */
  recognize(): void {}

  /** Takes up the scalar behind a key. */
  own(key: SigningKey): void {
    const scalar = exportSigningScalar(key);
    this.hold({ key: scalar });
    scalar.fill(0);
  }

  /** Takes up a private scalar, unless it is not that of this network; a copy, if it is. */
  hold({ key }: { readonly key: Uint8Array }): void {
    if (this.#isClosed || this.#scalar || !this.#fits(key)) return;
    this.#scalar = Uint8Array.from(key);
  }

  #fits(scalar: Uint8Array): boolean {
    const [certificate] = fromPem(this.#certificate());
    if (!certificate) return false;
    try {
      return equalBytes(importSigningScalar(scalar).publicKeySpki, spkiOf(certificate));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return false;
    }
  }

  /**
   * The key, made anew each time: only the scalar is kept, which can be erased.
   * @throws ManagerError NETWORK_KEY_MISSING
   */
  signing(): SigningKey {
    return importSigningScalar(this.#held);
  }

  get #held(): Uint8Array {
    if (this.#scalar) return this.#scalar;
    throw new ManagerError('NETWORK_KEY_MISSING', "this node does not have the network's key yet");
  }

  /**
   * Encrypts it to the shared key that the open write set has, in place of the one before.
   * @throws ManagerError NETWORK_KEY_MISSING; SESSION_KEY_MISSING when there is no shared key
   */
  write(set: TransactionSet, entropy: (bytes: number) => Uint8Array): void {
    const shared = currentSharedKey(set);
    if (!shared) {
      throw new ManagerError('SESSION_KEY_MISSING', 'there is no shared key to encrypt it to');
    }
    const { networkId } = networkInfo(set);
    const entropy128 = entropy(128);
    const ciphertext = encryptToThreshold({
      publicKey: publicKeyOf(shared.key),
      label: networkIdentityLabel({ networkId, keyId: shared.key.id }),
      message32: this.#held,
      entropy128,
    });
    entropy128.fill(0);
    const keyNumber = shared.number;
    recordNetworkKey(set, { keyNumber, ciphertext: encodeCiphertext(ciphertext) });
  }

  /**
   * Zeroes it and takes it up no more, whatever is still on its way here: what a node does that ends, or
   * that the network has removed.
   */
  close(): void {
    this.#isClosed = true;
    this.forget();
  }

  /** Zeroes it. */
  forget(): void {
    this.#scalar?.fill(0);
    this.#scalar = undefined;
  }
}
