import { type HolderRegistration, signHolderRegistration } from '@concordat/governance';
import { type HolderKey, proveHolderKey } from '@concordat/keys';
import { type ActorId, toHex } from '@concordat/std';
import type { NodeIdentity } from './node-identity.ts';

/** Registers an actor's holder key in the name of one of its nodes. */
export function holderRegistration(options: {
  readonly networkId: string;
  readonly actorId: ActorId;
  /** One more than that of the registration before; 1 for the first. */
  readonly number: number;
  readonly identity: Pick<NodeIdentity, 'nodeId' | 'signing'>;
  readonly holderKey: HolderKey;
  readonly entropy: (bytes: number) => Uint8Array;
}): HolderRegistration {
  const { networkId, actorId, number, identity, holderKey, entropy } = options;
  const owner = { networkId, actor: actorId };
  const registration = {
    actorId,
    nodeId: identity.nodeId,
    number,
    encryptionKey: toHex(holderKey.encryptionKey),
    proof: toHex(proveHolderKey(owner, holderKey, entropy(64))),
  };
  return signHolderRegistration(networkId, registration, identity.signing);
}
