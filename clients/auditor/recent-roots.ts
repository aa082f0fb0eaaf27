import { toLatin1 } from '@concordat/std';

/** History roots that are remembered: what a node's evidence names is no older. */
const keptRoots = 65_536;

/** The history roots of the newest blocks, to find the height that one is of. */
export class RecentRoots {
  readonly #heights = new Map<string, number>();

  /** The history has this root after the block at a height. */
  add(root: Uint8Array, height: number): void {
    this.#heights.set(toLatin1(root), height);
    if (this.#heights.size <= keptRoots) return;
    for (const oldest of this.#heights.keys()) {
      this.#heights.delete(oldest);
      break;
    }
  }

  /** The height a root is of; undefined when it is none of the newest. */
  heightOf(root: Uint8Array): number | undefined {
    return this.#heights.get(toLatin1(root));
  }
}
