import { hkdfSha256, hmacSha256, sha256 } from '@concordat/crypto';
import { assert, type Epoch, utf8 } from '@concordat/std';
import { type BlockHeader, blockFlags, heightLimit, viewLimit, writeU64 } from './header.ts';

/** The symmetric key of one epoch. */
export interface SessionKey {
  readonly epoch: Epoch;
  /** 32 bytes. Secret. */
  readonly key: Uint8Array;
}

/** Keys derived from a session key, one for each use (32 bytes each). */
interface DerivedKeys {
  readonly sealing: Uint8Array;
  readonly evidence: Uint8Array;
}

// Derivation costs as much as sealing a small block. The cache lives and dies with its key.
const derived = new WeakMap<SessionKey, DerivedKeys>();

function keysOf(sessionKey: SessionKey): DerivedKeys {
  let keys = derived.get(sessionKey);
  if (keys === undefined) {
    assert(sessionKey.key.length === 32, `session key of ${sessionKey.key.length} bytes`);
    const derive = (use: string): Uint8Array =>
      hkdfSha256(sessionKey.key, new Uint8Array(0), utf8(`concordat session v1 ${use}`), 32);
    keys = { sealing: derive('block sealing'), evidence: derive('commit evidence') };
    derived.set(sessionKey, keys);
  }
  return keys;
}

/** Zeroes what was derived from a session key: to be called before the key itself is let go. */
export function eraseDerivedKeys(sessionKey: SessionKey): void {
  const keys = derived.get(sessionKey);
  if (keys === undefined) return;
  keys.sealing.fill(0);
  keys.evidence.fill(0);
  derived.delete(sessionKey);
}

/** The AES-256-GCM key for what an epoch seals into the ledger: 32 bytes. Secret. */
export const sealingKeyOf = (sessionKey: SessionKey): Uint8Array => keysOf(sessionKey).sealing;

/**
 * What a block is sealed with. Nodes that resume from their disks may have forgotten that a view was
 * led before, so the first block of a resumed view could repeat a nonce. It is sealed under a key
 * that its public segment gives: there stands the ciphertext of a new session key, which is never
 * the same twice (TDH2 encrypts with 32 fresh bytes).
 */
export function keyOfBlock(
  sessionKey: SessionKey,
  { flags }: Pick<BlockHeader, 'flags'>,
  publicSegment: Uint8Array,
): SessionKey {
  if ((flags & blockFlags.resumption) === 0) return sessionKey;
  const info = utf8('concordat session v1 resumption');
  return {
    epoch: sessionKey.epoch,
    key: hkdfSha256(sessionKey.key, sha256(publicSegment), info, 32),
  };
}

/** What a nonce is for: its last byte. No two uses of a sealing key share one. */
export const nonceDomains = { block: 1 } as const;

/**
 * The 12-byte nonce height(6) ‖ view(5) ‖ domain(1). No view has two leaders and no leader seals
 * a height twice in its view, so it is unique under a key, across rollbacks too.
 */
export function sealingNonce(
  height: number,
  view: number,
  domain: (typeof nonceDomains)[keyof typeof nonceDomains],
): Uint8Array {
  assert(Number.isSafeInteger(height) && height >= 0 && height < heightLimit, 'height of a nonce');
  assert(Number.isSafeInteger(view) && view >= 0 && view < viewLimit, 'view of a nonce');
  const nonce = Buffer.allocUnsafe(12);
  nonce.writeUIntBE(height, 0, 6);
  nonce.writeUIntBE(view, 6, 5);
  nonce[11] = domain;
  return nonce;
}

/** The secret that blinds the leaves of one block: 32 bytes. */
export function blockNonce(sessionKey: SessionKey, view: number, height: number): Uint8Array {
  const position = Buffer.allocUnsafe(16);
  writeU64(position, 0, view);
  writeU64(position, 8, height);
  return hmacSha256(keysOf(sessionKey).evidence, position);
}
