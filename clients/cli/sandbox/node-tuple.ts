import { signNodeTuple } from '@concordat/governance';
import type { Identity } from '@concordat/sdk';
import { fromHex } from '@concordat/std';
import { CliError } from '../errors.ts';
import type { NodeStatus } from './node-process.ts';

/** The signed tuple of a node, as the add_node action takes it. */
export function nodeTuple(owner: Identity, { node }: NodeStatus) {
  if (!owner.signer) throw new CliError('USAGE', 'the owner has no P-256 key to sign with');
  const publicKey = fromHex(node.publicKey) as Uint8Array;
  return {
    actorId: owner.actorId,
    name: node.name,
    address: node.address,
    adminAddress: node.adminAddress,
    applicationAddresses: node.applicationAddresses,
    publicKey: node.publicKey,
    encryptionKey: node.encryptionKey,
    signature: signNodeTuple(owner.signer, { address: node.address, publicKey }),
  };
}

/** The beginning of an identifier, as people compare them. */
export const short = (id: string): string => id.slice(0, 12);
