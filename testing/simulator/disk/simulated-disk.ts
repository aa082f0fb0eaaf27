import type { Random } from '../random.ts';
import { type CrashKind, SimulatedFile } from './simulated-file.ts';

/** A change of a directory that a crash may still take back. */
interface NameChange {
  readonly name: string;
  /** What the name stands for now; undefined: nothing. */
  readonly file: SimulatedFile | undefined;
}

/** One directory: names as shown, as durable, and the changes between. */
interface Directory {
  readonly shown: Map<string, SimulatedFile>;
  readonly durable: Map<string, SimulatedFile>;
  /** A rename is one change of two names. */
  changes: (readonly NameChange[])[];
}

/** Every file of a disk by its path, as an image to put back. */
export type DiskImage = ReadonlyMap<string, Uint8Array>;

/**
 * The disk of one machine: directories of files. Names and bytes become durable apart, by a sync of
 * the directory and of the file; a crash takes back or tears what was not.
 */
export class SimulatedDisk {
  readonly #directories = new Map<string, Directory>();

  /** Creates a directory; it is durable at once. */
  makeDirectory(path: string): void {
    if (this.#directories.has(path)) return;
    this.#directories.set(path, { shown: new Map(), durable: new Map(), changes: [] });
  }

  /** Whether there is a directory of this path. */
  hasDirectory(path: string): boolean {
    return this.#directories.has(path);
  }

  /** Paths of all directories. */
  get directories(): string[] {
    return [...this.#directories.keys()];
  }

  /** Names in a directory, in the order of their creation; undefined when there is none. */
  names(path: string): string[] | undefined {
    const directory = this.#directories.get(path);
    return directory && [...directory.shown.keys()];
  }

  /** The file at a path. */
  file(path: string): SimulatedFile | undefined {
    const { directory, name } = split(path);
    return this.#directories.get(directory)?.shown.get(name);
  }

  /** Files of a directory that would be there after a crash. */
  durableFiles(path: string): ReadonlyMap<string, SimulatedFile> {
    return this.#directories.get(path)?.durable ?? new Map();
  }

  /** Puts a new, empty file at a path, replacing what is there; false without such a directory. */
  create(path: string): SimulatedFile | undefined {
    const file = new SimulatedFile();
    return this.#change(path, file) ? file : undefined;
  }

  /** Takes a name away; false when it is not there. */
  unlink(path: string): boolean {
    return this.file(path) !== undefined && this.#change(path, undefined);
  }

  #change(path: string, file: SimulatedFile | undefined): boolean {
    const { directory: parent, name } = split(path);
    const directory = this.#directories.get(parent);
    if (!directory) return false;
    apply(directory.shown, { name, file });
    directory.changes.push([{ name, file }]);
    return true;
  }

  /** Renames within one directory or between two; false when it is not there. */
  rename(from: string, to: string): boolean {
    const file = this.file(from);
    const [source, target] = [split(from), split(to)];
    const [here, there] = [source, target].map((at) => this.#directories.get(at.directory));
    if (!file || !here || !there) return false;
    const away = { name: source.name, file: undefined };
    const put = { name: target.name, file };
    apply(here.shown, away);
    apply(there.shown, put);
    if (here === there) here.changes.push([away, put]);
    else {
      here.changes.push([away]);
      there.changes.push([put]);
    }
    return true;
  }

  /** Begins to make a directory's names durable. @returns completes it */
  beginSync(path: string): () => void {
    const directory = this.#directories.get(path);
    const covered = [...(directory?.changes ?? [])];
    return () => {
      for (const change of covered) {
        if (!directory || directory.changes[0] !== change) break;
        directory.changes.shift();
        for (const one of change) apply(directory.durable, one);
      }
    };
  }

  /** The machine lost power: what was not synced is treated as the kind says, file by file. */
  crash(random: Random, kindOf: () => CrashKind): void {
    for (const directory of this.#directories.values()) {
      const kept = random.between(0, directory.changes.length);
      for (const change of directory.changes.slice(0, kept)) {
        for (const one of change) apply(directory.durable, one);
      }
      directory.changes = [];
      directory.shown.clear();
      for (const [name, file] of directory.durable) {
        directory.shown.set(name, file);
        file.crash(random, kindOf());
      }
    }
  }

  /** What is durable, below a path. */
  image(path: string): DiskImage {
    const image = new Map<string, Uint8Array>();
    for (const [parent, { durable }] of this.#directories) {
      if (!`${parent}/`.startsWith(`${path}/`)) continue;
      for (const [name, { durableBytes }] of durable) {
        image.set(`${parent}/${name}`, Uint8Array.from(durableBytes));
      }
    }
    return image;
  }

  /** Puts an image back below a path, in place of all that is there. */
  restore(path: string, image: DiskImage): void {
    for (const [parent, directory] of this.#directories) {
      if (!`${parent}/`.startsWith(`${path}/`)) continue;
      directory.changes = [];
      for (const names of [directory.shown, directory.durable]) names.clear();
    }
    for (const [at, bytes] of image) {
      const { directory: parent, name } = split(at);
      const file = new SimulatedFile();
      file.tamper(bytes);
      this.makeDirectory(parent);
      const directory = this.#directories.get(parent) as Directory;
      for (const names of [directory.shown, directory.durable]) names.set(name, file);
    }
  }
}

function apply(names: Map<string, SimulatedFile>, { name, file }: NameChange): void {
  if (file) names.set(name, file);
  else names.delete(name);
}

/** The directory and name of a path. */
export function split(path: string): { directory: string; name: string } {
  const at = path.lastIndexOf('/');
  return { directory: path.slice(0, at), name: path.slice(at + 1) };
}
