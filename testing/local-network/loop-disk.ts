import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, hasCommand, run, undoLater } from './commands.ts';

/**
 * A small disk of its own: an ext4 file system in a file, mounted where a node keeps its data. It
 * can be filled up, and its power can be cut, which loses all that was not synced. Needs root,
 * loop devices, e2fsprogs and xfsprogs (for `xfs_io`, which works on ext4 as well).
 */
export class LoopDisk {
  /** Where it is mounted. */
  readonly directory: string;
  #image: string;
  #cuts = 0;
  readonly #unmount: () => void;

  /** Why this machine cannot do it; undefined when it can. */
  static get missing(): string | undefined {
    if (process.platform !== 'linux') return 'loop devices exist on Linux only';
    if (process.getuid?.() !== 0) return 'mounting needs root';
    if (!existsSync('/dev/loop-control')) return 'there are no loop devices';
    if (!hasCommand('mkfs.ext4', '-V')) return 'mkfs.ext4 is missing: install e2fsprogs';
    if (!hasCommand('xfs_io', '-V')) return 'xfs_io is missing: install xfsprogs';
    const probe = mkdtempSync(join(tmpdir(), 'concordat-disk-'));
    try {
      const disk = new LoopDisk(join(probe, 'disk'), { mebibytes: 8 });
      disk.cutPower();
      disk.close();
      return undefined;
    } catch (error) {
      return `small disks do not work here: ${(error as Error).message}`;
    } finally {
      rmSync(probe, { recursive: true, force: true });
    }
  }

  /** Makes a disk and mounts it. @throws LocalNetworkError COMMAND_FAILED */
  constructor(directory: string, { mebibytes }: { readonly mebibytes: number }) {
    this.directory = directory;
    this.#image = `${directory}.disk`;
    mkdirSync(directory, { recursive: true });
    run('truncate', '--size', `${mebibytes}M`, this.#image);
    run('mkfs.ext4', '-q', '-F', '-m', '0', this.#image);
    this.#mount();
    this.#unmount = undoLater(() => attempt(() => run('umount', '--lazy', this.directory)));
  }

  #mount(): void {
    run('mount', '-o', 'loop', this.#image, this.directory);
  }

  /** Bytes free. */
  get free(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize;
  }

  /** Takes all the room there is, by a file beside the others. */
  fill(): void {
    // In steps: what the file system says is free is not all to be had in one piece.
    for (let at = 0; this.free > 0 && at < 100; at += 1) {
      try {
        writeFileSync(this.#ballast(at), Buffer.alloc(Math.min(this.free, 1024 * 1024 * 8)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        if (this.free < 4_096) break;
      }
    }
  }

  /** Gives the room back. */
  empty(): void {
    for (let at = 0; at < 100; at += 1) rmSync(this.#ballast(at), { force: true });
  }

  #ballast(at: number): string {
    return join(this.directory, `ballast-${at}`);
  }

  /** Brings everything written so far to the disk. */
  sync(): void {
    run('sync', '--file-system', this.directory);
  }

  /** From now on nothing reaches the disk, and what had not been synced never did. */
  cutPower(): void {
    run('xfs_io', '-x', '-c', 'shutdown', this.directory);
  }

  /**
   * Mounts what had reached it before the power was cut. It is a copy that is mounted, since a
   * process that was killed may hold the former mount a while longer, be it in a mount namespace of
   * its own; nothing writes there any more.
   */
  restorePower(): void {
    run('umount', '--lazy', this.directory);
    const former = this.#image;
    this.#cuts += 1;
    this.#image = `${this.directory}.disk${this.#cuts}`;
    run('cp', '--sparse=always', former, this.#image);
    rmSync(former);
    this.#mount();
  }

  /** Unmounts it and removes it. */
  close(): void {
    this.#unmount();
    rmSync(this.#image, { force: true });
  }
}
