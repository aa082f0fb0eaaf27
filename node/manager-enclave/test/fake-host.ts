import { createVirtualEvidence } from '@concordat/attestation';
import { ManagerError } from '../errors.ts';
import { managerCode, platform } from './parties.ts';

/** The node a host belongs to, as it calls back. */
interface HostedNode {
  readonly driver: { synced(height: number): void; truncated(): void };
  readonly backfill: { synced(height: number): void };
}

/** The host of one node: a ledger and records in memory, honest unless told otherwise. */
export class FakeHost {
  readonly blocks: Uint8Array[] = [];
  readonly records = new Map<string, Uint8Array>();
  readonly logged: { event: string; [field: string]: unknown }[] = [];
  /** Whether blocks become durable by themselves. */
  syncs = true;
  /** Whether the node hears of what was done for it. */
  reports = true;
  /** Changes what is read back. */
  tamper: ((blocks: Uint8Array[], from: number) => Uint8Array[]) | undefined;
  committedHeight = 0;
  readonly pages = new Map<number, Uint8Array>();
  /** Chunks of finished snapshots by height; a test may change them. */
  readonly snapshots = new Map<number, Uint8Array[]>();
  readonly #unfinished = new Map<number, Uint8Array[]>();
  readonly #owed: (() => void)[] = [];
  readonly #node: HostedNode;

  constructor(node: HostedNode) {
    this.#node = node;
  }

  append(height: number, block: Uint8Array): void {
    if (height !== this.blocks.length + 1) throw new Error(`append of ${height} out of order`);
    this.blocks.push(block);
    if (this.syncs) this.#owed.push(() => this.#node.driver.synced(height));
  }

  truncate(after: number): void {
    this.blocks.length = Math.min(after, this.blocks.length);
    this.#owed.push(() => this.#node.driver.truncated());
  }

  committed(height: number): void {
    this.committedHeight = height;
  }

  async read(from: number, to: number): Promise<Uint8Array[]> {
    const missing = this.blocks.findIndex((block, at) => at >= from - 1 && !block);
    if (missing === from - 1) throw new ManagerError('BLOCK_NOT_HELD', 'not stored');
    const blocks = this.blocks.slice(from - 1, missing < 0 ? to : Math.min(to, missing));
    return this.tamper ? this.tamper(blocks, from) : blocks;
  }

  async putRecord(name: string, bytes: Uint8Array): Promise<void> {
    this.records.set(name, bytes);
  }

  async getRecord(name: string): Promise<Uint8Array | undefined> {
    return this.records.get(name);
  }

  async attest(reportData: Uint8Array): Promise<Uint8Array> {
    return createVirtualEvidence({ measurement: managerCode, reportData, platformKey: platform });
  }

  log(event: string, fields: Record<string, unknown> = {}): void {
    this.logged.push({ event, ...fields });
  }

  async putPage(page: number, bytes: Uint8Array): Promise<void> {
    this.pages.set(page, bytes);
  }

  async getPage(page: number): Promise<Uint8Array | undefined> {
    return this.pages.get(page);
  }

  snapshotBegin(height: number): void {
    this.#unfinished.set(height, []);
  }

  async snapshotChunk(height: number, index: number, bytes: Uint8Array): Promise<void> {
    const chunks = this.#unfinished.get(height);
    if (chunks?.length !== index) throw new ManagerError('HOST_FAULT', `chunk ${index} of none`);
    chunks.push(bytes);
  }

  async snapshotFinish(height: number, count: number): Promise<void> {
    const chunks = this.#unfinished.get(height);
    if (chunks?.length !== count) throw new ManagerError('HOST_FAULT', 'not so many chunks');
    this.#unfinished.delete(height);
    this.snapshots.set(height, chunks);
    const [oldest] = [...this.snapshots.keys()].sort((a, b) => a - b);
    if (this.snapshots.size > 2) this.snapshots.delete(oldest as number);
  }

  async snapshotRead(height: number, index: number): Promise<Uint8Array | undefined> {
    return this.snapshots.get(height)?.[index];
  }

  snapshotDrop(height: number): void {
    this.snapshots.delete(height);
    this.#unfinished.delete(height);
  }

  async ledgerBase(height: number): Promise<void> {
    this.blocks.length = height;
  }

  appendEarlier(height: number, block: Uint8Array): void {
    if (this.blocks[height - 1]) throw new Error(`block ${height} is there already`);
    this.blocks[height - 1] = block;
    this.#owed.push(() => this.#node.backfill.synced(height));
  }

  status(): void {}
  listening(): void {}
  flush(): void {}

  /** Tells the node what was done for it; answers whether there was anything. */
  report(): boolean {
    if (!this.reports) return false;
    const owed = this.#owed.splice(0);
    for (const tell of owed) tell();
    return owed.length > 0;
  }
}
