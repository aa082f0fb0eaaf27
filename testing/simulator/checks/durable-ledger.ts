import { createHash } from 'node:crypto';
import { chunkHeaderBytes, frameHeaderBytes, parseChunkName } from '@concordat/ledger';
import type { SimulatedDisk } from '../disk/simulated-disk.ts';
import type { SimulatedFile } from '../disk/simulated-file.ts';

/** Frames found so far in the durable part of one chunk file. */
interface Scan {
  generation: number;
  end: number;
  readonly offsets: number[];
}

/** Which blocks a disk would give back after a crash, whatever the host says. */
export class DurableLedger {
  readonly #disk: SimulatedDisk;
  readonly #directory: string;
  readonly #scans = new WeakMap<SimulatedFile, Scan>();

  /** @param directory where the host keeps its ledger */
  constructor(disk: SimulatedDisk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /** The block at a height as the disk certainly has it. */
  block(height: number): Buffer | undefined {
    for (const [name, file] of this.#disk.durableFiles(this.#directory)) {
      const first = parseChunkName(name)?.firstHeight;
      if (first === undefined || first > height) continue;
      const { offsets } = this.#scan(file);
      const offset = offsets[height - first];
      if (offset === undefined) continue;
      const bytes = file.durableBytes;
      const start = offset + frameHeaderBytes;
      return bytes.subarray(start, start + bytes.readUInt32BE(offset));
    }
    return undefined;
  }

  /** Whether it certainly has the block with this SHA-256 (hex) at a height. */
  holds(height: number, digest: string): boolean {
    const block = this.block(height);
    return block !== undefined && createHash('sha256').update(block).digest('hex') === digest;
  }

  #scan(file: SimulatedFile): Scan {
    let scan = this.#scans.get(file);
    if (!scan || scan.generation !== file.generation) {
      scan = { generation: file.generation, end: chunkHeaderBytes, offsets: [] };
      this.#scans.set(file, scan);
    }
    const bytes = file.durableBytes;
    while (scan.end + frameHeaderBytes <= bytes.length) {
      const length = bytes.readUInt32BE(scan.end);
      const end = scan.end + frameHeaderBytes + length;
      if (length === 0 || end > bytes.length) break;
      scan.offsets.push(scan.end);
      scan.end = end;
    }
    return scan;
  }
}
