import { toLatin1 } from '@concordat/std';

/** History roots that are remembered: what a node's evidence names is no older. */
const keptRoots = 65_536;

/** The history roots of the newest blocks, to find the height that one is of. */
export class RecentRoots {
  readonly #heights = new Map<string, number>();
  /** By height modulo its length; asking a map for its oldest key costs as much as it once held. */
  readonly #kept: string[] = [];

  /** The history has this root after the block at a height. */
  add(root: Uint8Array, height: number): void {
    const place = height % keptRoots;
    const replaced = this.#kept[place];
    if (replaced !== undefined) this.#heights.delete(replaced);
    const key = toLatin1(root);
    this.#kept[place] = key;
    this.#heights.set(key, height);
  }

  /** The height a root is of; undefined when it is none of the newest. */
  heightOf(root: Uint8Array): number | undefined {
    return this.#heights.get(toLatin1(root));
  }
}
