import { createHash } from 'node:crypto';
import { decodeWriteSet, type ReadView, type WriteSet } from '@concordat/kv';
import type { BatchSet, ProgramState, StateChange } from '@concordat/worker-enclave';
import { ApplicationHost, type ApplicationHostOptions } from './application-host.ts';
import { type Bundle, readBundle } from './bundle.ts';
import { BundleError } from './errors.ts';
import type { ApplicationLimits, Place } from './frames.ts';
import { openapiDocument } from './openapi.ts';
import { Routes } from './routes.ts';
import { StateSource } from './state-source.ts';
import { programKey, programTable } from './tables.ts';

/** An application as some state has it, and its process. */
export interface Version {
  /** Hex SHA-256 of the program. */
  readonly digest: string;
  /** Absent when the program cannot be read. */
  readonly bundle?: Bundle;
  readonly routes?: Routes;
  /** Why it cannot be read. */
  readonly error?: BundleError;
  readonly host: ApplicationHost;
  /** Its OpenAPI document; undefined when the program cannot be read. */
  openapi(): string | undefined;
}

/** A batch that a version executed. */
export interface Ran {
  readonly version: Version | undefined;
  /** The set it was executed on. */
  readonly set: BatchSet;
  /** Transactions that are kept. */
  readonly kept: number;
}

/** What versions need of the adapter around them. */
export interface VersionOptions extends Omit<ApplicationHostOptions, 'source' | 'changed'> {
  /** What the application of the committed state is, or does, has changed. */
  readonly changed: (state: ProgramState) => void;
}

/** A version that was prepared and is not put in force is given up after so long, milliseconds. */
const preparedMs = 60_000;

/**
 * The applications of the committed state and of the layers above it, which differ from the block on
 * that puts another in force until it is committed, and the one that is about to be put in force.
 * Each has a process with a copy of the state, so that the old one goes on while the new one starts.
 */
