import { decodeWriteSet, type ReadView, Store, type WriteSet } from '@concordat/kv';
import type { StateChange } from '@concordat/worker-enclave';
import type { ToProcess } from './frames.ts';
import { privateTable, publicTable, tables } from './tables.ts';

const names = [privateTable, publicTable] as const;
const owned = new Set(tables.map(({ name }) => name));
/** Bytes of values after which a part of the state is sent. */
const partBytes = 256 * 1024;
const partEntries = 2_000;

/**
 * The state an application's process has a copy of: the committed tables, and the layers above
 * them, which are remembered here so that a new process can be given them.
 */
export class StateSource {
  readonly #layers: { readonly layer: number; readonly writeSets: readonly WriteSet[] }[] = [];
  #newest = 0;
  #executed: { readonly layer: number; readonly writeSets: readonly WriteSet[] } | undefined;

  /** Number the next layer will have. */
  get nextLayer(): number {
    return this.#newest + 1;
  }

  /** Layers above the committed state, oldest first, as messages. */
  layers(): ToProcess[] {
    return this.#layers.map(({ layer, writeSets }) => ({ kind: 'applied', layer, writeSets }));
  }

  /** Remembers what the batch that is about to become the next layer has written. */
  executed(writeSets: readonly WriteSet[]): void {
    this.#executed = { layer: this.nextLayer, writeSets };
  }

  /** Forgets every layer: the state was replaced. */
  forget(): void {
    this.#layers.length = 0;
  }

  /** Takes note of a change; what a process that has everything before it is to be told. */
  changed(change: StateChange): ToProcess | undefined {
    switch (change.kind) {
      case 'executed': {
        const { layer } = change;
        const writeSets = this.#executed?.layer === layer ? this.#executed.writeSets : [];
        this.#executed = undefined;
        this.#put(layer, writeSets);
        return undefined;
      }
      case 'applied': {
        const message = { ...change, writeSets: change.writeSets.filter(isOwn) };
        this.#put(message.layer, message.writeSets);
        return message;
      }
      case 'replayed':
        return { ...change, writeSets: change.writeSets.filter(isOwn) };
      case 'committed':
        this.#remove((layer) => layer <= change.layer);
        return change;
      default:
        this.#remove((layer) => layer >= change.layer);
        return change;
    }
  }

  /** Write sets of the layers up to this one. */
  upTo(layer: number): WriteSet[] {
    return this.#layers.filter((one) => one.layer <= layer).flatMap(({ writeSets }) => writeSets);
  }

  #put(layer: number, writeSets: readonly WriteSet[]): void {
    this.#newest = layer;
    this.#layers.push({ layer, writeSets });
  }

  #remove(goes: (layer: number) => boolean): void {
    const kept = this.#layers.filter(({ layer }) => !goes(layer));
    this.#layers.splice(0, this.#layers.length, ...kept);
  }
}

/** Whether a transaction is one of this adapter: no transaction writes tables of two. */
function isOwn({ publicWrites, privateWrites }: WriteSet): boolean {
  for (const segment of [privateWrites, publicWrites]) {
    for (const { table } of decodeWriteSet(segment)) return owned.has(table);
  }
  return false;
}

/**
 * The committed state in parts, as write sets. It may change between two parts: whoever is told of
 * those changes too, in order, ends up with the newest state.
 */
export function* committedParts(view: ReadView): Iterable<WriteSet> {
  const scratch = new Store(tables);
  for (const name of names) {
    let start = '';
    for (;;) {
      const set = scratch.begin(1);
      const [table, from] = [set.table(name), start];
      let [bytes, entries] = [0, 0];
      for (const [key, value] of view.table(name).range({ start: from })) {
        table.set(key, value);
        start = `${key}\0`;
        bytes += key.length + value.length;
        entries += 1;
        if (bytes >= partBytes || entries >= partEntries) break;
      }
      const part = set.takeWriteSet();
      set.abort();
      if (entries === 0) break;
      yield part;
    }
  }
}
