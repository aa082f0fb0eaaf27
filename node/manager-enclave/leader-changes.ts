import type { NodeId } from '@concordat/std';

/** How often another node came to lead, as this node saw it since it started. */
export class LeaderChanges {
  #leader: NodeId | undefined;
  #count = 0;

  /** Changes so far: the first leader is none, nor is one that leads again after an interruption. */
  get count(): number {
    return this.#count;
  }

  /** The leader this node knows now; undefined when it knows none. */
  seen(leader: NodeId | undefined): void {
    if (leader === undefined || leader === this.#leader) return;
    if (this.#leader !== undefined) this.#count += 1;
    this.#leader = leader;
  }
}
