import { viewOf } from '@concordat/std';
import type { AnyFunction } from '../platform/surroundings.ts';
import { type SimulatedDisk, split } from './simulated-disk.ts';
import type { SimulatedFile } from './simulated-file.ts';

/** What a file operation is about, for its delay and its faults. */
export interface DiskOperation {
  readonly kind: 'open' | 'read' | 'write' | 'sync' | 'name' | 'close';
  readonly path: string;
  readonly bytes: number;
}

/** A disk that is reached by paths, and how well it works. */
export interface MountedDisk {
  readonly disk: SimulatedDisk;
  /** Resolves when an operation is done. */
  readonly wait: (operation: DiskOperation) => Promise<void>;
  /** System code of the error an operation ends with, if any. */
  readonly fault: (operation: DiskOperation) => string | undefined;
  /** Changes what a read gives back, in place. */
  readonly onRead: (path: string, bytes: Buffer) => void;
  /** Sees what is written. */
  readonly onWrite: (path: string, bytes: Buffer) => void;
}

/** Directory below which every simulated disk is mounted. */
export const mountRoot = '/simulated';

/**
 * `node:fs/promises` over simulated disks. Paths outside of {@link mountRoot} are the real file
 * system's. Only what hosts use is there; anything else throws.
 */
export class FileSystem {
  readonly #mounts = new Map<string, MountedDisk>();

  /** Mounts a disk at `/simulated/<name>`. */
  mount(name: string, disk: MountedDisk): void {
    this.#mounts.set(name, disk);
  }

  /** A function of `node:fs/promises` by its name, falling back on the real one. */
  replacement(name: string, real: AnyFunction): AnyFunction {
    const own = (this as unknown as Record<string, AnyFunction | undefined>)[`$${name}`];
    return (...args) => {
      const [path] = args as unknown[];
      if (typeof path !== 'string' || !path.startsWith(`${mountRoot}/`)) return real(...args);
      if (!own) throw new Error(`the simulated file system has no ${name}`);
      return own.apply(this, args);
    };
  }

  #mountOf(path: string): MountedDisk {
    const mount = this.#mounts.get(path.split('/')[2] ?? '');
    if (!mount) throw systemError('ENOENT', 'open', path);
    return mount;
  }

  async #do(operation: DiskOperation): Promise<MountedDisk> {
    const mount = this.#mountOf(operation.path);
    await mount.wait(operation);
    const code = mount.fault(operation);
    if (code) throw systemError(code, operation.kind, operation.path);
    return mount;
  }

  async $mkdir(path: string): Promise<void> {
    const { disk } = await this.#do({ kind: 'name', path, bytes: 0 });
    const parts = path.split('/');
    for (let depth = 3; depth <= parts.length; depth++) {
      disk.makeDirectory(parts.slice(0, depth).join('/'));
    }
  }

  async $readdir(path: string): Promise<string[]> {
    const { disk } = await this.#do({ kind: 'read', path, bytes: 0 });
    const names = disk.names(path);
    if (!names) throw systemError('ENOENT', 'readdir', path);
    const below = disk.directories.filter((one) => split(one).directory === path);
    return [...names, ...below.map((one) => split(one).name)].sort();
  }

  async $open(path: string, flags: string = 'r'): Promise<SimulatedHandle> {
    const mount = await this.#do({ kind: 'open', path, bytes: 0 });
    const { disk } = mount;
    if (disk.hasDirectory(path)) return new SimulatedHandle(mount, path, undefined);
    const present = disk.file(path);
    if (present && flags.includes('x')) throw systemError('EEXIST', 'open', path);
    if (!present && flags.startsWith('r')) throw systemError('ENOENT', 'open', path);
    const file = present ?? disk.create(path);
    if (!file) throw systemError('ENOENT', 'open', path);
    if (present && flags.startsWith('w')) present.truncate(0);
    return new SimulatedHandle(mount, path, file);
  }

  async $rename(from: string, to: string): Promise<void> {
    const { disk } = await this.#do({ kind: 'name', path: from, bytes: 0 });
    if (!disk.rename(from, to)) throw systemError('ENOENT', 'rename', from);
  }

  async $unlink(path: string): Promise<void> {
    const { disk } = await this.#do({ kind: 'name', path, bytes: 0 });
    if (!disk.unlink(path)) throw systemError('ENOENT', 'unlink', path);
  }

  async $rm(path: string, options: { readonly force?: boolean } = {}): Promise<void> {
    const { disk } = await this.#do({ kind: 'name', path, bytes: 0 });
    if (!disk.unlink(path) && !options.force) throw systemError('ENOENT', 'rm', path);
  }

  async $truncate(path: string, length: number): Promise<void> {
    const { disk } = await this.#do({ kind: 'write', path, bytes: 0 });
    const file = disk.file(path);
    if (!file) throw systemError('ENOENT', 'truncate', path);
    file.truncate(length);
  }

  async $stat(path: string): Promise<{ size: number; mode: number }> {
    const { disk } = await this.#do({ kind: 'read', path, bytes: 0 });
    const file = disk.file(path);
    if (!file && !disk.hasDirectory(path)) throw systemError('ENOENT', 'stat', path);
    return { size: file?.bytes.length ?? 0, mode: 0o600 };
  }

  async $readFile(path: string, encoding?: BufferEncoding): Promise<Buffer | string> {
    const handle = await this.$open(path, 'r');
    const bytes = await handle.readFile();
    await handle.close();
    return typeof encoding === 'string' ? bytes.toString(encoding) : bytes;
  }
}

