import type { NodeEntry } from '@concordat/governance';
import type { BlockHeader } from '@concordat/ledger';
import type { NodeId } from '@concordat/std';
import type { Findings } from './findings.ts';
import { isoOf } from './message-rehearsal.ts';

/** What one node led. */
export interface LeaderReport {
  readonly nodeId: NodeId;
  readonly views: number;
  readonly blocks: number;
  readonly transactions: number;
  readonly firstHeight: number;
  readonly lastHeight: number;
}

/**
 * How long, by the times of blocks, a block may take to become final: without a majority a leader
 * gives up after its election timeout, which is at most a minute. Until then a node that the block
 * retires is a voter and may lead.
 */
export const finalityGraceMs = 120_000;
/** A pause worth mentioning. */
const longGapMs = 3_600_000;

/** Judges who led when: standing, views, and the times leaders gave their blocks. */
export class Leadership {
  readonly #findings: Findings;
  readonly #leaders = new Map<
    NodeId,
    { -readonly [Name in keyof LeaderReport]: LeaderReport[Name] }
  >();
  readonly #retiredAtMs = new Map<NodeId, number>();
  #view = 0;
  #leader: NodeId | undefined;
  #blocksOfView = 0;
  #workOfView = 0;
  #timeMs: number | undefined;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Takes up a block of the chain, with its leader as the state before it has it. */
  block(header: BlockHeader, entry: NodeEntry | undefined): void {
    if (header.view !== this.#view) this.#viewChanged(header);
    this.#judgeStanding(header, entry);
    this.#judgeTime(header);
    this.#blocksOfView += 1;
    if (header.source > 0) this.#workOfView += 1;
    const known = this.#leaders.get(header.leader);
    const leader = known ?? {
      nodeId: header.leader,
      views: 0,
      blocks: 0,
      transactions: 0,
      firstHeight: header.height,
      lastHeight: header.height,
    };
    if (!known) this.#leaders.set(header.leader, leader);
    if (this.#blocksOfView === 1) leader.views += 1;
    leader.blocks += 1;
    leader.transactions += header.count;
    leader.lastHeight = header.height;
  }

  /** A block retired a node. */
  retired(nodeId: NodeId, { timeMs }: BlockHeader): void {
    this.#retiredAtMs.set(nodeId, timeMs);
  }

  /** Every leader, in the order of their first blocks. */
  report(): LeaderReport[] {
    return [...this.#leaders.values()];
  }

  #viewChanged({ view, leader }: BlockHeader): void {
    const findings = this.#findings;
    findings.examined('leaders', 'views');
    if (this.#view > 0) {
      const skipped = view - this.#view - 1;
      findings.observe('view-changed', `view ${view} begins, led by ${nameOf(leader)}`);
      if (skipped > 0) {
        const which = skipped === 1 ? `view ${view - 1}` : `views ${this.#view + 1} to ${view - 1}`;
        findings.observe('views-without-blocks', `${which} left no block: elections without end`);
      }
      if (this.#workOfView === 0) {
        const { before } = { before: this.#blocksOfView };
        const message = `view ${this.#view} ended after ${before} blocks without an application's`;
        findings.observe('view-without-work', message);
      }
    }
    this.#view = view;
    this.#leader = leader;
    this.#blocksOfView = 0;
    this.#workOfView = 0;
  }

  #judgeStanding(header: BlockHeader, entry: NodeEntry | undefined): void {
    const { leader, view, timeMs } = header;
    const refuse = (why: string): void =>
      this.#findings.defect('leaders', 'UNTRUSTED_LEADER', { message: `${nameOf(leader)} ${why}` });
    if (leader !== this.#leader) refuse(`leads in view ${view}, which another node leads`);
    if (entry?.status === 'trusted') return;
    if (entry?.status !== 'retired') {
      refuse(`leads and is ${entry?.status ?? 'not in the node list'}`);
      return;
    }
    const sinceMs = timeMs - (this.#retiredAtMs.get(leader) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs <= finalityGraceMs) {
      const message = `${nameOf(leader)} leads ${sinceMs} ms after its retirement was ordered`;
      this.#findings.observe('led-after-retirement', message);
    } else refuse(`leads long after it was ${entry.retired}`);
  }

  #judgeTime({ timeMs, leader }: BlockHeader): void {
    const findings = this.#findings;
    const sinceMs = timeMs - (this.#timeMs ?? timeMs);
    if (sinceMs < 0 && this.#blocksOfView > 0) {
      const message = `${isoOf(timeMs)} follows ${isoOf(this.#timeMs as number)} in one view`;
      findings.defect('clocks', 'TIME_FELL', { message });
    } else if (sinceMs < 0) {
      const message = `the clock of ${nameOf(leader)} is ${-sinceMs} ms behind its predecessor's`;
      findings.observe('clock-differs', message);
    } else if (sinceMs >= longGapMs) {
      findings.observe('long-gap', `no block for ${Math.round(sinceMs / 60_000)} minutes`);
    }
    this.#timeMs = timeMs;
    findings.examined('clocks', 'blocks');
  }
}

const nameOf = (nodeId: NodeId): string => `node ${nodeId.slice(0, 16)}`;
