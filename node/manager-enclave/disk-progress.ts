import { ManagerError } from './errors.ts';
import type { LedgerDisk } from './ledger-duties.ts';

/** What the host was given to store, and how much of it is on its disk. */
export class DiskProgress {
  readonly #disk: LedgerDisk;
  #truncationsPending = 0;
  /** The first block of the log that the host has not synced; infinite when there is none. */
  #unsyncedFrom = Number.POSITIVE_INFINITY;
  /** Committed height the host has not been told; it only names files by it. */
  #untoldCommitted = 0;

  constructor(disk: LedgerDisk) {
    this.#disk = disk;
  }

  /** Every block that was stored up to here is on the disk; infinite when every one is. */
  get syncedTo(): number {
    return this.#unsyncedFrom - 1;
  }

  append(height: number, block: Uint8Array): void {
    this.tellCommitted();
    this.#disk.append(height, block);
    this.#unsyncedFrom = Math.min(this.#unsyncedFrom, height);
  }

  /** Blocks up to here are final: told with what the host is told next. */
  committed(height: number): void {
    this.#untoldCommitted = height;
  }

  tellCommitted(): void {
    if (this.#untoldCommitted === 0) return;
    this.#disk.committed(this.#untoldCommitted);
    this.#untoldCommitted = 0;
  }

  /**
   * The host says that blocks up to here are on its disk.
   * @param last the newest block of the log
   * @returns whether that says anything: heights are used again after a truncation, and what was
   * synced before it is not what is there now
   */
  synced(height: number, last: number): boolean {
    if (this.#truncationsPending > 0 || height > last) return false;
    if (height >= this.#unsyncedFrom) {
      this.#unsyncedFrom = height < last ? height + 1 : Number.POSITIVE_INFINITY;
    }
    return true;
  }

  truncate(after: number): void {
    this.#truncationsPending += 1;
    if (this.#unsyncedFrom > after) this.#unsyncedFrom = Number.POSITIVE_INFINITY;
    this.#disk.truncate(after);
  }

  /**
   * The host carried out a truncation.
   * @throws ManagerError HOST_FAULT when none was asked for
   */
  truncated(): void {
    if (this.#truncationsPending === 0) {
      throw new ManagerError('HOST_FAULT', 'the host truncated the ledger unasked');
    }
    this.#truncationsPending -= 1;
  }
}
