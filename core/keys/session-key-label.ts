import { assert, type Digest, type Epoch, isHex64 } from '@concordat/std';
import { joinFields } from './hash-to-group.ts';

/**
 * What a session key's ciphertext is labelled with: the network, the epoch and the shared key it is
 * encrypted under. Holders give decryption shares for labels the ledger has committed.
 * @param label.networkId 64 lowercase hex digits
 * @param label.keyId identity of the shared key, 32 bytes
 */
export function sessionKeyLabel(label: {
  readonly networkId: string;
  readonly epoch: Epoch;
  readonly keyId: Digest;
}): Uint8Array {
  const { networkId, epoch, keyId } = label;
  assert(isHex64(networkId), 'network identity is 64 lowercase hex digits');
  return joinFields('concordat session key v2', networkId, epoch, keyId);
}
