import { assert, isHex64, utf8 } from '@concordat/std';

// Whom a decryption share is given to. These bytes are bound into the share's proof, so that a share
// for one requester is none for another. All are UTF-8.

/** A validating node: `node:<nodeId>`. */
export function nodeRequester(nodeId: string): Uint8Array {
  assert(isHex64(nodeId), 'node identity is 64 lowercase hex digits');
  return utf8(`node:${nodeId}`);
}

/**
 * An auditor: `auditor:<name>:<encryptionKey>`.
 * @param auditor.name as granted, 1 to 64 printable characters; a colon in it confuses nothing, as
 *   the key after it has a fixed length
 * @param auditor.encryptionKey 65-byte uncompressed P-256 point, lowercase hex
 */
export function auditorRequester(auditor: {
  readonly name: string;
  readonly encryptionKey: string;
}): Uint8Array {
  const { name, encryptionKey } = auditor;
  assert(/^[0-9a-f]{130}$/.test(encryptionKey), 'encryption key is 130 lowercase hex digits');
  return utf8(`auditor:${name}:${encryptionKey}`);
}

/** A node of a network that is being recovered: `recovery:<nodeId>`. */
export function recoveryRequester(nodeId: string): Uint8Array {
  assert(isHex64(nodeId), 'node identity is 64 lowercase hex digits');
  return utf8(`recovery:${nodeId}`);
}

/** A holder at work outside the framework, with recovery copies: `offline:<networkId>`. */
export function offlineRequester(networkId: string): Uint8Array {
  assert(isHex64(networkId), 'network identity is 64 lowercase hex digits');
  return utf8(`offline:${networkId}`);
}
