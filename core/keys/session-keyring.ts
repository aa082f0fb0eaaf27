import { constantTimeEqual } from '@concordat/crypto';
import { assert, type Epoch } from '@concordat/std';
import { KeysError } from './errors.ts';

/** Bytes of a session key. */
export const sessionKeyBytes = 32;

/**
 * The key that seals the private parts of one epoch's blocks. Read `key` where it is used and keep
 * no reference: when the ring forgets it the bytes are zeroed.
 */
export interface SessionKey {
  readonly epoch: Epoch;
  /**
   * 32 bytes.
   * @throws KeysError FORGOTTEN once the ring has forgotten it, so that no zeros seal a block
   */
  readonly key: Uint8Array;
}

/** Where the ledger asks for session keys; a ring in memory, or one that re-acquires them. */
export interface SessionKeySource {
  /** The key of an epoch; undefined when it is not at hand. */
  get(epoch: Epoch): SessionKey | undefined;
  /** The key of the newest epoch; undefined when there is none. */
  readonly current: SessionKey | undefined;
}

class HeldKey implements SessionKey {
  readonly epoch: Epoch;
  #key: Uint8Array | undefined;

  constructor(epoch: Epoch, key: Uint8Array) {
    this.epoch = epoch;
    this.#key = Uint8Array.from(key);
  }

  get key(): Uint8Array {
    if (this.#key !== undefined) return this.#key;
    const why = `the session key of epoch ${this.epoch} was forgotten`;
    throw new KeysError('FORGOTTEN', why, { epoch: this.epoch });
  }

  erase(): void {
    this.#key?.fill(0);
    this.#key = undefined;
  }
}

/** The session keys an enclave holds in memory, one an epoch. */
export class SessionKeyring implements SessionKeySource {
  readonly #held = new Map<Epoch, HeldKey>();
  #newest: HeldKey | undefined;

  /**
   * Takes a copy of an epoch's key. Adding the same key again changes nothing.
   * @returns the held key
   * @throws KeysError EPOCH_CONFLICT when another key is held for the epoch
   */
  add(added: { readonly epoch: Epoch; readonly key: Uint8Array }): SessionKey {
    const { epoch, key } = added;
    assert(key.length === sessionKeyBytes, `session key of ${key.length} bytes`);
    assert(epoch >= 1, 'epochs count from 1');
    const known = this.#held.get(epoch);
    if (known !== undefined) {
      if (constantTimeEqual(known.key, key)) return known;
      throw new KeysError('EPOCH_CONFLICT', `another key is held for epoch ${epoch}`, { epoch });
    }
    const held = new HeldKey(epoch, key);
    this.#held.set(epoch, held);
    if (this.#newest === undefined || epoch > this.#newest.epoch) this.#newest = held;
    return held;
  }

  get(epoch: Epoch): SessionKey | undefined {
    return this.#held.get(epoch);
  }

  /** The held key of the newest epoch. */
  get current(): SessionKey | undefined {
    return this.#newest;
  }

  /** Epochs held, ascending. */
  get epochs(): Epoch[] {
    return [...this.#held.keys()].sort((a, b) => a - b);
  }

  /** Zeroes and drops an epoch's key; whether it was held. */
  forget(epoch: Epoch): boolean {
    const held = this.#held.get(epoch);
    if (held === undefined) return false;
    held.erase();
    this.#held.delete(epoch);
    if (this.#newest === held) {
      const newest = this.epochs.at(-1);
      this.#newest = newest === undefined ? undefined : this.#held.get(newest);
    }
    return true;
  }

  /** Zeroes and drops every key of an epoch before the given one. */
  forgetBefore(epoch: Epoch): void {
    for (const held of this.epochs) if (held < epoch) this.forget(held);
  }

  /** Zeroes and drops every key: what a quarantined or stopping enclave does. */
  forgetAll(): void {
    for (const held of this.epochs) this.forget(held);
  }
}
