import { isHex64 } from '@concordat/std';
import { KeysError } from './errors.ts';
import { joinFields } from './hash-to-group.ts';
import { isKnowledgeProven, proveKnowledge } from './knowledge-proof.ts';
import { drawScalar, type Element, type Scalar, sha512, timesBase } from './ristretto.ts';

/** The key pair an actor's enclaves receive shares with, and sign their dealings with. */
export interface HolderKey {
  /** e. Secret; it never leaves the actor's manager enclaves. */
  readonly decryptionKey: Scalar;
  /** e·B */
  readonly encryptionKey: Element;
}

/** Whose key it is, and where. */
export interface HolderKeyOwner {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  /** 1 to 128 characters, the name in the ceremony's terms. */
  readonly actor: string;
}

/** A holder's key of 64 bytes of entropy. */
export function createHolderKey(entropy64: Uint8Array): HolderKey {
  const decryptionKey = drawScalar(entropy64);
  return { decryptionKey, encryptionKey: timesBase(decryptionKey) };
}

/**
 * Proves that the owner knows its key, so that nobody registers a key made of others' keys.
 * @param entropy64 64 bytes, never used for another proof
 * @returns 64 bytes
 */
export function proveHolderKey(
  owner: HolderKeyOwner,
  { decryptionKey, encryptionKey }: HolderKey,
  entropy64: Uint8Array,
): Uint8Array {
  const statement = { image: encryptionKey, context: contextOf(owner) };
  return proveKnowledge(decryptionKey, statement, entropy64);
}

/** @throws KeysError INVALID_HOLDER_KEY: the proof is not that of this owner for this key */
export function requireHolderKey(
  owner: HolderKeyOwner,
  encryptionKey: Element,
  proof: Uint8Array,
): void {
  const isNamed = isHex64(owner.networkId) && owner.actor.length > 0 && owner.actor.length <= 128;
  if (isNamed) {
    const statement = { image: encryptionKey, context: contextOf(owner) };
    if (isKnowledgeProven(statement, proof)) return;
  }
  throw new KeysError('INVALID_HOLDER_KEY', `the holder key of ${owner.actor} is not proved`);
}

const contextOf = ({ networkId, actor }: HolderKeyOwner): Uint8Array =>
  sha512(joinFields('concordat holder key v1', networkId, actor));
