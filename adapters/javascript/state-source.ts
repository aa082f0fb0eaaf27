import { firstTableOf, type ReadView, Store, type WriteSet, withVersion } from '@concordat/kv';
import { emptyBytes } from '@concordat/std';
import type { StateChange } from '@concordat/worker-enclave';
import type { ToProcess } from './frames.ts';
import { privateTable, publicTable } from './tables.ts';

const names = [privateTable, publicTable] as const;
const owned = new Set<string>(names);
/** Bytes of values after which a part of the state is sent. */
const partBytes = 256 * 1024;
const partEntries = 2_000;

/**
 * The state an application's process has a copy of: the committed tables, and the layers above
 * them, which are remembered here so that a new process can be given them.
 */
export class StateSource {
  readonly #layers: Layer[] = [];
  #newest = 0;

  /** Number the next layer will have. */
  get nextLayer(): number {
    return this.#newest + 1;
  }

  /** Layers above the committed state, oldest first, as messages. */
  layers(): ToProcess[] {
    return this.#layers.map((layer) => ({ kind: 'applied', ...layer }));
  }

  /** Forgets every layer: the state was replaced. */
  forget(): void {
    this.#layers.length = 0;
  }

  /**
   * Takes note of a change. What a process that has everything before it is to be told, unless it
   * executed the batch itself; and what one that has no layers yet.
   * @param ran of a batch that applications executed here, how many transactions they kept
   */
  changed(change: StateChange, ran?: number): Told {
    // While the state is being given, what is committed now may lie behind the reader.
    const late = change.kind === 'committed' ? this.upTo(change.layer) : undefined;
    const whole = this.#changed(change, ran);
    return { whole, feeding: late ?? (whole.kind === 'replayed' ? [whole] : []) };
  }

  #changed(change: StateChange, ran: number | undefined): ToProcess {
    switch (change.kind) {
      case 'executed': {
        const { layer } = change;
        // Those of the framework come after those of the applications; looking at each takes time.
        const all = change.writeSets;
        const writeSets = ran === undefined ? all.map(own) : all.slice(0, ran);
        this.#put({ layer, firstSeqno: 0, writeSets });
        return { kind: 'applied', layer, firstSeqno: 0, writeSets };
      }
      case 'numbered': {
        const found = this.#layers.find(({ layer }) => layer === change.layer);
        if (found !== undefined) found.firstSeqno = change.firstSeqno;
        return change;
      }
      case 'applied': {
        const { layer, firstSeqno, writeSets } = change;
        const sets = writeSets.map(own);
        this.#put({ layer, firstSeqno, writeSets: sets });
        return { ...change, writeSets: sets };
      }
      case 'replayed':
        return { ...change, writeSets: change.writeSets.map(own) };
      case 'committed':
        this.#remove((layer) => layer <= change.layer);
        return change;
      default:
        this.#remove((layer) => layer >= change.layer);
        return change;
    }
  }

  /** The layers up to this one, which is committed, for whoever has no layers. */
  upTo(layer: number): ToProcess[] {
    return this.#layers
      .filter((one) => one.layer <= layer)
      .map(({ firstSeqno, writeSets }) => ({ kind: 'replayed', firstSeqno, writeSets }));
  }

  #put(layer: Layer): void {
    this.#newest = layer.layer;
    this.#layers.push(layer);
  }

  #remove(goes: (layer: number) => boolean): void {
    const kept = this.#layers.filter(({ layer }) => !goes(layer));
    this.#layers.splice(0, this.#layers.length, ...kept);
  }
}

/** A change of the state, in what is said to a process. */
export interface Told {
  /** To one that has all layers. */
  readonly whole: ToProcess;
  /** To one that is being given the committed state. */
  readonly feeding: readonly ToProcess[];
}

/** A layer above the committed state. */
interface Layer {
  readonly layer: number;
  /** 0 while it is not known. */
  firstSeqno: number;
  /** Each stands for one transaction, so that their versions can be counted. */
  readonly writeSets: readonly WriteSet[];
}

const nothing: WriteSet = { publicWrites: emptyBytes, privateWrites: emptyBytes };

/** A transaction of this adapter; nothing in the place of another's: none writes tables of two. */
function own(writeSet: WriteSet): WriteSet {
  const table = firstTableOf(writeSet.privateWrites) ?? firstTableOf(writeSet.publicWrites);
  return table !== undefined && owned.has(table) ? writeSet : nothing;
}

/**
 * The committed state in parts, as write sets of values with their versions. It may change between
 * two parts: whoever is told of those changes too, in order, ends up with the newest state.
 */
export function* committedParts(view: ReadView): Iterable<WriteSet> {
  const scratch = new Store(names.map((name) => ({ name, kind: 'ordered' })));
  for (const name of names) {
    let start = '';
    for (;;) {
      const set = scratch.begin(1);
      const [table, from] = [set.table(name), start];
      let [bytes, entries] = [0, 0];
      const source = view.table(name);
      for (const [key, value] of source.range({ start: from })) {
        table.set(key, withVersion(value, source.versionOf(key) as number));
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
