import { fromPem } from '@concordat/crypto';
import { networkIdOf } from '@concordat/governance';
import type { Administration } from './administration.ts';
import type { NetworkIdentity } from './node-context.ts';
import { corrupt } from './stored-blocks.ts';

/**
 * Checks that a ledger's first block is that of this network: the network's identity is the digest
 * of its genesis constitution and certificate, so a ledger that was made up elsewhere, with this
 * node in its list, is not taken for it.
 * @throws ManagerError LEDGER_CORRUPT with reason WRONG_NETWORK
 */
export function requireGenesis(administration: Administration, network: NetworkIdentity): void {
  const [certificate] = fromPem(network.certificate);
  const id =
    certificate && administration.exists && networkIdOf(administration.constitution, certificate);
  if (id === network.id) return;
  throw corrupt(1, 'it begins another network', 'WRONG_NETWORK');
}
