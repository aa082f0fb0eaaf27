import type { HeightRange } from '@concordat/bridge';
import { CodedError } from '@concordat/std';
import type { Archive } from './archive.ts';
import type { Backfill } from './backfill.ts';
import type { ControlLink } from './control-link.ts';
import { ManagerError } from './errors.ts';
import type { HeldBlocks } from './held-blocks.ts';
import type { StoredBlocks } from './stored-blocks.ts';

/** What healing works with. */
export interface ChunkHealingParts {
  readonly host: Pick<ControlLink, 'chunkAt' | 'setAside'>;
  readonly held: HeldBlocks;
  readonly archive: Pick<Archive, 'peers' | 'blocksOf' | 'refused'>;
  readonly prove: StoredBlocks['prove'];
  readonly backfill: Pick<Backfill, 'alone' | 'start'>;
  /** Height of a snapshot this node could begin from: above it, it needs every block itself. */
  readonly snapshotHeight: () => number;
  readonly tell: (event: string, fields: Record<string, unknown>) => void;
  readonly pause: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
}

/** What happened to one damaged chunk in this launch. */
interface Case extends HeightRange {
  /** How often it was set aside. */
  times: number;
  /** Nothing is tried before then; infinite once it was given up. */
  againMs: number;
  /** Why its file stays where it is, although it is damaged. */
  kept: string | undefined;
}

/** How often one chunk is healed in one launch: a disk that damages it each time is given up. */
const maxTimes = 3;
/** Rest after a chunk was healed, doubled each time, or could not be. */
const restMs = 15_000;
const maxCases = 64;
const maxBlocks = 256;
const maxBytes = 1024 * 1024;
/** Peers may be busy with others: each block is asked for so often. */
const maxRounds = 3;
const roundRestMs = 1_000;

/**
 * Brings back old blocks that the host's disk has damaged. What others can be shown to hold, every
 * block proved, and what a snapshot of this node covers may be missing here for a while: the host
 * sets the file aside, and {@link Backfill} fetches the blocks again. Everything else stays where it
 * is, named as damaged, until somebody has looked at it or more peers can be asked.
 */
export class ChunkHealing {
  readonly #parts: ChunkHealingParts;
  #cases: Case[] = [];
  #underWay = false;
  #setAside = 0;

  constructor(parts: ChunkHealingParts) {
    this.#parts = parts;
  }

  /** Chunks set aside in this launch. */
  get setAside(): number {
    return this.#setAside;
  }

  /** Damaged chunks that stay where they are, and why. */
  get kept(): readonly (HeightRange & { readonly why: string })[] {
    return this.#cases.flatMap(({ from, to, kept }) => (kept ? { from, to, why: kept } : []));
  }

  /**
   * The host gave back a block that is damaged. Answers what whoever asked for it is told:
   * BLOCK_NOT_HELD when it is being brought back, else the damage itself.
   */
  damaged(error: ManagerError): ManagerError {
    const { archive, nowMs, tell } = this.#parts;
    const { height } = error.details;
    if (typeof height !== 'number') return error;
    if (this.#underWay) return beingHealed(height);
    const known = this.#caseOf({ from: height, to: height });
    if (known && nowMs() < known.againMs) return error;
    if (archive.peers().length === 0) {
      this.#keep({ from: height, to: height }, 'no other node can be asked for its blocks');
      return error;
    }
    const { code, message, details } = error;
    tell('healing.started', { level: 'warn', code, why: message, ...details });
    this.#underWay = true;
    void this.#heal(height).finally(() => {
      this.#underWay = false;
    });
    return beingHealed(height);
  }

  async #heal(height: number): Promise<void> {
    const { host, held, backfill, tell } = this.#parts;
    let chunk: HeightRange = { from: height, to: height };
    try {
      chunk = await host.chunkAt(height);
      if (chunk.from > height || chunk.to < height) {
        throw new ManagerError('HOST_FAULT', 'the host named the chunk of another block');
      }
      this.#requireCovered(chunk);
      await this.#requireElsewhere(chunk);
      await backfill.alone(async () => {
        this.#requireCovered(chunk);
        await host.setAside(chunk);
        held.lost(chunk);
      });
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.#keep(chunk, error.message);
      return;
    }
    this.#setAside += 1;
    this.#healed(chunk);
    tell('healing.set-aside', { level: 'warn', ...chunk });
    backfill.start();
  }

  /** @throws ManagerError LEDGER_CORRUPT when this node needs the blocks itself if it stops now */
  #requireCovered({ to }: HeightRange): void {
    const height = this.#parts.snapshotHeight();
    if (to <= height) return;
    const why = `block ${to} is not covered by a snapshot of this node, of height ${height}`;
    throw new ManagerError('LEDGER_CORRUPT', why);
  }

  /** @throws ManagerError BLOCK_NOT_HELD when not every one of these blocks can be had elsewhere */
  async #requireElsewhere({ from, to }: HeightRange): Promise<void> {
    for (let next = from, rounds = 0; next <= to; rounds++) {
      const found = await this.#found(next, to);
      if (found > 0) rounds = 0;
      else if (rounds >= maxRounds) {
        throw new ManagerError('BLOCK_NOT_HELD', `no other node gives block ${next}`);
      }
      next += found;
      if (next <= to) await this.#parts.pause(found > 0 ? 20 : roundRestMs);
    }
  }

  /** How many blocks from one on another node has, each proved. */
  async #found(from: number, to: number): Promise<number> {
    const { archive, prove } = this.#parts;
    const asked = { from, to: Math.min(to, from + maxBlocks - 1), maxBytes };
    for (const peer of archive.peers()) {
      try {
        const blocks = await archive.blocksOf(peer, asked);
        for (const [at, block] of blocks.entries()) await prove(block, from + at);
        return blocks.length;
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        const isFalse = error instanceof ManagerError && error.code === 'LEDGER_CORRUPT';
        if (isFalse) archive.refused(peer, error);
      }
    }
    return 0;
  }

  #healed(chunk: HeightRange): void {
    const known = this.#take(chunk);
    known.times += 1;
    known.kept = undefined;
    known.againMs = this.#parts.nowMs() + restMs * 2 ** known.times;
    if (known.times < maxTimes) return;
    known.againMs = Number.POSITIVE_INFINITY;
    this.#parts.tell('healing.given-up', { level: 'error', times: known.times, ...chunk });
  }

  #keep(chunk: HeightRange, why: string): void {
    const known = this.#take(chunk);
    known.kept = why;
    known.againMs = this.#parts.nowMs() + restMs;
    const { from, to } = chunk;
    this.#parts.tell('healing.kept', { level: 'error', code: 'LEDGER_CORRUPT', from, to, why });
  }

  /** The one case of a chunk, which may have been known by one of its blocks only. */
  #take({ from, to }: HeightRange): Case {
    const before = this.#cases.filter((one) => one.from <= to && from <= one.to);
    const times = Math.max(0, ...before.map((one) => one.times));
    const taken: Case = { from, to, times, againMs: 0, kept: undefined };
    const others = this.#cases.filter((one) => !before.includes(one));
    this.#cases = [...others, taken].slice(-maxCases);
    return taken;
  }

  #caseOf({ from, to }: HeightRange): Case | undefined {
    return this.#cases.find((one) => one.from <= to && from <= one.to);
  }
}

const beingHealed = (height: number): ManagerError =>
  new ManagerError(
    'BLOCK_NOT_HELD',
    `the file of block ${height} on this host is damaged: its blocks are fetched again`,
    { height },
  );
