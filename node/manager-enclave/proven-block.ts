import type { ProvenBlock } from '@concordat/ledger';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';

/**
 * A committed block, opened and proved: from this node's host, or from another node while the host
 * does not have it.
 * @throws ManagerError LEDGER_CORRUPT with height and reason when the host's copy of the block is
 *   damaged; BLOCK_NOT_HELD, SESSION_KEY_MISSING, KEY_SHARES_MISSING, HOST_FAULT
 */
export async function provenBlock(
  { stored, held, archive }: Pick<NodeContext, 'stored' | 'held' | 'archive'>,
  height: number,
): Promise<ProvenBlock> {
  if (!held.has(height)) return archive.proven(height);
  try {
    return await stored.proven(height);
  } catch (error) {
    if (!isUnheld(error)) throw error;
    // Others may have what is moved elsewhere or damaged here; if not, this says why it is not here.
    return archive.proven(height).catch((unheld: unknown) => {
      throw isUnheld(unheld) ? error : unheld;
    });
  }
}

const isUnheld = (error: unknown): boolean =>
  error instanceof ManagerError &&
  (error.code === 'BLOCK_NOT_HELD' || error.code === 'LEDGER_CORRUPT');