/** An open file, or an open directory, which can only be synced. */
class SimulatedHandle {
  readonly #mount: MountedDisk;
  readonly #path: string;
  readonly #file: SimulatedFile | undefined;
  #position = 0;

  constructor(mount: MountedDisk, path: string, file: SimulatedFile | undefined) {
    this.#mount = mount;
    this.#path = path;
    this.#file = file;
  }

  get #content(): SimulatedFile {
    if (this.#file) return this.#file;
    throw systemError('EISDIR', 'read', this.#path);
  }

  async #do(kind: DiskOperation['kind'], bytes: number): Promise<void> {
    const operation = { kind, path: this.#path, bytes };
    await this.#mount.wait(operation);
    const code = this.#mount.fault(operation);
    if (code) throw systemError(code, kind, this.#path);
  }

  async stat(): Promise<{ size: number }> {
    await this.#do('read', 0);
    return { size: this.#content.bytes.length };
  }

  async read(
    into: Buffer,
    offset = 0,
    length = into.length - offset,
    position = 0,
  ): Promise<{ bytesRead: number }> {
    await this.#do('read', length);
    const bytes = Buffer.from(this.#content.bytes.subarray(position, position + length));
    this.#mount.onRead(this.#path, bytes);
    into.set(bytes, offset);
    return { bytesRead: bytes.length };
  }

  async readFile(): Promise<Buffer> {
    await this.#do('read', this.#content.bytes.length);
    const bytes = Buffer.from(this.#content.bytes);
    this.#mount.onRead(this.#path, bytes);
    return bytes;
  }

  async writev(parts: readonly Uint8Array[], position?: number): Promise<{ bytesWritten: number }> {
    return this.#write(Buffer.concat(parts), position);
  }

  async write(
    bytes: Uint8Array,
    offset = 0,
    length = bytes.length - offset,
    position?: number,
  ): Promise<{ bytesWritten: number }> {
    return this.#write(bytes.subarray(offset, offset + length), position);
  }

  async writeFile(content: Uint8Array | string): Promise<void> {
    await this.#write(typeof content === 'string' ? Buffer.from(content) : content, undefined);
  }

  /** The system shows what was written at once; a failed write has written nothing. */
  async #write(bytes: Uint8Array, position: number | undefined): Promise<{ bytesWritten: number }> {
    const operation = { kind: 'write' as const, path: this.#path, bytes: bytes.length };
    const code = this.#mount.fault(operation);
    const at = position ?? this.#position;
    if (!code) {
      this.#content.write(at, bytes);
      this.#mount.onWrite(this.#path, viewOf(bytes));
    }
    this.#position = at + bytes.length;
    await this.#mount.wait(operation);
    if (code) throw systemError(code, 'write', this.#path);
    return { bytesWritten: bytes.length };
  }

  async truncate(length: number): Promise<void> {
    this.#content.truncate(length);
    await this.#do('write', 0);
  }

  async sync(): Promise<void> {
    const complete = this.#file ? this.#file.beginSync() : this.#mount.disk.beginSync(this.#path);
    try {
      await this.#do('sync', 0);
    } catch (error) {
      this.#file?.loseUnsynced();
      throw error;
    }
    complete();
  }

  datasync(): Promise<void> {
    return this.sync();
  }

  async close(): Promise<void> {
    await this.#do('close', 0);
  }
}

function systemError(code: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), {
    code,
    syscall: call,
    path,
  });
}
