import type { EvmSink } from '@concordat/evm';

/** Writes that wait for the first transaction that is kept: without one they never were. */
export class PendingWrites implements EvmSink {
  #accounts: [key: string, record: Uint8Array | undefined][] = [];
  #slots: [key: string, value: Uint8Array | undefined][] = [];
  #codes: [key: string, code: Uint8Array][] = [];

  get isEmpty(): boolean {
    return this.#accounts.length + this.#slots.length + this.#codes.length === 0;
  }

  putAccount(key: string, record: Uint8Array | undefined): void {
    this.#accounts.push([key, record]);
  }

  putSlot(key: string, value: Uint8Array | undefined): void {
    this.#slots.push([key, value]);
  }

  putCode(key: string, code: Uint8Array): void {
    this.#codes.push([key, code]);
  }

  /** Writes everything in the order it came, and is empty then. */
  moveTo(sink: EvmSink): void {
    for (const [key, record] of this.#accounts) sink.putAccount(key, record);
    for (const [key, value] of this.#slots) sink.putSlot(key, value);
    for (const [key, code] of this.#codes) sink.putCode(key, code);
    this.#accounts = [];
    this.#slots = [];
    this.#codes = [];
  }
}
