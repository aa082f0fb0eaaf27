import type { ReadView } from '@concordat/kv';
import {
  BinaryReader,
  BinaryWriter,
  DecodeError,
  formatTransactionId,
  fromLatin1,
} from '@concordat/std';
import type { AdapterMemory, CommittedBatch } from '@concordat/worker-enclave';
import { decodeHead } from './records.ts';
import { tableNames } from './tables.ts';

/** Where a transaction stands in its chain and in its batch. */
export interface ChainPlace {
  readonly number: number;
  readonly index: number;
  /** Of the ledger block. */
  readonly leaf: number;
}

/** A chain's key prefix has 4 bytes. */
const spaceBytes = 4;
const rowBytes = 24;
const rowsPerPart = 20_000;
/** Positions within a block that are told apart: more than any real block, which replays have. */
const positionsPerBlock = 2 ** 20;

/** Blocks and, where a replay adds to one block batch by batch, transactions within it, in order. */
const positionOf = (number: number, index: number): number =>
  number * positionsPerBlock + Math.min(index, positionsPerBlock - 1);

/** One entry a ledger block that the chain grew in, ascending. */
class ChainPlaces {
  readonly positions: number[] = [];
  readonly seqnos: number[] = [];
  readonly views: number[] = [];
  /** The chain's head after the last of them, as stored. */
  head: Uint8Array | undefined;

  /** What stands in the chain from this position on was committed by this batch. */
  add(position: number, seqno: number, view: number): void {
    this.positions.push(position);
    this.seqnos.push(seqno);
    this.views.push(view);
  }

  /** The last entry at or before a position; -1 when there is none. */
  find(position: number): number {
    let [low, high] = [0, this.positions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.positions[middle]! <= position) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/**
 * Where the blocks of all chains stand in the ledger. A seqno is known only once a batch is sealed,
 * so it cannot be part of the state; this is learned block by block as they commit, 24 bytes each,
 * of every chain that has a head, whatever is configured, so that every node learns the same.
 */
export class LedgerPlaces {
  /** By the chain's space. */
  #chains = new Map<string, ChainPlaces>();

  /** Learns what a batch added; answers the spaces of the chains that have a new head. */
  learn({ firstSeqno, view }: CommittedBatch, state: ReadView): readonly string[] {
    const grown: string[] = [];
    for (const [space, bytes] of state.table(tableNames.heads).entries()) {
      const chain = this.#chainOf(space);
      if (chain.head === bytes) continue;
      const [head, before] = [decodeHead(bytes), chain.head && decodeHead(chain.head)];
      chain.head = bytes;
      grown.push(space);
      const goesOn = before?.number === head.number;
      if (goesOn && before.transactions === head.transactions) continue;
      const number = before === undefined ? 0 : before.number + (goesOn ? 0 : 1);
      chain.add(positionOf(number, goesOn ? before.transactions : 0), firstSeqno, view);
    }
    return grown;
  }

  #chainOf(space: string): ChainPlaces {
    let chain = this.#chains.get(space);
    if (chain === undefined) {
      chain = new ChainPlaces();
      this.#chains.set(space, chain);
    }
    return chain;
  }

  /** `view.seqno` of a transaction's leaf; undefined when its block was not learned. */
  transactionId(space: string, { number, index, leaf }: ChainPlace): string | undefined {
    const chain = this.#chains.get(space);
    const at = chain?.find(positionOf(number, index)) ?? -1;
    if (chain === undefined || at < 0) return undefined;
    return formatTransactionId(chain.views[at]!, chain.seqnos[at]! + leaf);
  }

  /** What was learned so far, for a snapshot: see {@link restore}. */
  freeze(): AdapterMemory {
    const chains = [...this.#chains]
      .map(([space, chain]) => ({ space, chain, rows: chain.positions.length }))
      .sort((a, b) => (a.space < b.space ? -1 : 1));
    if (chains.length === 0) return { bytes: 0, parts: () => [] };
    const bytes = chains.reduce((sum, { rows }) => sum + spaceBytes + 4 + rows * rowBytes, 4);
    return { bytes, parts: () => memoryParts(chains) };
  }

  /**
   * Goes on from a snapshot: u32 chains, each 4 bytes space, u32 rows, rows of u64 position, u64
   * seqno, u64 view; spaces, positions and seqnos ascend. Empty: nothing was learned.
   * @throws DecodeError
   */
  restore(memory: Uint8Array, state: ReadView): void {
    const heads = new Map(state.table(tableNames.heads).entries());
    const chains = new Map<string, ChainPlaces>();
    if (memory.length > 0) {
      const reader = new BinaryReader(memory);
      let last = '';
      for (let left = reader.u32(); left > 0; left--) {
        const space = reader.raw(spaceBytes).toString('latin1');
        const head = heads.get(space);
        if (space <= last || head === undefined) throw invalid('a chain out of place');
        chains.set(space, readChain(reader, head));
        last = space;
      }
      reader.end();
    }
    if (chains.size !== heads.size) throw invalid('a chain is missing');
    this.#chains = chains;
  }
}

/** Rows are only ever added: those that were there at the freeze stay what they were. */
function* memoryParts(
  chains: readonly {
    readonly space: string;
    readonly chain: ChainPlaces;
    readonly rows: number;
  }[],
): Generator<Uint8Array> {
  const writer = new BinaryWriter(rowsPerPart * rowBytes);
  yield writer.u32(chains.length).take();
  for (const { space, chain, rows } of chains) {
    yield writer.raw(fromLatin1(space)).u32(rows).take();
    for (let from = 0; from < rows; from += rowsPerPart) {
      for (let at = from; at < Math.min(rows, from + rowsPerPart); at++) {
        writer.u64(chain.positions[at]!).u64(chain.seqnos[at]!).u64(chain.views[at]!);
      }
      yield writer.take();
    }
  }
}

function readChain(reader: BinaryReader, head: Uint8Array): ChainPlaces {
  const chain = new ChainPlaces();
  chain.head = head;
  let [position, seqno] = [-1, 0];
  for (let left = reader.u32(); left > 0; left--) {
    const [nextPosition, nextSeqno] = [reader.u64(), reader.u64()];
    if (nextPosition <= position || nextSeqno <= seqno) throw invalid('places out of order');
    chain.add(nextPosition, nextSeqno, reader.u64());
    [position, seqno] = [nextPosition, nextSeqno];
  }
  return chain;
}

const invalid = (why: string): DecodeError => new DecodeError('INVALID', `ledger places: ${why}`);
