import { createHash } from 'node:crypto';
import { Violation } from './violation.ts';

/** Session keys that are looked for at a time: the newest. */
const keysWatched = 8;

/**
 * Watches that private values and session keys stay private and no nonce is used twice under one key.
 */
export class SecretsWatch {
  /** Is part of every private value; must be seen nowhere outside of enclaves. */
  readonly marker: string;
  readonly #marker: Buffer;
  /** What was sealed with a key and nonce. */
  readonly #sealed = new Map<string, string>();
  #searchedBytes = 0;
  /** Session keys by their hex: raw, and as text. */
  readonly #keys = new Map<string, readonly [Buffer, Buffer]>();
  readonly #everHeld = new Set<string>();
  #network: readonly Buffer[] | undefined;

  constructor(seed: string) {
    const random = createHash('sha256').update(`${seed} marker`).digest('base64url');
    this.marker = `<private ${random.slice(0, 22)}>`;
    this.#marker = Buffer.from(this.marker);
  }

  /** Bytes looked through. */
  get searchedBytes(): number {
    return this.#searchedBytes;
  }

  /** Seals so far. */
  get seals(): number {
    return this.#sealed.size;
  }

  /** Bytes that the host, the disk or the network sees. */
  seen(bytes: Buffer, where: string): void {
    this.#searchedBytes += bytes.length;
    if (bytes.includes(this.#marker)) {
      throw new Violation('PLAINTEXT_LEAKED', `a private value is readable in ${where}`);
    }
    if (this.#network?.some((form) => bytes.includes(form))) {
      throw new Violation('KEY_EXPOSED', `the network's private key is readable in ${where}`);
    }
    for (const forms of this.#keys.values()) {
      if (!forms.some((form) => bytes.includes(form))) continue;
      throw new Violation('KEY_EXPOSED', `a session key is readable in ${where}`);
    }
  }

  /** Session keys seen so far in the memory of enclaves. */
  get sessionKeys(): number {
    return this.#everHeld.size;
  }

  /** Every session key seen so far, hex. */
  get everHeld(): ReadonlySet<string> {
    return this.#everHeld;
  }

  /** Whether the network's private key is watched. */
  get watchesNetwork(): boolean {
    return this.#network !== undefined;
  }

  /** Enclaves hold the network's private key, a scalar: nobody else must ever see it. */
  holdsNetwork(scalar: Uint8Array): void {
    const bytes = Buffer.from(scalar);
    this.#network = [bytes, Buffer.from(bytes.toString('hex'))];
  }

  /** An enclave holds this session key: whoever is not one must never see it. */
  holds(key: Uint8Array): void {
    const hex = Buffer.from(key).toString('hex');
    if (this.#everHeld.has(hex)) return;
    this.#everHeld.add(hex);
    this.#keys.set(hex, [Buffer.from(key), Buffer.from(hex)]);
    if (this.#keys.size <= keysWatched) return;
    this.#keys.delete(this.#keys.keys().next().value as string);
  }

  /**
   * An AEAD seals with this key and nonce. The very same once more is no other message: nodes of one
   * actor deal the same bytes in a key ceremony.
   * @param sealed names plaintext and additional data
   */
  readonly sealing = (key: Uint8Array, nonce: Uint8Array, sealed: string): void => {
    const pair = Buffer.concat([key, nonce]).toString('latin1');
    const before = this.#sealed.get(pair);
    if (before !== undefined && before !== sealed) {
      const name = createHash('sha256').update(key).digest('hex').slice(0, 8);
      const hex = Buffer.from(nonce).toString('hex');
      throw new Violation('NONCE_REUSED', `nonce ${hex} a second time under key ${name}`);
    }
    this.#sealed.set(pair, sealed);
  };
}
