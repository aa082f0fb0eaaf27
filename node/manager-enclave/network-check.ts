import { type Constitution, parseConstitution } from '@concordat/governance';
import type { NodeId } from '@concordat/std';
import { unknownNetwork } from './admission.ts';
import { ManagerError } from './errors.ts';
import type { JoinOffer } from './join-messages.ts';
import type { NetworkIdentity } from './node-context.ts';

/** What a newcomer knows of the network it was told to join. */
export interface ExpectedNetwork {
  /** Its certificate is pinned; its id is known to a node that was part of it before. */
  readonly network: NetworkIdentity;
  /** The newcomer. */
  readonly nodeId: NodeId;
  /** Refuses a constitution that does not list the code that whoever answers was attested to run. */
  readonly requireCode: (constitution: Constitution) => void;
}

/**
 * Checks what a network says of itself: a newcomer trusts none that the certificate it was given, or the
 * network's own constitution, contradicts. The operator still has to approve what is in it.
 * @throws ManagerError WRONG_NETWORK, NODE_NOT_ADMITTED and those of the manifests; GovernanceError
 */
export function checkNetwork(expected: ExpectedNetwork, offer: JoinOffer): Constitution {
  const { network, nodeId, requireCode } = expected;
  const constitution = parseConstitution(offer.constitution);
  const isExpected = network.id === unknownNetwork || network.id === offer.networkId;
  if (offer.networkCertificate !== network.certificate || !isExpected) {
    throw new ManagerError('WRONG_NETWORK', 'the network names itself otherwise than expected');
  }
  if (!constitution.nodes.some((node) => node.nodeId === nodeId)) {
    throw new ManagerError('NODE_NOT_ADMITTED', 'the constitution received has no such node');
  }
  requireCode(constitution);
  return constitution;
}
