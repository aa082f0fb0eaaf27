/**
 * Whether the next view this node leads has to begin with an epoch of its own. Nodes that resume from
 * their disks, and those that let them vote, may not remember every view that was led: positions that
 * they seal may have been sealed before, under the key of the epoch that was in force. So a view that
 * came about with any of them seals nothing under that key.
 */
export class Reopening {
  #isNeeded = false;

  /** True from {@link need} to {@link settled}. */
  get isNeeded(): boolean {
    return this.#isNeeded;
  }

  /** This node resumes, or accepts one that does. */
  need(): void {
    this.#isNeeded = true;
  }

  /** An epoch that a resumed view began with is in force, in the view this node is in. */
  settled(): void {
    this.#isNeeded = false;
  }
}
