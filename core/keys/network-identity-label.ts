import { assert, type Digest, isHex64 } from '@concordat/std';
import { joinFields } from './hash-to-group.ts';

/**
 * What the ciphertext of the network's private key is labelled with: the network, and the shared key it
 * is encrypted under. A domain of its own: no share that is given for a session key opens it, and
 * auditors and recoveries are given none for this label.
 * @param label.networkId 64 lowercase hex digits
 * @param label.keyId identity of the shared key, 32 bytes
 */
export function networkIdentityLabel(label: {
  readonly networkId: string;
  readonly keyId: Digest;
}): Uint8Array {
  const { networkId, keyId } = label;
  assert(isHex64(networkId), 'network identity is 64 lowercase hex digits');
  return joinFields('concordat network identity v1', networkId, keyId);
}
