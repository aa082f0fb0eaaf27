import { aeadOpen, aeadSeal, hkdfSha256 } from '@concordat/crypto';
import { concatBytes, fromUtf8, utf8 } from '@concordat/std';
import type { ControlLink } from './control-link.ts';
import { ManagerError } from './errors.ts';

const nonceBytes = 12;

/**
 * Small records on the host's disk, sealed by the platform to this code measurement: the identity
 * a whole network can be started again with, and consensus's hard state. The host can lose or
 * replay them, never read or change them.
 */
export class SealedRecords {
  readonly #control: Pick<ControlLink, 'getRecord' | 'putRecord'>;
  readonly #key: Uint8Array;
  readonly #entropy: (bytes: number) => Uint8Array;

  constructor(
    control: Pick<ControlLink, 'getRecord' | 'putRecord'>,
    sealingKey: Uint8Array,
    entropy: (bytes: number) => Uint8Array,
  ) {
    this.#control = control;
    this.#key = hkdfSha256(sealingKey, new Uint8Array(0), utf8('concordat sealed record'), 32);
    this.#entropy = entropy;
  }

  /** Seals and stores a record durably. The random 96-bit nonce is safe for the rare writes here. */
  async put(name: string, value: unknown): Promise<void> {
    const nonce = this.#entropy(nonceBytes);
    const sealed = aeadSeal(this.#key, nonce, utf8(name), utf8(JSON.stringify(value)));
    await this.#control.putRecord(name, concatBytes(nonce, sealed));
  }

  /**
   * Reads a record back; undefined when the host has none.
   * @throws ManagerError RECORD_UNREADABLE when it is not what this platform and code sealed
   */
  async get<T>(name: string): Promise<T | undefined> {
    const stored = await this.#control.getRecord(name);
    if (!stored) return undefined;
    try {
      const nonce = stored.subarray(0, nonceBytes);
      const opened = aeadOpen(this.#key, nonce, utf8(name), stored.subarray(nonceBytes));
      return JSON.parse(fromUtf8(opened)) as T;
    } catch {
      throw new ManagerError(
        'RECORD_UNREADABLE',
        `sealed record ${name} was not sealed by this platform and code, or was changed`,
        { name },
      );
    }
  }
}