export class ApplicationVersions {
  readonly #options: VersionOptions;
  readonly #source = new StateSource();
  readonly #versions = new Map<string, Version>();
  /** Layers that put another program in force, or none; oldest first. */
  #layers: { readonly layer: number; readonly program: Uint8Array | undefined }[] = [];
  #committed: ReadView | undefined;
  #limits: ApplicationLimits | undefined;
  #base: Version | undefined;
  #head: Version | undefined;
  #prepared: Version | undefined;
  /** Who executed which batch last: it may have been given up since. */
  #executor: Ran | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: VersionOptions) {
    this.#options = options;
  }

  /** The application of the committed state. */
  get base(): Version | undefined {
    return this.#base;
  }

  /** The application that the next batch runs under. */
  get head(): Version | undefined {
    return this.#head;
  }

  /** Runs what the state holds, from now on. */
  start(committed: ReadView, limits: ApplicationLimits): void {
    this.#committed = committed;
    this.#limits = limits;
    this.#settle();
  }

  /** Starts every process anew, with other limits. */
  limit(limits: ApplicationLimits): void {
    this.#limits = limits;
    for (const { host } of this.#versions.values()) host.restart(limits);
  }

  /** The state was replaced by another: every process is given it anew. */
  restored(): void {
    this.#source.forget();
    this.#layers = [];
    if (this.#limits === undefined) return;
    const before = [...this.#versions.values()];
    this.#settle();
    for (const { host } of before) host.restart(this.#limits);
  }

  /** Ends every process. */
  stop(): void {
    clearTimeout(this.#timer);
    for (const { host } of this.#versions.values()) host.stop();
    this.#versions.clear();
  }

  /**
   * Has a process ready for a program that is about to be put in force.
   * @throws BundleError; ProcessError ENDED when it cannot be started
   */
  async prepare(program: Uint8Array): Promise<void> {
    if (this.#committed === undefined) return;
    const version = this.#versionOf(program);
    if (version.error) {
      this.#sweep();
      throw version.error;
    }
    this.#keep(version);
    this.#sweep();
    await version.host.ready();
  }

  #keep(version: Version): void {
    this.#prepared = version;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#prepared = undefined;
      this.#sweep();
    }, preparedMs).unref();
  }

  /** A block of the worker was committed. */
  placed(place: Place): void {
    for (const { host } of this.#versions.values()) host.placed(place);
  }

  /** A version executed a batch, which may become a layer. */
  executed(ran: Ran): void {
    this.#executor = ran;
  }

  /** Takes part in a change of the worker's state. */
  changed(change: StateChange): void {
    const ran = this.#ranBy(change);
    const told = this.#source.changed(change, ran?.kept);
    for (const version of this.#versions.values()) {
      // Whoever executed a batch has what it wrote.
      if (ran === undefined || version !== ran.version) version.host.tell(told);
    }
    if (this.#follow(change)) this.#settle();
  }

  #ranBy(change: StateChange): Ran | undefined {
    if (change.kind !== 'executed') return undefined;
    const ran = this.#executor;
    this.#executor = undefined;
    return ran?.set === change.set ? ran : undefined;
  }

  /** Whether a change concerns programs. */
  #follow(change: StateChange): boolean {
    const before = this.#layers;
    switch (change.kind) {
      case 'applied': {
        const found = programIn(change.writeSets);
        if (found === undefined) return false;
        this.#layers = [...before, { layer: change.layer, program: found.program }];
        return true;
      }
      case 'replayed':
        return programIn(change.writeSets) !== undefined;
      case 'committed':
        this.#layers = before.filter(({ layer }) => layer > change.layer);
        break;
      case 'dropped':
        this.#layers = before.filter(({ layer }) => layer < change.layer);
        break;
      default:
        return false;
    }
    return this.#layers.length < before.length;
  }

  /** Finds out what is in force, starts it, and ends what is not. */
  #settle(): void {
    if (this.#committed === undefined) return;
    const inForce = this.#committed.table(programTable).get(programKey);
    const base = inForce && this.#versionOf(inForce);
    const above = this.#layers.at(-1);
    const program = above?.program;
    const head = above === undefined ? base : program && this.#versionOf(program);
    // One that went out of force again, with its block, may come back with the next leader.
    const gone = this.#head;
    if (gone && gone !== head && gone !== base && gone !== this.#base) this.#keep(gone);
    const isOther = this.#base !== base;
    this.#base = base;
    this.#head = head;
    if (base === this.#prepared) this.#prepared = undefined;
    this.#sweep();
    if (isOther || base === undefined) this.#tell();
  }

  #versionOf(program: Uint8Array): Version {
    const digest = digestOf(program);
    const known = this.#versions.get(digest);
    if (known) return known;
    const host = new ApplicationHost({
      ...this.#options,
      source: this.#source,
      changed: () => {
        if (this.#base?.digest === digest) this.#tell();
      },
    });
    const limits = this.#limits as ApplicationLimits;
    const committed = this.#committed as ReadView;
    const read = readProgram(program, host);
    let document: string | undefined;
    const openapi = (): string | undefined => {
      if (read.bundle) document ??= JSON.stringify(openapiDocument(read.bundle));
      return document;
    };
    const version = { digest, host, ...read, openapi };
    this.#versions.set(digest, version);
    if (version.bundle) {
      host.start({ bundle: program, indexes: version.bundle.indexes, limits, committed });
    }
    return version;
  }

  /** Ends what is not needed any more, once it has answered what it was asked. */
  #sweep(): void {
    for (const [digest, version] of this.#versions) {
      if (version === this.#base || version === this.#head || version === this.#prepared) continue;
      if (this.#layers.some(({ program }) => program && digestOf(program) === digest)) continue;
      this.#versions.delete(digest);
      version.host.retire();
    }
  }

  #tell(): void {
    const { changed } = this.#options;
    if (this.#base === undefined) changed({ state: 'none' });
    else changed({ ...this.#base.host.state, digest: this.#base.digest });
  }
}

/** What is in force was decided: where it cannot be read, everything else goes on. */
function readProgram(
  program: Uint8Array,
  host: ApplicationHost,
): Pick<Version, 'bundle' | 'routes' | 'error'> {
  try {
    const bundle = readBundle(program);
    return { bundle, routes: new Routes(bundle) };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    host.fail(`${error.code}: ${error.message}`);
    return { error };
  }
}

const digestOf = (program: Uint8Array): string =>
  createHash('sha256').update(program).digest('hex');

/** What transactions do to the program: the last of them decides; undefined when they do nothing. */
function programIn(
  writeSets: readonly WriteSet[],
): { readonly program: Uint8Array | undefined } | undefined {
  let found: { readonly program: Uint8Array | undefined } | undefined;
  for (const { publicWrites } of writeSets) {
    if (publicWrites.length === 0) continue;
    for (const { table, value } of decodeWriteSet(publicWrites)) {
      if (table === programTable) found = { program: value };
      // Tables of a write set are in the order of their names.
      else if (table > programTable) break;
    }
  }
  return found;
}
