import { createHash } from 'node:crypto';
import { Violation } from './violation.ts';

/** Watches that private values stay private and no nonce is used twice under one key. */
export class SecretsWatch {
  /** Is part of every private value; must be seen nowhere outside of enclaves. */
  readonly marker: string;
  readonly #marker: Buffer;
  readonly #sealed = new Set<string>();
  #searchedBytes = 0;

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
    if (!bytes.includes(this.#marker)) return;
    throw new Violation('PLAINTEXT_LEAKED', `a private value is readable in ${where}`);
  }

  /** An AEAD seals with this key and nonce. */
  readonly sealing = (key: Uint8Array, nonce: Uint8Array): void => {
    const pair = Buffer.concat([key, nonce]).toString('latin1');
    if (this.#sealed.has(pair)) {
      const name = createHash('sha256').update(key).digest('hex').slice(0, 8);
      const hex = Buffer.from(nonce).toString('hex');
      throw new Violation('NONCE_REUSED', `nonce ${hex} a second time under key ${name}`);
    }
    this.#sealed.add(pair);
  };
}
